import GuestMemory
import Linux
import Synchronization

/// A device behind memory-mapped registers; virtio 1.2, section 4.2, version 2 of the interface.
///
/// The bus hands the guest's accesses to ``read(_:width:)`` and ``write(_:_:width:)``, from any vCPU's thread. The device's work
/// is done on its ``DeviceLoop``: the driver's notification is a write to a queue's ``Virtqueue/kick``, which a
/// hypervisor can make by itself (`KVM_IOEVENTFD` at ``MMIORegister/queueNotify``, data match on the queue's number).
public final class MMIOTransport: @unchecked Sendable, DeviceLoop.Handler {
    /// How many bytes of the guest's address space the registers take.
    public static let size: UInt64 = 0x1000
    /// "virt".
    static let magic: UInt32 = 0x7472_6976
    /// "BULK": the vendor's id, which says who wrote the device and means nothing to a driver.
    static let vendor: UInt32 = 0x4b4c_5542

    public let device: any Device
    /// The device's queues, running or not.
    public let queues: [Virtqueue]
    /// What the device offers: its own features and those of the queues.
    public let offered: Features
    let memory: GuestMemory
    private let line: any InterruptLine
    private let loop: DeviceLoop
    // Outside the lock: the guest reads and acknowledges it at each interrupt, while the device may be at work.
    private let cause = Atomic<UInt32>(0)

    // All below is guarded by the device's lock.
    var status: DeviceStatus = []
    var negotiated: Features = []
    var setups: [QueueSlot]
    var deviceFeaturesSelect: UInt32 = 0
    var driverFeaturesSelect: UInt32 = 0
    var queueSelect: UInt32 = 0
    var generation: UInt32 = 0
    var host: DeviceHost?
    var registrar: DeviceLoop.Registrar?
    var isPaused = false
    /// Something that changed while the device was paused has to be said when it goes on.
    var owesInterrupt = false
    var lastFault: DeviceFault?

    struct QueueSlot {
        var setup = Virtqueue.Setup()
        var isReady = false
    }

    /// - Parameters:
    ///   - device: what the registers are of.
    ///   - memory: the guest's.
    ///   - line: the wire by which the device interrupts.
    ///   - loop: where the device does its work.
    ///   - queueFeatures: which layouts and shortcuts the queues offer.
    public init(
        _ device: any Device, memory: GuestMemory, interrupt line: any InterruptLine, loop: DeviceLoop,
        queueFeatures: Features = .queue
    ) throws(SystemError) {
        self.device = device
        self.memory = memory
        self.line = line
        self.loop = loop
        offered = device.offered.union(queueFeatures.intersection(.queue)).union(.version1)
        var queues: [Virtqueue] = []
        for (index, size) in device.queueSizes.enumerated() {
            queues.append(try Virtqueue(index: UInt16(index), maximumSize: size))
        }
        self.queues = queues
        setups = Array(repeating: QueueSlot(), count: queues.count)
    }

    deinit {
        if let registrar { loop.detach(registrar) }
    }

    /// Ends the device's work and lets the loop forget it, as when its machine ends.
    public func shutDown() {
        device.lock.locked { reset() }
    }

    /// How far the driver is.
    public var currentStatus: DeviceStatus { device.lock.locked { status } }

    /// The features both sides agreed on; empty before that.
    public var negotiatedFeatures: Features { device.lock.locked { negotiated } }

    /// Why the device last asked for a reset; for a log.
    public var fault: DeviceFault? { device.lock.locked { lastFault } }

    // MARK: - Accesses

    /// A guest's read.
    ///
    /// - Parameters:
    ///   - offset: from the first register.
    ///   - width: 1, 2, 4 or 8 bytes.
    /// - Returns: the value, in its lowest `width` bytes; zero where there is nothing to read.
    public func read(_ offset: UInt64, width: Int) -> UInt64 {
        if offset == MMIORegister.interruptStatus.rawValue && width == 4 {
            return UInt64(cause.load(ordering: .acquiring))
        }
        return device.lock.locked {
            if offset >= MMIORegister.configuration.rawValue {
                return readConfiguration(offset - MMIORegister.configuration.rawValue, width)
            }
            // Registers are 32 bits wide, and are accessed whole.
            guard width == 4, offset % 4 == 0 else { return 0 }
            return UInt64(readRegister(MMIORegister(rawValue: offset)))
        }
    }

