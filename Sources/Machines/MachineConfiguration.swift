import GuestMemory
import Virtio

/// A virtual machine, described: what ``Machine`` makes. It is a value, and says nothing of the host until a machine is
/// made of it.
public struct MachineConfiguration: Hashable, Sendable {
    /// The path of the kernel: a bzImage, or an ELF file that is entered in 64-bit mode or by PVH.
    public var kernel: String
    /// How the kernel is entered.
    public var bootProtocol = BootProtocol.automatic
    /// The path of the initial RAM disk.
    public var initialRAMDisk: String?
    /// The kernel's command line.
    public var commandLine = "console=ttyS0 panic=-1"
    /// Whether a kernel without ACPI is told of the machine, too: of processors and interrupts by the tables of Intel's
    /// MultiProcessor Specification, and of the virtio devices that it begins with by `virtio_mmio.device=` on its command
    /// line, which Linux heeds where it was built with `CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES`. It is not saved with the
    /// machine.
    public var tellsKernelsWithoutACPI = false
    /// Virtual processors: 1 to 32.
    public var processors = 1
    /// Bytes of memory: whole MiB, from 16 MiB on.
    public var memory: UInt64 = 128 << 20
    /// The pages of the host's that its memory is made of, also that which comes later. Huge ones make whole pages of the
    /// memory necessary, 2 MiB; those of the host's reserve have to be free when the machine is made.
    public var pageSize = PageSize.normal
    /// Processors that there may be while the machine runs, ``Machine/addProcessors(_:)``; as many as at first when nil.
    public var maximumProcessors: Int?
    /// How many of them are threads of one core: 1 or 2. With 2, one is alone in its core only where there is no other.
    public var threadsPerCore = 1
    /// How they differ from what the host offers, if they do.
    public var processorTemplate: ProcessorTemplate?
    /// Bytes of memory that there may be while the machine runs, ``Machine/addMemory(_:)``; as much as at first when nil.
    public var maximumMemory: UInt64?
    /// Memory that the guest takes and gives back while it runs, if there is some.
    public var hotplugMemory: HotplugMemory?
    /// Places for disks, cards and other devices that come while the machine runs, ``Machine/addDevice(_:)``.
    public var spareDevices = 0
    /// The disks, in the order of their names in the guest: `vda`, `vdb`, …
    public var disks: [Disk] = []
    public var networks: [NetworkCard] = []
    /// Files of the host's that are memory of the guest's: `pmem0`, `pmem1`, …
    public var persistentMemory: [MemoryFile] = []
    /// Sockets between host and guest.
    public var vsock: VsockPort?
    /// Directories of the host's that the guest can mount.
    public var sharedDirectories: [SharedDirectory] = []
    /// Whether the guest gets random bytes from the host's kernel.
    public var hasEntropy = true
    /// How many random bytes the guest gets in how much time.
    public var entropyLimit = RateLimiter()
    /// A balloon that gives memory back to the host, if there is one.
    public var balloon: BalloonChoice?
    /// Whether the guest has a keyboard, by which ``Machine/pressControlAltDelete()`` reaches it.
    public var hasKeyboard = false
    /// Whether it is known which pages were written since the last save, so that ``Machine/save(_:to:configuration:additions:note:)``
    /// writes only those; it costs the guest an exit for each page's first write. It is not saved with the machine.
    public var tracksDirtyPages = false
    /// Whether other processes can map the guest's memory, so that disks that other processes serve can come while it
    /// runs; a machine that begins with one has such memory anyway. It is not saved with the machine.
    public var sharesMemory = false
    /// Whether the machine is made, too, where the guest's kernel would be emulated instruction by instruction: Linux
    /// does not finish booting there, but a few instructions run.
    public var acceptsEmulation = false

    public init(kernel: String) { self.kernel = kernel }

    public typealias PageSize = GuestRegion.PageSize

    /// A disk of the guest's.
    public struct Disk: Hashable, Sendable {
        /// A file or block device, as it is; empty where another process serves the disk.
        public var path: String
        /// The other process that serves it, with ``queues`` and ``id`` and nothing else of what is here.
        public var server: Server?
        public var isReadOnly: Bool
        /// Queues, each for a processor of the guest: 1 to 64.
        public var queues: Int
        /// How much the guest may read and write in how much time.
        public var limit: RateLimiter
        /// How bytes move between guest and disk.
        public var engine = Block.Engine.automatic
        /// By what ``Machine/disk(_:)`` finds it.
        public var id = ""

