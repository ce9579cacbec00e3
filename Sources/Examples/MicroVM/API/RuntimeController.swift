import Linux
import Machines
import OCI
import Virtio

/// Changes a machine that was started, and tells of it.
final class RuntimeController {
    let instance: InstanceInfo
    let machine: Machine
    /// What the machine has now.
    private(set) var resources: Resources
    private let logger: Logger
    private let metrics: Metrics
    private let metadata: MetadataStore
    private let flush: (Resources) -> Void

    /// - Parameter flush: writes the metrics.
    init(
        _ instance: InstanceInfo, _ machine: Machine, _ resources: Resources, _ logger: Logger, _ metrics: Metrics,
        _ metadata: MetadataStore, flush: @escaping (Resources) -> Void
    ) {
        self.instance = instance
        self.logger = logger
        self.metrics = metrics
        self.metadata = metadata
        self.machine = machine
        self.resources = resources
        self.flush = flush
    }

    func perform(_ action: Action) throws(Fault) -> Answer {
        noteRemoved()
        switch action {
        case .describeInstance: return .instance(instance, machine.isPaused ? .paused : .running)
        case .describeVersion: return .version
        case .describeMachine: return .machine(resources.machine)
        case .describeAll: return .value(resources.json)
        case .describeBalloon:
            _ = try balloon("Internal VMM")
            return .value(resources.balloon?.json ?? .null)
        case .describeStatistics:
            let balloon = try balloon("Internal VMM")
            guard resources.balloon?.interval ?? 0 > 0 else {
                throw Fault("Internal VMM error: Balloon: Received stats query when stats are disabled.")
            }
            return .value(balloon.statisticsJSON)
        case .describeHinting: return try describeHinting()
        case .describeMetadata, .setMetadata, .changeMetadata:
            // No card leads to it then.
            guard resources.metadata != nil else { throw Fault(.notInitialized) }
            return try metadata.perform(action) ?? .done
        case .flushMetrics: flushMetrics()
        case .pressControlAltDelete: machine.pressControlAltDelete()
        case .setDrive(let drive): try plug(drive)
        case .setNetwork(let network): try plug(network)
        case .setPmem(let pmem): try plug(pmem)
        case .changeDrive(let update): try change(update)
        case .changeNetwork(let update): try change(update)
        case .changePmem(let update): try change(update)
        case .changeBalloon(let amount): try changeBalloon(amount)
        case .changeStatistics(let interval): try changeStatistics(interval)
        case .startHinting(let acknowledges):
            guard try hintingBalloon().startHinting(acknowledges: acknowledges) else { throw Self.isNotActive }
        case .stopHinting: guard try hintingBalloon().stopHinting() else { throw Self.isNotActive }
        case .describeMemoryHotplug:
            let (memory, settings) = try memoryHotplug("Internal VMM")
            return .value(settings.json(memory))
        case .changeMemoryHotplug(let requested): try changeMemoryHotplug(requested)
        case .pause:
            try timed(action) { () throws(Fault) in
                do throws(MachineError) { try machine.pause() } catch { throw Self.internalFault(error) }
            }
        case .resume:
            try timed(action) { () throws(Fault) in
                do throws(MachineError) { try machine.resume() } catch { throw Self.internalFault(error) }
            }
        case .createSnapshot(let creation): try timed(action) { () throws(Fault) in try save(creation) }
        case .unplug(let name): try unplug(name)
        case .setBootSource, .changeMachine, .setVsock, .setBalloon, .setEntropy, .setSerial,
            .setMemoryHotplug, .setLogger, .setMetrics, .setProcessors, .configureMetadata, .loadSnapshot, .start:
            throw .postBoot
        }
        return .done
    }

    func flushMetrics() { flush(resources) }

    /// Does something whose time is kept.
    private func timed(_ action: Action, _ body: () throws(Fault) -> Void) throws(Fault) {
        let begin = monotonicNanoseconds()
        try body()
        guard let timing = action.timing else { return }
        let microseconds = (monotonicNanoseconds() - begin) / 1000
        metrics.note("vmm_\(timing.metric)", microseconds: microseconds)
        logger.info("'\(timing.words)' VMM action took \(microseconds) us.")
    }

    private static func internalFault(_ error: MachineError) -> Fault { Fault("Internal VMM error: \(error)") }

    // MARK: - Snapshots

