import CKVM
import Linux

/// A message-signalled interrupt: a write of data to an address that the interrupt controller watches.
public struct MSIMessage: Hashable, Sendable {
    public var address: UInt64
    public var data: UInt32
    /// The device it comes from, where controllers ask (GICv3's ITS).
    public var device: UInt32?

    public init(address: UInt64, data: UInt32, device: UInt32? = nil) {
        self.address = address
        self.data = data
        self.device = device
    }

    var low: UInt32 { UInt32(truncatingIfNeeded: address) }
    var high: UInt32 { UInt32(truncatingIfNeeded: address >> 32) }
}

/// `struct kvm_irq_level`.
struct LineLevel: BitwiseCopyable {
    var line: UInt32
    var level: UInt32
}

/// What an interrupt line leads to; `struct kvm_irq_routing_entry`.
public struct InterruptRoute: Hashable, Sendable {
    /// The line's number, the global system interrupt.
    public var line: UInt32
    public var target: Target

    public enum Target: Hashable, Sendable {
        /// A pin of a chip that the kernel emulates.
        case pin(InterruptChip, UInt32)
        /// A message.
        case message(MSIMessage)
    }

    public init(line: UInt32, to target: Target) {
        self.line = line
        self.target = target
    }

    /// `KVM_MSI_VALID_DEVID`.
    static let hasDevice: UInt32 = 1

    var entry: Entry {
        switch target {
        case .pin(let chip, let pin): Entry(gsi: line, type: 1, flags: 0, words: (chip.rawValue, pin, 0, 0))
        case .message(let message):
            Entry(
                gsi: line, type: 2, flags: message.device == nil ? 0 : Self.hasDevice,
                words: (message.low, message.high, message.data, message.device ?? 0))
        }
    }

    /// `struct kvm_irq_routing_entry`, whose union Swift could only use as unsafe.
    struct Entry: BitwiseCopyable {
        var gsi: UInt32
        /// `KVM_IRQ_ROUTING_IRQCHIP` or `KVM_IRQ_ROUTING_MSI`.
        var type: UInt32
        var flags: UInt32
        private var padding: UInt32 = 0
        /// Chip and pin, or address, data and device.
        var words: (UInt32, UInt32, UInt32, UInt32)
        private var rest: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)

        init(gsi: UInt32, type: UInt32, flags: UInt32, words: (UInt32, UInt32, UInt32, UInt32)) {
            self.gsi = gsi
            self.type = type
            self.flags = flags
            self.words = words
        }
    }
}

/// A chip that the kernel emulates; `KVM_IRQCHIP_*`. On arm64 there is one, 0, whose pins are the shared interrupts.
public struct InterruptChip: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    #if arch(x86_64)
        /// The first 8259.
        public static let firstPIC = InterruptChip(rawValue: 0)
        /// The second, behind the first.
        public static let secondPIC = InterruptChip(rawValue: 1)
        public static let ioapic = InterruptChip(rawValue: 2)
    #elseif arch(arm64)
        public static let gic = InterruptChip(rawValue: 0)
    #endif
}

extension VirtualMachine {
    /// The kernel's own interrupt controllers: on x86 the two 8259, the IOAPIC and a local APIC for each vCPU that is
    /// made from now on; on arm64 a GICv2. `KVM_CREATE_IRQCHIP`.
    ///
    /// - Throws: `EEXIST` when there are some already, `EINVAL` when a vCPU was made before.
    public func makeInterruptControllers() throws(SystemError) {
        try descriptor.control(.createIRQChip, "KVM_CREATE_IRQCHIP")
    }

