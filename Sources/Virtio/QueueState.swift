import GuestMemory

/// A queue at rest, to be saved with its machine: what the driver set up and how far both sides are.
public struct QueueState: Hashable, Sendable {
    public var setup = Virtqueue.Setup()
    /// Whether the driver enabled the queue.
    public var isReady = false
    /// The next entry to take; in a packed ring the highest bit is the wrap counter.
    public var available: UInt16 = 0
    /// The next entry to give back; in a packed ring the highest bit is the wrap counter.
    public var used: UInt16 = 0
    /// Whether the driver broke the ring's rules.
    public var isBroken = false

    public init() {}

    func encode(_ encoder: inout StateEncoder) {
        encoder.write(setup.size)
        encoder.write(setup.descriptorArea.rawValue)
        encoder.write(setup.driverArea.rawValue)
        encoder.write(setup.deviceArea.rawValue)
        encoder.write(isReady)
        encoder.write(available)
        encoder.write(used)
        encoder.write(isBroken)
    }

    init(_ decoder: inout StateDecoder) throws(StateError) {
        setup.size = try decoder.read()
        setup.descriptorArea = GuestAddress(try decoder.read())
        setup.driverArea = GuestAddress(try decoder.read())
        setup.deviceArea = GuestAddress(try decoder.read())
        isReady = try decoder.readFlag()
        available = try decoder.read()
        used = try decoder.read()
        isBroken = try decoder.readFlag()
    }
}

extension Virtqueue {
    /// The positions to save.
    ///
    /// - Precondition: nothing is in flight; the device is paused.
    func save(into state: inout QueueState) {
        precondition(inFlight == 0, "a queue is saved while its device is paused")
        state.available = isPacked ? available.packed : available.index
        state.used = isPacked ? used.packed : used.index
        state.isBroken = isBroken
    }

    /// Takes up saved positions, after ``start(_:features:memory:)``. The next buffers given back interrupt the driver
    /// whatever it asked for then, and its next notification is not suppressed.
    func restore(_ state: QueueState) throws(QueueError) {
        if isPacked {
            available.packed = state.available
            used.packed = state.used
            guard available.index < size else { throw .descriptorIndex(available.index) }
            guard used.index < size else { throw .descriptorIndex(used.index) }
        } else {
            available.index = state.available
            used.index = state.used
            seenAvailable = state.available
        }
        usedSinceSignal = 1 << 16
    }
}
