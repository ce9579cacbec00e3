import Glibc
import Linux
import Machines
import OCI
import Virtio

/// What a machine is to have, as clients said it so far.
struct Resources: Hashable {
    var machine = MachineSettings()
    private(set) var processors: ProcessorSettings?
    var source: BootSource?
    private(set) var drives: [Drive] = []
    private(set) var networks: [NetworkInterface] = []
    private(set) var pmem: [Pmem] = []
    var vsock: VsockDevice?
    private(set) var balloon: BalloonDevice?
    var entropy: EntropyDevice?
    var memoryHotplug: MemoryHotplug?
    var serial: SerialDevice?
    private(set) var metadata: MetadataSettings?
    /// What came while the machine ran.
    private(set) var added: [Added] = []

    enum Added: Hashable {
        case drive(String)
        case network(String)
        case pmem(String)
    }

    init() {}

    /// Those of a machine that was there, which are not checked again.
    init(
        machine: MachineSettings, drives: [Drive], networks: [NetworkInterface], pmem: [Pmem], added: [Added],
        balloon: BalloonDevice?, metadata: MetadataSettings?, processors: ProcessorSettings?
    ) {
        self.machine = machine
        self.processors = processors
        self.added = added
        self.metadata = metadata
        self.drives = drives
        self.networks = networks
        self.pmem = pmem
        self.balloon = balloon
    }

    // MARK: - Changes, each checked

    mutating func set(_ source: BootSource) throws(Fault) {
        try Self.look(source.kernel, "The kernel file cannot be opened: ")
        if let disk = source.initialRAMDisk {
            try Self.look(disk, "The initrd file cannot be opened due to invalid path or invalid permissions. ")
        }
        if let arguments = source.arguments, arguments.utf8.count > 2047 {
            throw Fault(
                "Boot source error: The kernel command line is invalid: it has \(arguments.utf8.count) bytes, at most 2047"
            )
        }
        self.source = source
    }

    private static func look(_ path: String, _ complaint: String) throws(Fault) {
        do throws(SystemError) { _ = try Descriptor.open(path, [.readOnly, .nonBlocking]) } catch {
            throw Fault("Boot source error: \(complaint)\(osError(error.errno))")
        }
    }

    mutating func apply(_ update: MachineSettings.Update) throws(Fault) {
        let new = try machine.applying(update)
        if let balloon, new.memory < UInt64(balloon.amount) {
            throw Fault(
                "Machine config error: The memory size (MiB) is smaller than the previously set balloon device target "
                    + "size.")
        }
        try memoryHotplug?.check(beside: new.memory)
        machine = new
        // There is one template: the last that was said, Firecracker's own or the client's.
        if update.template != nil { processors = nil }
    }

    mutating func set(_ settings: ProcessorSettings) {
        processors = settings
        machine.template = .none
    }

    /// A drive of the same id gives way. The root drive is the first, whenever it was named.
    mutating func set(_ drive: Drive) throws(Fault) {
        let others = drives.filter { $0.id != drive.id }
        if drive.isRoot, others.contains(where: { $0.isRoot }) || pmem.contains(where: { $0.isRoot }) {
            throw Fault("Drive config error: A root block device already exists!")
        }
        try drive.check()
        var drive = drive
        try drive.connect(inPlaceOf: drives.first { $0.id == drive.id })
        if let index = drives.firstIndex(where: { $0.id == drive.id }) {
            drives[index] = drive
        } else {
            drives.append(drive)
        }
        if drive.isRoot, let index = drives.firstIndex(where: { $0.id == drive.id }), index > 0 {
            drives.remove(at: index)
            drives.insert(drive, at: 0)
        }
    }

    mutating func set(_ network: NetworkInterface) throws(Fault) {
        try network.check(beside: networks.filter { $0.id != network.id })
        if let index = networks.firstIndex(where: { $0.id == network.id }) {
            networks[index] = network
        } else {
            networks.append(network)
        }
    }

