import Machines
import OCI

/// What clients said of a machine travels with its snapshot, as the names by which they change it do.
extension Resources {
    /// The snapshot's note.
    var saved: [UInt8] {
        let document: JSON = [
            "boot-source": source?.json ?? .null, "machine-config": machine.json,
            "drives": .array(drives.map(\.json)), "network-interfaces": .array(networks.map(\.json)),
            "vsock": vsock?.json ?? .null, "balloon": balloon?.json ?? .null, "entropy": entropy?.json ?? .null,
            "cpu-config": processors?.json ?? .null, "mmds-config": metadata?.json ?? .null,
            "memory-hotplug": memoryHotplug?.json ?? .null, "added": .array(added.map(\.json)),
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
        guard loading.hugePages == .snapshot || loading.hugePages == .none else {
            throw .notSupported("huge_pages: \(loading.hugePages.rawValue)")
        }
        machine.tracksDirtyPages = loading.tracksDirtyPages
    }

    private init(saved note: [UInt8]) throws(BodyError) {
        let members = try Members(
            try JSON(body: note), "Resources",
            [
                "boot-source", "machine-config", "drives", "network-interfaces", "vsock", "balloon", "entropy",
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
        let balloon = try members.optional("balloon") { (json) throws(BodyError) in try BalloonDevice(json) }
        let metadata = try members.optional("mmds-config") { (json) throws(BodyError) in try MetadataSettings(json) }
        let added = try members.required("added") { (json) throws(BodyError) in
            try Value.list(json) { (json) throws(BodyError) in try Added(json) }
        }
        do throws(Fault) {
            self.init(
                machine: try MachineSettings().applying(update), drives: drives, networks: networks, added: added,
                balloon: balloon, metadata: metadata)
        } catch { throw BodyError(error.message) }
        source = try members.optional("boot-source") { (json) throws(BodyError) in try BootSource(json) }
        vsock = try members.optional("vsock") { (json) throws(BodyError) in try VsockDevice(json) }
        entropy = try members.optional("entropy") { (json) throws(BodyError) in try EntropyDevice(json) }
        memoryHotplug = try members.optional("memory-hotplug") { (json) throws(BodyError) in try MemoryHotplug(json) }
        processors = try members.optional("cpu-config") { (json) throws(BodyError) in try ProcessorSettings(json) }
    }
}

extension Resources.Added {
    fileprivate var json: JSON {
        switch self {
        case .drive(let id): ["drive": JSON(id)]
        case .network(let id): ["network": JSON(id)]
        }
    }

    fileprivate init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "Added", ["drive", "network"])
        let drive = try members.optional("drive", Value.text)
        self = if let drive { .drive(drive) } else { .network(try members.required("network", Value.text)) }
    }
}