    private func save(_ creation: SnapshotCreation) throws(Fault) {
        let refusal = "Create snapshot error: "
        guard machine.isPaused else {
            throw Fault(
                "\(refusal)Cannot save the microVM state: Operation not allowed: save/restore unavailable while running"
            )
        }
        let served = resources.drives.filter { $0.socket != nil }.map { "vhost-user-block(id: \($0.id))" }
        guard served.isEmpty else {
            throw Fault(
                "\(refusal)Cannot save the microVM state: Operation not allowed: Devices without snapshot support are "
                    + "present: \(served.joined(separator: ","))")
        }
        let configuration = try resources.configuration(acceptsEmulation: machine.configuration.acceptsEmulation)
        do throws(MachineError) {
            try machine.save(
                creation.kind == .full ? .full : .diff,
                to: SnapshotFiles(state: creation.path, memory: creation.memoryPath), configuration: configuration,
                additions: resources.additions, note: resources.saved)
        } catch {
            switch (error.part, error.reason) {
            case (.memory, .refused(let why)) where why.operation.hasPrefix("open"):
                throw Fault("\(refusal)Cannot perform open on the memory backing file: \(osError(why.errno))")
            case (.memory, _): throw Fault("\(refusal)Cannot write memory file: \(error)")
            case (.snapshot, .refused(let why)) where why.operation.hasPrefix("open"):
                throw Fault("\(refusal)Cannot perform open on the snapshot backing file: \(osError(why.errno))")
            case (.snapshot, .refused):
                throw Fault("\(refusal)Cannot perform write on the snapshot backing file: \(error)")
            default: throw Fault("\(refusal)Cannot save the microVM state: \(error)")
            }
        }
    }

    // MARK: - Drives and cards

    /// Adds a drive, of which the guest hears by itself.
    private func plug(_ drive: Drive) throws(Fault) {
        guard machine.disk(drive.id) == nil, machine.servedDisk(drive.id) == nil else { throw Self.idInUse }
        if drive.isRoot { throw Fault("Drive config error: A root block device already exists!") }
        try drive.check()
        do throws(MachineError) { try machine.addDisk(drive.disk) } catch {
            if case .backend(let why) = error.reason { throw Drive.fault(why.inFirecrackersWords) }
            throw Drive.fault(error.description)
        }
        resources.noteAdded(drive)
    }

    private func plug(_ network: NetworkInterface) throws(Fault) {
        guard machine.network(network.id) == nil else { throw Self.idInUse }
        try network.check(beside: resources.networks)
        do throws(MachineError) { try machine.addNetwork(network.card) } catch {
            throw Fault("Network config error: Could not create the network device: \(error)")
        }
        resources.noteAdded(network)
    }

    private func plug(_ pmem: Pmem) throws(Fault) {
        guard machine.persistentMemory(pmem.id) == nil else { throw Self.idInUse }
        if pmem.isRoot { throw Fault("Pmem config error: \(Resources.secondRoot)") }
        try pmem.check()
        do throws(MachineError) { try machine.addPersistentMemory(pmem.file) } catch {
            throw Fault("Pmem config error: Unable to create the virtio-pmem device: \(error)")
        }
        resources.noteAdded(pmem)
    }

    private static let idInUse = Fault("Device ID in use")

    /// A device that nobody drives goes at once. Otherwise the guest is asked, and ``noteRemoved()`` is where the device
    /// goes, if it does.
    private func unplug(_ name: DeviceName) throws(Fault) {
        guard resources.has(name) else { throw Fault("Device not found") }
        guard !resources.isRoot(name) else { throw Fault("Cannot unplug root device") }
        do throws(MachineError) {
            if try machine.remove(name) == .asked { logger.info("The guest is asked to let go of \(name).") }
        } catch { throw Fault("Internal VMM error: \(error)") }
        noteRemoved()
    }

    /// Forgets the devices that have gone.
    func noteRemoved() {
        for removed in machine.removedDevices() {
            guard let name = removed.name else { continue }
            resources.noteRemoved(name)
            metrics.retire(DeviceMetrics.group(of: removed))
            logger.info("The \(name) has gone.")
        }
    }

