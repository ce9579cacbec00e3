import CGuestMemory
import GuestMemory
import Linux

/// A queue between a driver and its device, split or packed; virtio 1.2, sections 2.6 to 2.8.
///
/// The transport sets it up and starts it; the device takes buffers with ``next(into:)`` and gives them back with
/// ``complete(_:written:)``. Nothing is allocated on the way. A driver that breaks the ring's rules gets a
/// ``QueueError`` thrown to its device, and the queue answers nothing more until it is started again.
///
/// The object belongs to its device's lock, and no function of it calls back: so overlapping accesses can't happen, and
/// looking for them at run time, which costs more than all else a buffer costs, is switched off for its properties.
public final class Virtqueue {
    /// What the driver told the transport about a queue.
    public struct Setup: Hashable, Sendable {
        /// Entries.
        public var size: UInt16 = 0
        /// The descriptors: the table of a split ring, the whole of a packed one.
        public var descriptorArea = GuestAddress(0)
        /// What the driver writes: the available ring, or the driver's event suppression.
        public var driverArea = GuestAddress(0)
        /// What the device writes: the used ring, or the device's event suppression.
        public var deviceArea = GuestAddress(0)

        public init() {}
    }

    /// The queue's number in its device.
    public let index: UInt16
    /// The most entries that the driver may choose.
    public let maximumSize: UInt16
    /// Written by the driver's notification: by the transport, or by the hypervisor in its place.
    public let kick: EventCounter

    /// Whether the queue is started and not broken.
    @safe @exclusivity(unchecked) public private(set) var isRunning = false
    /// Whether the driver broke the ring's rules.
    @safe @exclusivity(unchecked) public private(set) var isBroken = false
    /// Buffers that are the device's at the moment, in ring entries.
    @safe @exclusivity(unchecked) public internal(set) var inFlight: UInt16 = 0

    /// What it was started with.
    @safe @exclusivity(unchecked) private(set) var setup = Setup()
    @safe @exclusivity(unchecked) var size: UInt16 = 0
    @safe @exclusivity(unchecked) var isPacked = false
    @safe @exclusivity(unchecked) var hasEventIndex = false
    @safe @exclusivity(unchecked) var allowsIndirect = false
    @safe @exclusivity(unchecked) var isInOrder = false
    @safe @exclusivity(unchecked) var memory: GuestMemory?
    @safe @exclusivity(unchecked) var rings: Rings?
    @safe @exclusivity(unchecked) var epoch: UInt64 = 0

    /// The three parts of the ring, checked when the queue started.
    struct Rings {
        let descriptors: GuestSlice
        let driver: GuestSlice
        let device: GuestSlice
    }

    /// The next entry to take.
    @safe @exclusivity(unchecked) var available = RingPosition()
    /// The next entry to give back.
    @safe @exclusivity(unchecked) var used = RingPosition()
    /// The driver's available index, as last seen: a split ring is asked again only when all of it is taken.
    @safe @exclusivity(unchecked) var seenAvailable: UInt16 = 0
    /// Entries given back since the driver was last asked whether it wants to hear of them.
    @safe @exclusivity(unchecked) var usedSinceSignal: UInt32 = 0
    /// Whether the driver's notifications are wanted.
    @safe @exclusivity(unchecked) var wantsNotifications = true

    /// How many chains were taken, and how many of them given back when order is kept.
    @safe @exclusivity(unchecked) var taken: UInt64 = 0
    @safe @exclusivity(unchecked) var returned: UInt64 = 0
    /// Chains that are done but wait for an earlier one; as many as the queue has entries, where order is kept.
    @safe @exclusivity(unchecked) var waiting: ContiguousArray<Waiting> = []

    /// Whether what is given back stays hidden until the batch ends, and in a packed ring the flags that hide it.
    @safe @exclusivity(unchecked) var isBatching = false
    @safe @exclusivity(unchecked) var heldFlags: (offset: Int, flags: UInt16)?

    struct Waiting {
        var isDone = false
        var identifier: UInt16 = 0
        var entries: UInt16 = 0
        var written: UInt32 = 0
    }

    public init(index: UInt16, maximumSize: UInt16) throws(SystemError) {
        precondition(maximumSize > 0 && maximumSize <= 32768, "a queue has 1 to 32768 entries")
        self.index = index
        self.maximumSize = maximumSize
        kick = try EventCounter()
    }

    /// Starts with what the driver set up.
    ///
    /// - Throws: a ``QueueError`` where the size, an alignment or a place is not as the standard demands.
    public func start(_ setup: Setup, features: Features, memory: GuestMemory) throws(QueueError) {
        stop()
        isBroken = true
        isPacked = features.contains(.packedRing)
        hasEventIndex = features.contains(.eventIndex)
        allowsIndirect = features.contains(.indirectDescriptors)
        isInOrder = features.contains(.inOrder)
        self.setup = setup
        size = setup.size
        guard size > 0, size <= maximumSize, isPacked || size & (size - 1) == 0 else { throw .badSize(size) }
        let count = Int(size)
        rings = Rings(
            descriptors: try ring(memory, setup.descriptorArea, 16 * count, alignment: 16),
            driver: try ring(memory, setup.driverArea, isPacked ? 4 : 6 + 2 * count, alignment: isPacked ? 4 : 2),
            device: try ring(memory, setup.deviceArea, isPacked ? 4 : 6 + 8 * count, alignment: 4))
        self.memory = memory
        waiting = isInOrder ? ContiguousArray(repeating: Waiting(), count: count) : []
        isBroken = false
        isRunning = true
    }