    static let secondRoot = "Attempt to add pmem as a root device while the root device defined as a block device"

    /// Persistent memory of the same id gives way.
    mutating func set(_ new: Pmem) throws(Fault) {
        if new.isRoot {
            if drives.contains(where: { $0.isRoot }) { throw Fault("Pmem config error: \(Self.secondRoot)") }
            if pmem.contains(where: { $0.isRoot && $0.id != new.id }) {
                throw Fault("Pmem config error: A root pmem device already exist")
            }
        }
        try new.check()
        if let index = pmem.firstIndex(where: { $0.id == new.id }) { pmem[index] = new } else { pmem.append(new) }
    }

    mutating func set(_ vsock: VsockDevice) throws(Fault) {
        try vsock.check()
        self.vsock = vsock
    }

    mutating func set(_ balloon: BalloonDevice) throws(Fault) {
        guard UInt64(balloon.amount) <= machine.memory else {
            throw Fault("Balloon config error: Amount of pages requested is too large.")
        }
        self.balloon = balloon
    }

    mutating func set(_ hotplug: MemoryHotplug) throws(Fault) {
        try hotplug.check(beside: machine.memory)
        memoryHotplug = hotplug
    }

    mutating func set(_ metadata: MetadataSettings) throws(Fault) {
        try metadata.check(beside: networks.map { $0.id })
        self.metadata = metadata
    }

    // MARK: - What changed while it ran

    mutating func noteAdded(_ drive: Drive) {
        drives.append(drive)
        added.append(.drive(drive.id))
    }

    mutating func noteAdded(_ network: NetworkInterface) {
        networks.append(network)
        added.append(.network(network.id))
    }

    mutating func noteAdded(_ new: Pmem) {
        pmem.append(new)
        added.append(.pmem(new.id))
    }

    mutating func notePmem(_ id: String, limit: RateLimiterBody) {
        guard let index = pmem.firstIndex(where: { $0.id == id }) else { return }
        pmem[index].limit = limit
    }

    func has(_ name: DeviceName) -> Bool {
        switch name {
        case .disk(let id): drives.contains { $0.id == id }
        case .network(let id): networks.contains { $0.id == id }
        case .persistentMemory(let id): pmem.contains { $0.id == id }
        }
    }

    func isRoot(_ name: DeviceName) -> Bool {
        switch name {
        case .disk(let id): drives.contains { $0.id == id && $0.isRoot }
        case .network: false
        case .persistentMemory(let id): pmem.contains { $0.id == id && $0.isRoot }
        }
    }

    mutating func noteRemoved(_ name: DeviceName) {
        switch name {
        case .disk(let id):
            drives.removeAll { $0.id == id }
            added.removeAll { $0 == .drive(id) }
        case .network(let id):
            networks.removeAll { $0.id == id }
            added.removeAll { $0 == .network(id) }
            metadata?.networks.removeAll { $0 == id }
        case .persistentMemory(let id):
            pmem.removeAll { $0.id == id }
            added.removeAll { $0 == .pmem(id) }
        }
    }

    mutating func noteDrive(_ id: String, path: String? = nil, limit: RateLimiterBody? = nil) {
        guard let index = drives.firstIndex(where: { $0.id == id }) else { return }
        drives[index].path = path ?? drives[index].path
        drives[index].limit = limit ?? drives[index].limit
    }

    mutating func noteNetwork(_ id: String, receive: RateLimiterBody?, transmit: RateLimiterBody?) {
        guard let index = networks.firstIndex(where: { $0.id == id }) else { return }
        networks[index].receiveLimit = receive ?? networks[index].receiveLimit
        networks[index].transmitLimit = transmit ?? networks[index].transmitLimit
    }

    /// - Returns: whether there is such a card.
    mutating func noteNetwork(_ id: String, tap: String) -> Bool {
        guard let index = networks.firstIndex(where: { $0.id == id }) else { return false }
        networks[index].tap = tap
        return true
    }

