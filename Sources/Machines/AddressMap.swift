import GuestMemory

extension GuestRegion.Plan {
    /// A machine's memory. Huge pages are reserved, as one that is missing when the guest touches it ends the monitor.
    init(
        _ start: UInt64, _ size: UInt64, _ backing: GuestRegion.Backing, _ pageSize: GuestRegion.PageSize,
        blockSize: UInt64? = nil
    ) {
        self.init(
            start: GuestAddress(start), size: size, backing: backing, pageSize: pageSize,
            isReserved: pageSize == .huge2M, blockSize: blockSize)
    }
}

/// Where everything is in the guest's physical address space.
///
/// ```
/// 0              page tables, boot parameters, command line
/// 0x9fc00        reserved for firmware; the generation id at 0xdf000, the ACPI tables from 0xe0000 on
/// 0x100000       the kernel, and at the top of what lies below the hole, the initial RAM disk
/// 0xc0000000     the hole: boot timer, virtio devices, IOAPIC, local APICs
/// 0x100000000    the rest of memory; behind it, each from a whole GiB on, hot-plug memory and what is added
/// ```
public struct AddressMap: Hashable, Sendable {
    /// Bytes of the guest's memory.
    public let memory: UInt64
    private let hotplug: MachineConfiguration.HotplugMemory?
    private let pageSize: GuestRegion.PageSize

    /// - Parameters:
    ///   - memory: bytes that it has at first.
    ///   - hotplug: memory that it has not.
    ///   - pageSize: what it is made of on the host.
    public init(
        memory: UInt64, hotplug: MachineConfiguration.HotplugMemory? = nil, pageSize: GuestRegion.PageSize = .normal
    ) {
        self.memory = memory
        self.hotplug = hotplug
        self.pageSize = pageSize
    }

    init(_ configuration: MachineConfiguration) {
        self.init(
            memory: configuration.memory, hotplug: configuration.hotplugMemory, pageSize: configuration.pageSize)
    }

    // Below 1 MiB, none of which a kernel that is loaded touches before it has read it.
    static let descriptorTable: UInt64 = 0x500
    static let startInfo: UInt64 = 0x6000
    static let moduleList: UInt64 = 0x6040
    static let zeroPage: UInt64 = 0x7000
    static let startMemoryMap: UInt64 = 0x7000
    static let bootStack: UInt64 = 0x8ff0
    static let pageTables: UInt64 = 0x9000
    static let commandLine: UInt64 = 0x20000
    static let firmwareStart: UInt64 = 0x9fc00
    /// A page for the machine's generation id.
    static let generation: UInt64 = 0xdf000
    static let acpi: UInt64 = 0xe0000
    /// Where memory for kernels begins.
    public static let highMemory: UInt64 = 0x100000

    /// The hole for devices.
    public static let hole: Range<UInt64> = 0xc000_0000..<0x1_0000_0000
    static let bootTimer: UInt64 = 0xc000_0000
    static let firstDevice: UInt64 = 0xc000_1000
    /// Behind the last device.
    static let hotplug: UInt64 = 0xc001_4000
    static let ioapic: UInt64 = 0xfec0_0000
    static let localAPIC: UInt64 = 0xfee0_0000
    /// Three pages that KVM needs on Intel's processors.
    static let taskState: UInt32 = 0xfffb_d000

    /// The lines of interrupts that virtio devices have: below are those of a PC's own devices.
    static let deviceInterrupts: ClosedRange<UInt32> = 5...23
    /// Virtio devices that a machine can have: one for each line of the IOAPIC that is free.
    public static let mostDevices = deviceInterrupts.count

    // Ports.
    static let serialPort: UInt64 = 0x3f8
    static let serialInterrupt: UInt32 = 4
    /// That of a second serial port, which is not there.
    static let hotplugInterrupt: UInt32 = 3
    static let keyboardData: UInt64 = 0x60
    static let keyboardCommand: UInt64 = 0x64
    static let keyboardInterrupt: UInt32 = 1
    static let panicPort: UInt64 = 0x505
    static let powerPorts: UInt64 = 0x600

    /// One past the memory below the hole.
    public var lowEnd: UInt64 { min(memory, Self.hole.lowerBound) }

    /// The regions of memory, which is this process's alone.
    public var regions: [GuestRegion.Plan] { regions(backing: .anonymous) }

    func regions(backing: GuestRegion.Backing) -> [GuestRegion.Plan] {
        var all = [GuestRegion.Plan(0, lowEnd, backing, pageSize)]
        if memory > lowEnd { all.append(GuestRegion.Plan(Self.hole.upperBound, memory - lowEnd, backing, pageSize)) }
        if let hotplug {
            all.append(GuestRegion.Plan(hotplugStart, hotplug.size, backing, pageSize, blockSize: hotplug.block))
        }
        return all
    }

    /// Where hot-plug memory begins: at a whole GiB and a whole block.
    var hotplugStart: UInt64 { Self.up(behindMemory, to: max(Self.gibibyte, hotplug?.block ?? 0)) }

    /// Where memory that is added begins.
    var addedMemory: UInt64 { hotplug.map { Self.up(hotplugStart + $0.size, to: Self.gibibyte) } ?? behindMemory }

    /// Above the hole, at a whole GiB, which Linux's blocks of memory begin at, too.
    private var behindMemory: UInt64 { Self.up(Self.hole.upperBound + (memory - lowEnd), to: Self.gibibyte) }

    private static let gibibyte: UInt64 = 1 << 30

    private static func up(_ address: UInt64, to unit: UInt64) -> UInt64 { (address + unit - 1) / unit * unit }

    /// A range of addresses as kernels are told of it, like the BIOS's function 0xe820.
    struct Range820: Hashable {
        var start: UInt64
        var size: UInt64
        var type: UInt32

        static let usable: UInt32 = 1
        static let reserved: UInt32 = 2
    }

    /// What a kernel is told of memory.
    var ranges: [Range820] {
        var all = [
            Range820(start: 0, size: Self.firmwareStart, type: Range820.usable),
            Range820(
                start: Self.firmwareStart, size: Self.highMemory - Self.firmwareStart, type: Range820.reserved),
            Range820(start: Self.highMemory, size: lowEnd - Self.highMemory, type: Range820.usable),
        ]
        if memory > lowEnd {
            all.append(
                Range820(start: Self.hole.upperBound, size: memory - lowEnd, type: Range820.usable))
        }
        return all
    }
}