    private func ring(
        _ memory: GuestMemory, _ address: GuestAddress, _ count: Int, alignment: UInt64
    ) throws(QueueError) -> GuestSlice {
        guard address.isAligned(to: alignment) else { throw .misalignedRing(address) }
        do throws(GuestMemoryError) { return try memory.slice(address, count: count) } catch {
            throw .ringOutsideMemory(address)
        }
    }

    /// Forgets the driver. Chains still out belong to nobody: completing them does nothing.
    public func stop() {
        isRunning = false
        isBroken = false
        epoch &+= 1
        memory = nil
        rings = nil
        available = RingPosition()
        used = RingPosition()
        seenAvailable = 0
        usedSinceSignal = 0
        wantsNotifications = true
        inFlight = 0
        taken = 0
        returned = 0
        waiting = []
        isBatching = false
        heldFlags = nil
    }

    /// Takes the next buffer that the driver made available.
    ///
    /// - Returns: false when there is none, or the queue is not running.
    /// - Throws: the rule the driver broke; the queue is broken then.
    public func next(into chain: DescriptorChain) throws(QueueError) -> Bool {
        guard isRunning, let rings, let memory else { return false }
        do throws(QueueError) {
            chain.clear()
            let isThere = isPacked ? try nextPacked(chain, rings, memory) : try nextSplit(chain, rings, memory)
            guard isThere else { return false }
            guard UInt32(inFlight) + UInt32(chain.entries) <= UInt32(size) else { throw .tooManyInFlight }
            inFlight += chain.entries
            chain.order = taken
            chain.epoch = epoch
            taken += 1
            return true
        } catch {
            fail()
            throw error
        }
    }

    /// Gives a buffer back to the driver, with the number of bytes written into it.
    ///
    /// It does not interrupt: ``needsInterrupt()`` tells whether to, once for a batch. With
    /// ``Features/inOrder`` a buffer waits here for those taken before it.
    public func complete(_ chain: DescriptorChain, written: Int) throws(QueueError) {
        guard isRunning, chain.epoch == epoch, let rings else { return }
        chain.epoch = 0
        let length = UInt32(clamping: min(written, chain.writableCount))
        do throws(QueueError) {
            guard isInOrder else {
                inFlight -= chain.entries
                try publish(rings, chain.identifier, chain.entries, length)
                return
            }
            waiting[Int(chain.order % UInt64(size))] = Waiting(
                isDone: true, identifier: chain.identifier, entries: chain.entries, written: length)
            while returned != taken, waiting[Int(returned % UInt64(size))].isDone {
                let done = waiting[Int(returned % UInt64(size))]
                waiting[Int(returned % UInt64(size))].isDone = false
                // Until here its entries are the device's: a driver that uses them again does so too early.
                inFlight -= done.entries
                try publish(rings, done.identifier, done.entries, done.written)
                returned += 1
            }
        } catch {
            fail()
            throw error
        }
    }

    /// Hides from the driver what is given back until ``endBatch()``: it sees all of it or nothing.
    public func beginBatch() { isBatching = true }

    /// Shows the driver what was given back since ``beginBatch()``.
    public func endBatch() throws(QueueError) {
        guard isBatching else { return }
        isBatching = false
        guard isRunning, let rings else { return }
        do throws(QueueError) {
            if isPacked { try showPacked(rings) } else { try showSplit(rings) }
        } catch {
            fail()
            throw error
        }
    }

    private func publish(
        _ rings: Rings, _ identifier: UInt16, _ entries: UInt16, _ written: UInt32
    ) throws(QueueError) {
        if isPacked {
            try publishPacked(rings, identifier, entries, written)
        } else {
            try publishSplit(rings, identifier, written)
        }
    }

    /// Puts the chain that was taken last back, as if it had not been taken. Several go back last first.
    public func giveBack(_ chain: DescriptorChain) {
        guard isRunning, chain.epoch == epoch else { return }
        chain.epoch = 0
        inFlight -= chain.entries
        available = chain.position
        taken = chain.order
    }

    /// Whether the driver wants an interrupt for what was given back since the last call.
    public func needsInterrupt() throws(QueueError) -> Bool {
        guard isRunning, let rings, usedSinceSignal > 0 else { return false }
        // What was given back has to be seen before the driver's wish is read, or both sides may wait for the other.
        bh_full_fence()
        do throws(QueueError) {
            let wanted = isPacked ? try needsInterruptPacked(rings) : try needsInterruptSplit(rings)
            usedSinceSignal = 0
            return wanted
        } catch {
            fail()
            throw error
        }
    }

    /// Asks the driver not to notify for a while: the device looks by itself.
    public func disableNotifications() throws(QueueError) {
        guard isRunning, let rings, wantsNotifications else { return }
        wantsNotifications = false
        if isPacked { try setNotificationsPacked(rings) } else { try setNotificationsSplit(rings) }
    }

    /// Asks the driver to notify of the next buffer.
    ///
    /// - Returns: true where a buffer came in between, for which no notification may come.
    public func enableNotifications() throws(QueueError) -> Bool {
        guard isRunning, let rings else { return false }
        wantsNotifications = true
        if isPacked { try setNotificationsPacked(rings) } else { try setNotificationsSplit(rings) }
        bh_full_fence()
        return isPacked ? try hasNextPacked(rings) : try hasNextSplit(rings)
    }

    private func fail() {
        isBroken = true
        isRunning = false
    }
}