    private func change(_ update: Drive.Update) throws(Fault) {
        let refusal = "Drive config error: Unable to patch the block device: "
        let advice = " Please verify the request arguments."
        if let served = machine.servedDisk(update.id) {
            guard update.path == nil, update.limit == nil else {
                throw Fault("\(refusal)Block: Running method expected different backend.\(advice)")
            }
            do throws(VhostUserError) { return try served.refreshConfiguration() } catch {
                throw Fault("\(refusal)Block: \(error.inFirecrackersWords)\(advice)")
            }
        }
        guard let disk = machine.disk(update.id), let drive = resources.drives.first(where: { $0.id == update.id })
        else { throw Fault("\(refusal)Failed perform action on device: Device not found\(advice)") }
        guard update.path != nil || update.limit != nil else {
            throw Fault("\(refusal)Block: Running method expected different backend.\(advice)")
        }
        if let path = update.path {
            do throws(SystemError) {
                try disk.replace(try RawDisk.open(path, isReadOnly: drive.isReadOnly))
            } catch {
                throw Fault("\(refusal)Block: Virtio backend error: \(Drive.backing(error, path))\(advice)")
            }
            resources.noteDrive(update.id, path: path)
        }
        if let limit = update.limit {
            let merged = limit.over(drive.limit)
            disk.setLimit(merged.limiter)
            resources.noteDrive(update.id, limit: merged)
        }
    }

    private func change(_ update: NetworkInterface.Update) throws(Fault) {
        guard let card = machine.network(update.id),
            let network = resources.networks.first(where: { $0.id == update.id })
        else {
            throw Fault(
                "Network config error: Unable to update the net device: Failed perform action on device: Device not "
                    + "found")
        }
        let receive = update.receiveLimit?.over(network.receiveLimit)
        let transmit = update.transmitLimit?.over(network.transmitLimit)
        // A bucket starts full, so a limit that is not named is left alone.
        card.setLimits(receive: receive?.limiter, transmit: transmit?.limiter)
        resources.noteNetwork(update.id, receive: receive, transmit: transmit)
    }

    private func change(_ update: Pmem.Update) throws(Fault) {
        guard let memory = machine.persistentMemory(update.id),
            let pmem = resources.pmem.first(where: { $0.id == update.id })
        else {
            throw Fault(
                "Pmem config error: Unable to patch the pmem device: Failed perform action on device: Device not found "
                    + "Please verify the request arguments.")
        }
        guard let limit = update.limit?.over(pmem.limit) else { return }
        memory.setLimit(limit.limiter)
        resources.notePmem(update.id, limit: limit)
    }

    // MARK: - Memory

    private func memoryHotplug(_ part: String) throws(Fault) -> (Memory, MemoryHotplug) {
        guard let memory = machine.hotplugMemory, let settings = resources.memoryHotplug else {
            throw Fault("\(part) error: Failed perform action on device: Device not found")
        }
        return (memory, settings)
    }

    private func changeMemoryHotplug(_ requested: UInt64) throws(Fault) {
        let (memory, settings) = try memoryHotplug("Memory hotplug update")
        let refusal = "Memory hotplug update error: requested_size_mib is \(requested)"
        guard requested <= settings.total else {
            throw Fault("\(refusal): it must not be larger than the total size (\(settings.total) MiB)")
        }
        do throws(Memory.SizeError) { try memory.setRequestedSize(requested << 20) } catch {
            throw Fault("\(refusal): it must be a multiple of the block size (\(settings.block) MiB)")
        }
    }

    // MARK: - The balloon

    private func balloon(_ part: String) throws(Fault) -> Balloon {
        guard let balloon = machine.balloon, resources.balloon != nil else {
            throw Fault("\(part) error: Failed perform action on device: Device not found")
        }
        return balloon
    }

    private func changeBalloon(_ amount: UInt32) throws(Fault) {
        let balloon = try balloon("Balloon update")
        guard UInt64(amount) <= resources.machine.memory else {
            throw Fault("Balloon update error: Balloon: Requested memory should be less than \(amount)MiB")
        }
        balloon.setTarget(UInt64(amount) << 20)
        resources.noteBalloon(amount: amount)
    }

    private func changeStatistics(_ interval: UInt16) throws(Fault) {
        let balloon = try balloon("Balloon update")
        let now = resources.balloon?.interval ?? 0
        guard interval != now else { return }
        guard now > 0, interval > 0 else {
            throw Fault("Balloon update error: Balloon: Statistics cannot be enabled/disabled after activation.")
        }
        balloon.setStatisticsInterval(UInt32(interval))
        resources.noteBalloon(interval: interval)
    }

    private static let isNotActive = Fault("Balloon update error: Balloon: Device not activated yet.")

    private func hintingBalloon() throws(Fault) -> Balloon {
        let balloon = try balloon("Balloon update")
        guard resources.balloon?.hasHinting == true else {
            throw Fault("Balloon update error: Balloon: Attempting to use hinting when not enabled")
        }
        return balloon
    }

    private func describeHinting() throws(Fault) -> Answer {
        let commands = try hintingBalloon().hintingCommands
        return .value(["host_cmd": JSON(commands.host), "guest_cmd": JSON(commands.guest)])
    }
}
