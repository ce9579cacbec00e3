import Machines
import OCI

/// What clients said of a machine travels with its snapshot, as the names by which they change it do.
extension Resources {
    /// The snapshot's note.
    var saved: [UInt8] {
        let document: JSON = [
            "boot-source": source?.json ?? .null, "machine-config": machine.json,
            "drives": .array(drives.map { $0.json }), "network-interfaces": .array(networks.map { $0.json }),
            "pmem": .array(pmem.map { $0.json }),
            "vsock": vsock?.json ?? .null, "balloon": balloon?.json ?? .null, "entropy": entropy?.json ?? .null,
            "cpu-config": processors?.json ?? .null, "mmds-config": metadata?.json ?? .null,
            "memory-hotplug": memoryHotplug?.json ?? .null, "added": .array(added.map { $0.json }),
        ]
        return document.encodedBytes()
    }

    /// The resources of a saved machine, with what is to be different.
    init(restoring snapshot: Snapshot, _ loading: SnapshotLoading) throws(Fault) {
        let refusal = "Load snapshot error: Failed to restore from snapshot: Failed to get snapshot state from file: "
        do throws(BodyError) { try self.init(saved: snapshot.note) } catch {
            throw Fault("\(refusal)it was not saved by this API: \(error.message)")
        }
        for change in loading.networks {
            guard noteNetwork(change.id, tap: change.tap) else { throw Fault("\(refusal)Unknown Network Device.") }
        }
        if let path = loading.vsockPath {
            guard vsock != nil else { throw Fault("\(refusal)Unknown Vsock Device.") }
            vsock?.path = path
        }
        var update = MachineSettings.Update()
        update.hugePages = loading.hugePages.resolved(machine.hugePages)
        update.tracksDirtyPages = loading.tracksDirtyPages
        do throws(Fault) { machine = try machine.applying(update) } catch {
            throw Fault(
                "Load snapshot error: Failed to restore from snapshot: Failed to build microVM from snapshot: Failed to "
                    + "update microVM configuration: \(error.message)")
        }
    }

    private init(saved note: [UInt8]) throws(BodyError) {
        let members = try Members(
            try JSON(body: note), "Resources",
            [
                "boot-source", "machine-config", "drives", "network-interfaces", "pmem", "vsock", "balloon", "entropy",
                "cpu-config", "mmds-config", "memory-hotplug", "added",
            ])
        let update = try members.required("machine-config") { (json) throws(BodyError) in
            try MachineSettings.Update(json, isWhole: true)
        }
        let drives = try members.required("drives") { (json) throws(BodyError) in
            try Value.list(json) { (json) throws(BodyError) in try Drive(json) }
        }
        let networks = try members.required("network-interfaces") { (json) throws(BodyError) in
            try Value.list(json) { (json) throws(BodyError) in try NetworkInterface(json) }
        }
        let pmem = try members.required("pmem") { (json) throws(BodyError) in
            try Value.list(json) { (json) throws(BodyError) in try Pmem(json) }
        }
        let balloon = try members.optional("balloon") { (json) throws(BodyError) in try BalloonDevice(json) }
        let metadata = try members.optional("mmds-config") { (json) throws(BodyError) in try MetadataSettings(json) }
        let processors = try members.optional("cpu-config") { (json) throws(BodyError) in try ProcessorSettings(json) }
        let added = try members.required("added") { (json) throws(BodyError) in
            try Value.list(json) { (json) throws(BodyError) in try Added(json) }
        }
        do throws(Fault) {
            self.init(
                machine: try MachineSettings().applying(update), drives: drives, networks: networks, pmem: pmem,
                added: added, balloon: balloon, metadata: metadata, processors: processors)
        } catch { throw BodyError(error.message) }
        source = try members.optional("boot-source") { (json) throws(BodyError) in try BootSource(json) }
        vsock = try members.optional("vsock") { (json) throws(BodyError) in try VsockDevice(json) }
        entropy = try members.optional("entropy") { (json) throws(BodyError) in try EntropyDevice(json) }
        memoryHotplug = try members.optional("memory-hotplug") { (json) throws(BodyError) in try MemoryHotplug(json) }
    }
}

extension Resources.Added {
    fileprivate var json: JSON {
        switch self {
        case .drive(let id): ["drive": JSON(id)]
        case .network(let id): ["network": JSON(id)]
        case .pmem(let id): ["pmem": JSON(id)]
        }
    }

    fileprivate init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "Added", ["drive", "network", "pmem"])
        self =
            if let drive = try members.optional("drive", Value.text) {
                .drive(drive)
            } else if let network =
                try members.optional("network", Value.text)
            { .network(network) } else { .pmem(try members.required("pmem", Value.text)) }
    }
}