    mutating func noteBalloon(amount: UInt32? = nil, interval: UInt16? = nil) {
        if let amount { balloon?.amount = amount }
        if let interval { balloon?.interval = interval }
    }

    // MARK: - The machine

    /// Places for drives and cards that come while the machine runs; what goes leaves its own.
    private static let spareDevices = 8

    /// The machine as it is made.
    func configuration(acceptsEmulation: Bool) throws(Fault) -> MachineConfiguration {
        guard let source else {
            throw Fault("Start microvm error: Cannot start microvm without kernel configuration.")
        }
        var configuration = MachineConfiguration(kernel: source.kernel)
        configuration.initialRAMDisk = source.initialRAMDisk
        configuration.commandLine = source.arguments ?? BootSource.defaultArguments
        configuration.addArguments(kernelArguments)
        configuration.tellsKernelsWithoutACPI = true
        configuration.processors = Int(machine.processors)
        configuration.threadsPerCore = machine.hasThreads ? 2 : 1
        configuration.processorTemplate = processors?.template ?? machine.template.template
        configuration.memory = machine.memory << 20
        configuration.pageSize = machine.hugePages.pageSize
        configuration.disks = drives.filter { !added.contains(.drive($0.id)) }.map { $0.disk }
        configuration.networks = networks.filter { !added.contains(.network($0.id)) }.map { $0.card }
        configuration.persistentMemory = pmem.filter { !added.contains(.pmem($0.id)) }.map { $0.file }
        configuration.vsock = vsock?.port
        configuration.balloon = balloon?.choice
        configuration.hotplugMemory = memoryHotplug?.choice
        configuration.hasEntropy = entropy != nil
        configuration.entropyLimit = (entropy?.limit).limiter
        configuration.hasKeyboard = true
        configuration.tracksDirtyPages = machine.tracksDirtyPages
        configuration.spareDevices = max(
            0, min(Self.spareDevices, MachineConfiguration.mostDevices - configuration.deviceCount))
        configuration.acceptsEmulation = acceptsEmulation
        return configuration
    }

    /// What came while the machine ran, as it is made.
    var additions: [MachineConfiguration.Addition] {
        added.compactMap { added in
            switch added {
            case .drive(let id): drives.first { $0.id == id }.map { .disk($0.disk) }
            case .network(let id): networks.first { $0.id == id }.map { .network($0.card) }
            case .pmem(let id): pmem.first { $0.id == id }.map { .persistentMemory($0.file) }
            }
        }
    }

    /// What a kernel is told besides what a client says: that there is no PCI to look for, and where its root is.
    private var kernelArguments: [String] {
        var words = ["pci=off"]
        if let root = drives.first, root.isRoot {
            words.append(root.partition.map { "root=PARTUUID=\($0)" } ?? "root=/dev/vda")
            words.append(root.takesNoWrites ? "ro" : "rw")
        }
        if let index = pmem.firstIndex(where: { $0.isRoot }) {
            words += ["root=/dev/pmem\(index)", pmem[index].isReadOnly ? "ro" : "rw"]
        }
        return words
    }

    /// `GET /vm/config`.
    var json: JSON {
        [
            "balloon": balloon?.json ?? .null,
            "drives": .array(drives.map { $0.json }),
            "boot-source": source?.json ?? ["kernel_image_path": "", "initrd_path": nil, "boot_args": nil],
            "cpu-config": processors?.json ?? .null,
            "logger": nil,
            "machine-config": machine.json,
            "metrics": nil,
            "mmds-config": metadata?.json ?? .null,
            "network-interfaces": .array(networks.map { $0.json }),
            "vsock": vsock?.json ?? .null,
            "entropy": entropy?.json ?? .null,
            "pmem": .array(pmem.map { $0.json }),
            "memory-hotplug": memoryHotplug?.json ?? .null,
        ]
    }
}
