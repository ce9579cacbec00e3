import Linux

/// A network card; virtio 1.2, section 5.1.
public final class Network: Device, @unchecked Sendable {
    /// What can be chosen of a card.
    public struct Options: Hashable, Sendable {
        /// The card's address: six bytes. nil lets the guest choose.
        public var address: [UInt8]?
        /// The largest packet the guest should send, in bytes without the Ethernet header: 68 to 65535. nil says
        /// nothing.
        public var mtu: UInt16?
        /// Entries of each queue: a power of two.
        public var queueSize: UInt16 = 256
        /// Frames to the guest.
        public var receiveLimit = RateLimiter()
        /// Frames from the guest.
        public var transmitLimit = RateLimiter()
        /// Whether checksums and segmentation are left to the other side.
        public var offloads = true

        public init() {}
    }

    /// Bytes before each frame: `struct virtio_net_hdr`; section 5.1.6.
    static let headerSize = 12

    public let type = DeviceType.network
    public let offered: Features
    public let queueSizes: [UInt16]
    public let lock = DeviceLock()
    let options: Options

    // Guarded by the lock.
    let pairs: [NetworkPair]
    var host: DeviceHost?
    let receiveThrottle: Throttle
    let transmitThrottle: Throttle
    let controlChain = DescriptorChain()
    /// How many pairs of queues the driver uses.
    var activePairs = 1
    /// What the driver lets the host leave undone; nil for all that was agreed on.
    var chosenOffloads: Features?
    var isLinkUp = true
    /// What the driver was last told of the far end.
    var wasConnected = true
    @safe @exclusivity(unchecked) var counted = NetworkCounts()
    /// Who sees the guest's frames first.
    var filter: FilterSeat?

    /// - Parameters:
    ///   - taps: one for each pair of queues: 1 to 256.
    ///   - options: what can be chosen.
    public convenience init(_ taps: [Tap], _ options: Options = Options()) throws(SystemError) {
        // One by one: Embedded Swift casts no arrays.
        try self.init(cables: taps.map { $0 }, options)
    }

    /// A card on a stream socket, with one pair of queues. Whatever the options say, nothing is left to the other side.
    public convenience init(_ stream: FrameStream, _ options: Options = Options()) throws(SystemError) {
        var options = options
        options.offloads = false
        try self.init(cables: [stream], options)
    }

    private init(cables: [any Cable], _ options: Options) throws(SystemError) {
        precondition((1...256).contains(cables.count), "a card has 1 to 256 pairs of queues")
        precondition(options.address.map { $0.count == 6 } ?? true, "an Ethernet address has six bytes")
        precondition((options.mtu ?? 68) >= 68, "a card's MTU is 68 bytes at the least")
        typealias Bits = Features.Network
        var features: Features = [Bits.mergeableBuffers, Bits.status, Bits.control]
        if options.offloads { features.formUnion(Bits.guestOffloads.union(Bits.hostOffloads)) }
        if options.offloads { features.insert(Bits.controlOffloads) }
        if options.address != nil { features.insert(Bits.address) }
        if options.mtu != nil { features.insert(Bits.mtu) }
        if cables.count > 1 { features.insert(Bits.multiQueue) }
        offered = features
        queueSizes = Array(repeating: options.queueSize, count: 2 * cables.count) + [64]
        pairs = cables.enumerated().map { NetworkPair($0.offset, $0.element) }
        receiveThrottle = try Throttle(options.receiveLimit)
        transmitThrottle = try Throttle(options.transmitLimit)
        self.options = options
    }

    /// Plugs the cable in or out, as the guest sees it.
    public func setLink(up isUp: Bool) {
        lock.locked {
            guard isUp != isLinkUp else { return }
            isLinkUp = isUp
            host?.configurationChanged()
        }
    }

    /// Puts somebody between the guest and the cable. It costs the frames that pass a copy of their first bytes.
    ///
    /// - Throws: where the host has no timer left; nothing has changed then.
    public func setFilter(_ filter: any FrameFilter) throws(SystemError) {
        let seat = FilterSeat(filter, try Timer())
        lock.locked {
            if let old = self.filter { host?.unwatch(old.timer.descriptor) }
            self.filter = seat
            host?.attempt { () throws(DeviceFault) in
                if let host { try watchFilter(host) }
            }
        }
    }

    /// Other limits from now on; nil leaves one as it is.
    public func setLimits(receive: RateLimiter?, transmit: RateLimiter?) {
        lock.locked {
            if let receive { receiveThrottle.replace(receive) }
            if let transmit { transmitThrottle.replace(transmit) }
        }
    }
}

/// One pair of queues and what they are plugged into.
final class NetworkPair {
    let index: Int
    let cable: any Cable
    let transmitVectors = VectorList()
    let transmitChain = DescriptorChain()
    /// The beginning of a frame that a filter looked at.
    let head = FrameHead()

    /// Buffers of the guest's that wait for a frame, in the order in which they were taken.
    @safe @exclusivity(unchecked) var held: [DescriptorChain] = []
    /// All their pieces, in the same order: kept, as many buffers wait for many frames.
    let heldVectors = VectorList()
    /// The bytes they hold together.
    @safe @exclusivity(unchecked) var heldBytes = 0
    /// Chains to take buffers into.
    @safe @exclusivity(unchecked) var spare: [DescriptorChain] = []
    /// A frame larger than the buffers that were there, until there are more.
    var waiting: [UInt8] = []
    /// Where the rest of a frame goes that is larger than the buffers.
    var spill: [UInt8] = []
    /// The cable is watched by its edges: whether one may have been seen and not followed to its end.
    @safe @exclusivity(unchecked) var mayRead = true
    /// The cable takes no more frames for now.
    @safe @exclusivity(unchecked) var isBlocked = false
    /// Whether the cable takes part in its device's traffic; a tap's queue is born so.
    private var isAttached = true

    init(_ index: Int, _ cable: any Cable) {
        self.index = index
        self.cable = cable
    }

    func setAttached(_ wanted: Bool) throws(SystemError) {
        guard wanted != isAttached else { return }
        try cable.setAttached(wanted)
        isAttached = wanted
    }
}

/// A filter, with the timer for what it sends by itself.
final class FilterSeat {
    let filter: any FrameFilter
    let timer: Timer
    /// What the timer is set to.
    private var time: UInt64?

    init(_ filter: any FrameFilter, _ timer: consuming Timer) {
        self.filter = filter
        self.timer = timer
    }

    /// Asks for a turn when the filter's time has come.
    func setTimer() {
        let deadline = filter.deadline
        guard deadline != time else { return }
        time = deadline
        let now = Timer.now
        timer.set(after: deadline.map { max($0, now + 1) - now } ?? 0)
    }

    /// The timer fired.
    func wake() {
        timer.acknowledge()
        time = nil
    }
}