    /// A guest's write; what is no write of a register does nothing.
    public func write(_ offset: UInt64, _ value: UInt64, width: Int) {
        if offset >= MMIORegister.configuration.rawValue {
            let place = offset - MMIORegister.configuration.rawValue
            guard place < 4096, width >= 1, width <= 8 else { return }
            let bytes = (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
            device.lock.locked {
                if status.isDisjoint(with: [.needsReset, .failed]) {
                    device.writeConfiguration(at: Int(place), bytes)
                }
            }
            return
        }
        guard width == 4, offset % 4 == 0 else { return }
        let value = UInt32(truncatingIfNeeded: value)
        switch MMIORegister(rawValue: offset) {
        case .interruptAcknowledge: cause.bitwiseAnd(~value, ordering: .acquiringAndReleasing)
        case .queueNotify:
            // The loop does the work; a queue that is not there, or not running, has none.
            if Int(value) < queues.count { try? queues[Int(value)].kick.add() }
        case let register: device.lock.locked { writeRegister(register, value) }
        }
    }

    private func readConfiguration(_ offset: UInt64, _ width: Int) -> UInt64 {
        guard width >= 1, width <= 8 else { return 0 }
        let bytes = device.configuration()
        var value: UInt64 = 0
        for index in 0..<width {
            let (place, overflow) = offset.addingReportingOverflow(UInt64(index))
            if !overflow, place < UInt64(bytes.count) { value |= UInt64(bytes[Int(place)]) << UInt64(8 * index) }
        }
        return value
    }

    private func readRegister(_ register: MMIORegister) -> UInt32 {
        switch register {
        case .magicValue: MMIOTransport.magic
        case .version: 2
        case .deviceID: device.type.rawValue
        case .vendorID: MMIOTransport.vendor
        case .deviceFeatures:
            deviceFeaturesSelect < 2
                ? UInt32(truncatingIfNeeded: offered.rawValue >> UInt64(32 * deviceFeaturesSelect)) : 0
        case .queueSizeMax: queueSelect < queues.count ? UInt32(queues[Int(queueSelect)].maximumSize) : 0
        case .queueReady: queueSelect < queues.count && setups[Int(queueSelect)].isReady ? 1 : 0
        case .interruptStatus: cause.load(ordering: .acquiring)
        case .status: UInt32(status.rawValue)
        // A region of shared memory that is not there has a length of all ones.
        case .sharedMemoryLengthLow, .sharedMemoryLengthHigh, .sharedMemoryBaseLow, .sharedMemoryBaseHigh: .max
        case .configurationGeneration: generation
        default: 0
        }
    }

    private func writeRegister(_ register: MMIORegister, _ value: UInt32) {
        switch register {
        case .deviceFeaturesSelect: deviceFeaturesSelect = value
        case .driverFeaturesSelect: driverFeaturesSelect = value
        case .driverFeatures: writeFeatures(value)
        case .queueSelect: queueSelect = value
        case .status: writeStatus(value)
        case .queueReady: writeQueueReady(value)
        case .queueSize: setUp { $0.size = UInt16(clamping: value) }
        case .queueDescriptorLow: setUp { $0.descriptorArea.low = value }
        case .queueDescriptorHigh: setUp { $0.descriptorArea.high = value }
        case .queueDriverLow: setUp { $0.driverArea.low = value }
        case .queueDriverHigh: setUp { $0.driverArea.high = value }
        case .queueDeviceLow: setUp { $0.deviceArea.low = value }
        case .queueDeviceHigh: setUp { $0.deviceArea.high = value }
        default: break
        }
    }

    private func writeFeatures(_ value: UInt32) {
        // The choice is made between DRIVER and FEATURES_OK.
        guard status.contains(.driver), !status.contains(.featuresOK), driverFeaturesSelect < 2 else { return }
        let shift = UInt64(32 * driverFeaturesSelect)
        let other = negotiated.rawValue & ~(UInt64(UInt32.max) << shift)
        negotiated = Features(rawValue: other | UInt64(value) << shift)
    }

    private func setUp(_ change: (inout Virtqueue.Setup) -> Void) {
        guard queueSelect < queues.count, !setups[Int(queueSelect)].isReady, status.contains(.featuresOK),
            status.isDisjoint(with: [.needsReset, .failed])
        else { return }
        change(&setups[Int(queueSelect)].setup)
    }

    // MARK: - Events

    func handle(_ token: UInt32, _ readiness: Readiness) {
        device.lock.locked {
            // An event may wait behind a reset, a pause or a fault.
            guard host != nil, !isPaused, !status.contains(.needsReset) else { return }
            attempt { () throws(DeviceFault) in
                if token < DeviceHost.deviceTokens {
                    if queues[Int(token)].isRunning { try device.queueReady(Int(token)) }
                } else {
                    try device.eventReady(token - DeviceHost.deviceTokens, readiness)
                }
            }
        }
    }

    /// Interrupts the driver. A driver that is not ready is never interrupted.
    func interrupt(_ reason: InterruptCause) {
        guard status.contains(.driverOK) else { return }
        cause.bitwiseOr(reason.rawValue, ordering: .acquiringAndReleasing)
        if isPaused && !status.contains(.needsReset) {
            owesInterrupt = true
        } else {
            line.raise()
        }
    }

    func configurationChanged() {
        generation &+= 1
        interrupt(.configuration)
    }

    var pendingCause: UInt32 {
        get { cause.load(ordering: .acquiring) }
        set { cause.store(newValue, ordering: .releasing) }
    }

    func raiseAgain() { line.raise() }

    func attach() {
        if registrar == nil { registrar = loop.attach(self) }
    }

    func detach() {
        if let registrar { loop.detach(registrar) }
        registrar = nil
    }
}

extension GuestAddress {
    fileprivate var low: UInt32 {
        get { UInt32(truncatingIfNeeded: rawValue) }
        set { self = GuestAddress(rawValue & ~0xffff_ffff | UInt64(newValue)) }
    }

    fileprivate var high: UInt32 {
        get { UInt32(truncatingIfNeeded: rawValue >> 32) }
        set { self = GuestAddress(rawValue & 0xffff_ffff | UInt64(newValue) << 32) }
    }
}