    #if arch(x86_64)
        /// Only local APICs in the kernel; the caller emulates the IOAPIC, routes its pins as messages and hears of the
        /// end of level-triggered interrupts as ``Exit/ioapicEOI(vector:)``. `KVM_CAP_SPLIT_IRQCHIP`.
        ///
        /// - Parameter pins: of the IOAPIC to come.
        /// - Throws: as ``makeInterruptControllers()``.
        public func makeLocalAPICsOnly(pins: UInt32 = 24) throws(SystemError) {
            try enable(.splitIRQChip, UInt64(pins))
        }
    #endif

    /// Says what each line leads to, replacing what was said before; `KVM_SET_GSI_ROUTING`. A line may be there more
    /// than once, for several pins.
    ///
    /// - Throws: `EINVAL` for a pin or line that isn't there, or a machine without controllers.
    public func setRoutes(_ routes: [InterruptRoute]) throws(SystemError) {
        var list = ListBuffer(head: 8, routes.map { $0.entry })
        list.length = UInt32(routes.count)
        if case .failure(let error) = list.control(descriptor, .setRouting) {
            throw SystemError("set \(routes.count) interrupt routes", error)
        }
    }

    /// Raises or lowers a line; `KVM_IRQ_LINE`. On arm64 the number holds the kind and the vCPU, too.
    ///
    /// - Throws: `ENXIO` for a machine without controllers.
    public func setLine(_ line: UInt32, high: Bool) throws(SystemError) {
        let level = LineLevel(line: line, level: high ? 1 : 0)
        try descriptor.control(.setInterruptLine, from: level, "set interrupt line \(line)")
    }

    /// Delivers a message now, without a route; `KVM_SIGNAL_MSI`.
    ///
    /// - Returns: whether it was delivered: false where the guest has it masked.
    @discardableResult
    public func deliver(_ message: MSIMessage) throws(SystemError) -> Bool {
        var request = kvm_msi()
        request.address_lo = message.low
        request.address_hi = message.high
        request.data = message.data
        if let device = message.device {
            request.flags = InterruptRoute.hasDevice
            request.devid = device
        }
        return try descriptor.control(.signalMSI, from: request, "KVM_SIGNAL_MSI") > 0
    }

    /// Makes an eventfd an interrupt line's source: each write to it interrupts, edge-triggered; `KVM_IRQFD`. The kernel
    /// keeps the eventfd until ``disconnect(_:fromLine:)`` or the machine's end.
    ///
    /// - Throws: `EBUSY` for an eventfd that is connected already, `EINVAL` for what is none or a machine without
    ///   controllers.
    public func connect(_ event: borrowing Descriptor, toLine line: UInt32) throws(SystemError) {
        try connect(event.rawValue, line, 0, -1)
    }

    /// Makes an eventfd the source of a level-triggered line: a write to it raises the line, the guest's end of interrupt
    /// lowers it and adds to `resample`, upon which the device writes again if it still wants something.
    /// `KVM_IRQFD_FLAG_RESAMPLE`, `KVM_CAP_IRQFD_RESAMPLE`.
    public func connect(
        _ event: borrowing Descriptor, toLine line: UInt32, resample: borrowing Descriptor
    ) throws(SystemError) {
        try connect(event.rawValue, line, UInt32(KVM_IRQFD_FLAG_RESAMPLE), resample.rawValue)
    }

    /// Ends what ``connect(_:toLine:)`` began.
    public func disconnect(_ event: borrowing Descriptor, fromLine line: UInt32) throws(SystemError) {
        try connect(event.rawValue, line, UInt32(KVM_IRQFD_FLAG_DEASSIGN), -1)
    }

    private func connect(
        _ event: CInt, _ line: UInt32, _ flags: UInt32, _ resample: CInt
    ) throws(SystemError) {
        var request = kvm_irqfd()
        request.fd = UInt32(event)
        request.gsi = line
        request.flags = flags
        if resample >= 0 { request.resamplefd = UInt32(resample) }
        try descriptor.control(
            .irqfd, from: request,
            "\(flags & 1 == 1 ? "disconnect" : "connect") eventfd \(event), interrupt line \(line)")
    }
}