        public init(path: String, isReadOnly: Bool = false, queues: Int = 1, limit: RateLimiter = RateLimiter()) {
            self.path = path
            self.isReadOnly = isReadOnly
            self.queues = queues
            self.limit = limit
        }

        public init(server: Server, queues: Int = 1) {
            self.init(path: "", queues: queues)
            self.server = server
        }

        /// A vhost-user-blk backend.
        public enum Server: Hashable, Sendable {
            /// The path of the Unix socket where it listens: up to 107 bytes.
            case socket(String)
            /// One to which there is a connection, for one machine.
            case frontend(VhostUserFrontend)
        }
    }

    /// A network card of the guest's.
    public struct NetworkCard: Hashable, Sendable {
        /// Where its frames go.
        public var end: End
        /// The tap device's name; empty where the frames go elsewhere.
        public var tap: String {
            get { if case .tap(let name) = end { name } else { "" } }
            set { end = .tap(newValue) }
        }
        /// The card's address: six bytes, of which the first is even. nil lets the guest choose.
        public var address: [UInt8]?
        /// Pairs of queues: 1 to 16.
        public var queues: Int
        /// How much may come to the guest in how much time.
        public var receiveLimit = RateLimiter()
        /// How much the guest may send in how much time.
        public var transmitLimit = RateLimiter()
        /// The largest packet that the guest should send: 68 to 65535 bytes. nil says nothing.
        public var mtu: UInt16?
        /// By what ``Machine/network(_:)`` finds it.
        public var id = ""

        public init(tap: String, address: [UInt8]? = nil, queues: Int = 1) {
            end = .tap(tap)
            self.address = address
            self.queues = queues
        }

        public init(_ end: End) {
            self.end = end
            queues = 1
        }

        /// The other end of a card's cable.
        public enum End: Hashable, Sendable {
            /// The name of a tap device: 1 to 15 bytes.
            case tap(String)
            /// The path of a Unix stream socket, up to 107 bytes, where passt or a program like it listens; see
            /// `FrameStream` of the module Virtio.
            case socket(String)
            /// The number of an open descriptor, such a socket that is connected. The machine duplicates it.
            case connection(CInt)
        }
    }

    /// A file of the host's that the guest has as persistent memory: it reads and writes the file's own pages.
    public struct MemoryFile: Hashable, Sendable {
        /// A regular file, as it is. Behind its end the guest has memory up to the next 2 MiB, which is kept nowhere.
        public var path: String
        /// Whether what the guest writes is lost.
        public var isReadOnly: Bool
        /// How often the guest may flush; each flush counts as many bytes as the file has.
        public var limit: RateLimiter
        /// By what ``Machine/persistentMemory(_:)`` finds it.
        public var id = ""

        public init(path: String, isReadOnly: Bool = false, limit: RateLimiter = RateLimiter()) {
            self.path = path
            self.isReadOnly = isReadOnly
            self.limit = limit
        }
    }

    /// A device that came while a machine ran, and has a place behind those that were there.
    public enum Addition: Hashable, Sendable {
        case disk(Disk)
        case network(NetworkCard)
        case persistentMemory(MemoryFile)
    }

    /// Where a guest's sockets are reached.
    public struct VsockPort: Hashable, Sendable {
        /// The guest's address: 3 to 2³² − 2.
        public var cid: UInt64
        /// The Unix socket on the host: up to 107 bytes.
        public var path: String

        public init(cid: UInt64, path: String) {
            self.cid = cid
            self.path = path
        }
    }

    /// A directory of the host's, with all that is below it.
    public struct SharedDirectory: Hashable, Sendable {
        public var path: String
        /// The name by which the guest mounts it: 1 to 36 bytes.
        public var tag: String
        /// Whether the guest may change nothing.
        public var isReadOnly: Bool

        public init(path: String, tag: String, isReadOnly: Bool = false) {
            self.path = path
            self.tag = tag
            self.isReadOnly = isReadOnly
        }
    }

