import GuestMemory
import Linux

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
    let line: any InterruptLine
    private let loop: DeviceLoop
    /// All that is read, at any moment and without the lock. The cause of an interrupt is nowhere else: the guest
    /// acknowledges it while the device may be at work.
    private let registers: RegisterPage

    // All below is guarded by the device's lock, and shown in the registers.
    var status: DeviceStatus = [] {
        didSet { registers[.status] = UInt32(status.rawValue) }
    }
    var negotiated: Features = []
    var setups: [QueueSlot] {
        didSet { showQueue() }
    }
    var deviceFeaturesSelect: UInt32 = 0 {
        didSet { showFeatures() }
    }
    var driverFeaturesSelect: UInt32 = 0
    var queueSelect: UInt32 = 0 {
        didSet { showQueue() }
    }
    var generation: UInt32 = 0 {
        didSet { registers[.configurationGeneration] = generation }
    }
    var host: DeviceHost?
    var registrar: DeviceLoop.Registrar?
    var isPaused = false
    /// Something that changed while the device was paused has to be said when it goes on.
    var owesInterrupt = false
    var lastFault: DeviceFault?
    var counted = TransportCounts()
    /// Whether the registers may be another's by now.
    private var isOver = false

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
    ///   - page: where the registers are; in a page of their own where none is given.
    public init(
        _ device: any Device, memory: GuestMemory, interrupt line: any InterruptLine, loop: DeviceLoop,
        queueFeatures: Features = .queue, registers page: RegisterPage? = nil
    ) throws(SystemError) {
        self.device = device
        self.memory = memory
        self.line = line
        self.loop = loop
        offered = device.offered.union(queueFeatures.intersection(device.queueFeatures)).union(.version1)
        var queues: [Virtqueue] = []
        for (index, size) in device.queueSizes.enumerated() {
            queues.append(try Virtqueue(index: UInt16(index), maximumSize: size))
        }
        self.queues = queues
        setups = Array(repeating: QueueSlot(), count: queues.count)
        registers = if let page { page } else { try RegisterPages(count: 1).page(0) }
        // Nobody here hears of a buffer that another process used: so one may always have been.
        if device.isServedElsewhere { registers.lastingCauses = .usedBuffer }
        showAll()
    }

    private func showAll() {
        registers[.version] = 2
        registers[.deviceID] = device.type.rawValue
        registers[.vendorID] = MMIOTransport.vendor
        // A region of shared memory that is not there has a length of all ones.
        for register: MMIORegister in [
            .sharedMemoryLengthLow, .sharedMemoryLengthHigh, .sharedMemoryBaseLow, .sharedMemoryBaseHigh,
        ] { registers[register] = .max }
        showFeatures()
        showQueue()
        device.lock.locked { showConfiguration() }
        // Last: who looks for a device and finds one finds all of it.
        registers[.magicValue] = MMIOTransport.magic
    }

    private func showFeatures() {
        registers[.deviceFeatures] =
            deviceFeaturesSelect < 2
            ? UInt32(truncatingIfNeeded: offered.rawValue >> UInt64(32 * deviceFeaturesSelect)) : 0
    }

    private func showQueue() {
        let isThere = queueSelect < queues.count
        registers[.queueSizeMax] = isThere ? UInt32(queues[Int(queueSelect)].maximumSize) : 0
        registers[.queueReady] = isThere && setups[Int(queueSelect)].isReady ? 1 : 0
    }

    /// Shows the device's configuration space as it is now; with the lock held.
    func showConfiguration() { registers.setConfiguration(device.configuration()) }

    deinit {
        if let registrar { loop.detach(registrar) }
        // The device may be somebody else's, too, and knows this transport by the host alone.
        if host != nil { device.lock.locked { device.stop() } }
    }

    /// Ends the device's work and lets the loop forget it, as when its machine ends.
    public func shutDown() {
        device.lock.locked {
            reset()
            isOver = true
        }
    }

    /// How far the driver is.
    public var currentStatus: DeviceStatus { device.lock.locked { status } }

    /// The features both sides agreed on; empty before that.
    public var negotiatedFeatures: Features { device.lock.locked { negotiated } }

    /// Why the device last asked for a reset; for a log.
    public var fault: DeviceFault? { device.lock.locked { lastFault } }

    /// How often it has asked for one so far.
    public var counts: TransportCounts { device.lock.locked { counted } }

    // MARK: - Accesses

    /// A guest's read.
    ///
    /// - Parameters:
    ///   - offset: from the first register.
    ///   - width: 1, 2, 4 or 8 bytes.
    /// - Returns: the value, in its lowest `width` bytes; zero where there is nothing to read.
    public func read(_ offset: UInt64, width: Int) -> UInt64 {
        line.handOnAcknowledgements()
        return registers.read(offset, width: width)
    }

    /// A guest's write; what is no write of a register does nothing.
    public func write(_ offset: UInt64, _ value: UInt64, width: Int) {
        if offset >= MMIORegister.configuration.rawValue {
            let place = offset - MMIORegister.configuration.rawValue
            guard place < 4096, width >= 1, width <= 8 else { return }
            let bytes = (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
            device.lock.locked {
                if !isOver, status.isDisjoint(with: [.needsReset, .failed]) {
                    device.writeConfiguration(at: Int(place), bytes)
                    showConfiguration()
                }
            }
            return
        }
        guard width == 4, offset % 4 == 0 else { return }
        let value = UInt32(truncatingIfNeeded: value)
        switch MMIORegister(rawValue: offset) {
        case .interruptAcknowledge:
            // It comes here where the hypervisor can keep no more of them.
            line.handOnAcknowledgements()
            registers.acknowledge(value)
        case .queueNotify:
            // The loop does the work; a queue that is not there, or not running, has none.
            if Int(value) < queues.count { try? queues[Int(value)].kick.add() }
        case let register: device.lock.locked { if !isOver { writeRegister(register, value) } }
        }
    }

    private func writeRegister(_ register: MMIORegister, _ value: UInt32) {
        switch register {
        case .deviceFeaturesSelect: deviceFeaturesSelect = value
        case .driverFeaturesSelect: driverFeaturesSelect = value
        case .driverFeatures: writeFeatures(value)
        case .queueSelect: queueSelect = value
        case .status:
            writeStatus(value)
            // What it shows may hang on what was agreed.
            showConfiguration()
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

    /// Tells the device that the guest's memory has one region more.
    public func memoryGrew() {
        device.lock.locked {
            // One that is paused sees it when it goes on.
            guard host != nil, !isPaused, !status.contains(.needsReset) else { return }
            attempt { () throws(DeviceFault) in try device.memoryGrew() }
        }
    }

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
        // An acknowledgement of what came before must not take this away.
        line.handOnAcknowledgements()
        registers.set(reason.rawValue, in: .interruptStatus)
        if isPaused && !status.contains(.needsReset) {
            owesInterrupt = true
        } else {
            line.raise()
        }
    }

    func configurationChanged() {
        showConfiguration()
        generation &+= 1
        interrupt(.configuration)
    }

    var pendingCause: UInt32 {
        get {
            line.handOnAcknowledgements()
            return registers[.interruptStatus]
        }
        set {
            line.handOnAcknowledgements()
            registers[.interruptStatus] = newValue | registers.lastingCauses.rawValue
        }
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