    /// What a balloon does.
    public struct BalloonChoice: Hashable, Sendable {
        /// Bytes that the guest should give up at the start: whole MiB.
        public var target: UInt64
        /// Whether the guest may take pages back by itself rather than kill a process.
        public var deflatesOnOOM: Bool
        /// Whether the guest reports free pages as they become free.
        public var reportsFreePages: Bool
        /// Whether the guest can be asked once for all its free pages.
        public var hintsFreePages = false
        /// Seconds between questions for the guest's statistics; 0 asks by itself never.
        public var statisticsInterval: UInt32 = 0

        public init(target: UInt64 = 0, deflatesOnOOM: Bool = true, reportsFreePages: Bool = true) {
            self.target = target
            self.deflatesOnOOM = deflatesOnOOM
            self.reportsFreePages = reportsFreePages
        }
    }

    /// The most processors, which the tables for the guest and the machine's own room are made for.
    public static let mostProcessors = 32
    /// The least and the most memory: below, no kernel starts; above, a guest's addresses end.
    public static let memoryRange: ClosedRange<UInt64> = 16 << 20...1 << 40

    /// The most virtio devices, which each have an interrupt of their own.
    public static let mostDevices = AddressMap.mostDevices

    /// What memory that is added is made of: Linux takes whole blocks of this size.
    public static let memoryBlock: UInt64 = 128 << 20

    /// Whether its memory is one that other processes can map.
    var hasSharedMemory: Bool { sharesMemory || disks.contains { $0.server != nil } }

    /// How many virtio devices it has.
    public var deviceCount: Int {
        disks.count + networks.count + persistentMemory.count + sharedDirectories.count + (vsock == nil ? 0 : 1)
            + (hasEntropy ? 1 : 0) + (balloon == nil ? 0 : 1) + (hotplugMemory == nil ? 0 : 1)
    }

    /// Checks all that can be checked without the host.
    ///
    /// - Throws: ``MachineError/Reason/configuration(_:)`` with the part at fault.
    public func validate() throws(MachineError) {
        if kernel.isEmpty { throw MachineError(.kernel, "no kernel is named") }
        if initialRAMDisk == "" { throw MachineError(.initialRAMDisk, "the path is empty") }
        if commandLine.utf8.contains(0) { throw MachineError(.commandLine, "the command line holds a NUL") }
        guard (1...Self.mostProcessors).contains(processors) else {
            throw MachineError(.processors, "\(processors) processors are not 1 to \(Self.mostProcessors)")
        }
        guard Self.memoryRange.contains(memory), memory % (1 << 20) == 0 else {
            throw MachineError(
                .memory,
                "\(memory) bytes are not a whole number of MiB from \(Self.memoryRange.lowerBound >> 20) to "
                    + "\(Self.memoryRange.upperBound >> 20)")
        }
        guard pageSize == .normal || memory % (2 << 20) == 0 else {
            throw MachineError(.memory, "\(memory) bytes are not a whole number of pages of 2 MiB")
        }
        if let maximumProcessors, !(processors...Self.mostProcessors).contains(maximumProcessors) {
            throw MachineError(
                .processors,
                "at most \(maximumProcessors) processors: it is not \(processors) to \(Self.mostProcessors)")
        }
        guard (1...2).contains(threadsPerCore) else {
            throw MachineError(.processors, "\(threadsPerCore) threads of a core are not 1 or 2")
        }
        for count in [processors, maximumProcessors ?? processors] where count > 1 && count % threadsPerCore != 0 {
            throw MachineError(
                .processors, "\(count) processors, \(threadsPerCore) of them in each core: that leaves one over")
        }
        if let maximumMemory {
            guard maximumMemory >= memory, maximumMemory <= Self.memoryRange.upperBound,
                maximumMemory % (1 << 20) == 0
            else {
                throw MachineError(
                    .memory,
                    "at most \(maximumMemory) bytes: it is not a whole number of MiB from \(memory >> 20) to "
                        + "\(Self.memoryRange.upperBound >> 20)")
            }
        }
        if let hotplugMemory {
            do throws(HotplugMemory.Problem) { try hotplugMemory.check(beside: memory) } catch {
                throw MachineError(.hotplugMemory, "hot-plug memory: \(error)")
            }
        }
        for disk in disks { try disk.validate() }
        for card in networks { try card.validate() }
        let taps = networks.map { $0.tap }.filter { !$0.isEmpty }
        if Set(taps).count < taps.count { throw MachineError(.network, "a tap is named twice") }
        for file in persistentMemory { try file.validate() }
        if let vsock { try vsock.validate() }
        for share in sharedDirectories { try share.validate() }
        if Set(sharedDirectories.map { $0.tag }).count < sharedDirectories.count {
            throw MachineError(.sharedDirectory, "a tag is given twice")
        }
        if let balloon, balloon.target > memory || balloon.target % (1 << 20) != 0 {
            throw MachineError(
                .balloon, "a balloon of \(balloon.target) bytes is not a whole number of MiB within the memory")
        }
        guard spareDevices >= 0, spareDevices <= AddressMap.mostDevices,
            deviceCount + spareDevices <= AddressMap.mostDevices
        else {
            let spare = spareDevices == 0 ? "" : " and \(spareDevices) places for more"
            throw MachineError(.machine, "\(deviceCount) devices\(spare) are more than \(AddressMap.mostDevices)")
        }
    }
}

extension MachineConfiguration.Disk {
    func validate() throws(MachineError) {
        if let server {
            if case .socket(let path) = server, !(1...107).contains(path.utf8.count) {
                throw MachineError(.disk, "a Unix socket's path has 1 to 107 bytes, this one \(path.utf8.count)")
            }
            guard path.isEmpty, !isReadOnly, limit == RateLimiter(), engine == .automatic else {
                throw MachineError(
                    .disk,
                    "a disk that another process serves has no path, no engine and no limits here, and is "
                        + "read-only where that process says so")
            }
        } else if path.isEmpty {
            throw MachineError(.disk, "a disk's path is empty")
        }
        guard (1...64).contains(queues) else { throw MachineError(.disk, "\(queues) queues are not 1 to 64") }
    }
}

extension MachineConfiguration.NetworkCard {
    /// Checks all that can be checked without the host.
    public func validate() throws(MachineError) {
        switch end {
        case .tap(let name):
            guard (1...15).contains(name.utf8.count) else {
                throw MachineError(.network, "\"\(name)\" is no name of an interface: it has 1 to 15 bytes")
            }
            guard (1...16).contains(queues) else {
                throw MachineError(.network, "\(queues) pairs of queues are not 1 to 16")
            }
        case .socket(let path) where !(1...107).contains(path.utf8.count):
            throw MachineError(.network, "a Unix socket's path has 1 to 107 bytes, this one \(path.utf8.count)")
        case .socket, .connection:
            guard queues == 1 else { throw MachineError(.network, "a card on a socket has one pair of queues") }
        }
        guard (mtu ?? 68) >= 68 else { throw MachineError(.network, "an MTU of \(mtu ?? 0) bytes is below 68") }
        if let address, address.count != 6 { throw MachineError(.network, "a card's address is six bytes") }
    }
}

extension MachineConfiguration.MemoryFile {
    func validate() throws(MachineError) {
        if path.isEmpty { throw MachineError(.persistentMemory, "the path of persistent memory is empty") }
    }
}

extension MachineConfiguration.SharedDirectory {
    func validate() throws(MachineError) {
        if path.isEmpty { throw MachineError(.sharedDirectory, "a shared directory's path is empty") }
        guard FileSystem.isTag(tag) else {
            throw MachineError(
                .sharedDirectory, "a tag has 1 to \(FileSystem.longestTag) bytes, this one \(tag.utf8.count)")
        }
    }
}

extension MachineConfiguration.VsockPort {
    /// Checks all that can be checked without the host.
    public func validate() throws(MachineError) {
        guard cid > 2, cid < UInt64(UInt32.max) else {
            throw MachineError(.vsock, "the CID \(cid) is not 3 to \(UInt32.max - 1)")
        }
        guard (1...107).contains(path.utf8.count) else {
            throw MachineError(.vsock, "a Unix socket's path has 1 to 107 bytes, this one \(path.utf8.count)")
        }
    }
}
