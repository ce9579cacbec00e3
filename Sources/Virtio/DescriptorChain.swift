import GuestMemory

/// A buffer that the driver made available: first the bytes the device reads, then those it writes.
///
/// The object is made once and filled again and again by ``Virtqueue/next(into:)``, so nothing is allocated for a
/// request. Between that and ``Virtqueue/complete(_:written:)`` the buffer is the device's.
public final class DescriptorChain {
    /// The readable pieces, then the writable ones.
    @safe @exclusivity(unchecked) @usableFromInline var segments: ContiguousArray<GuestSlice> = []
    @safe @exclusivity(unchecked) @usableFromInline var readableSegments = 0
    /// Bytes for the device to read.
    @safe @exclusivity(unchecked) public internal(set) var readableCount = 0
    /// Bytes for the device to write.
    @safe @exclusivity(unchecked) public internal(set) var writableCount = 0

    /// What the used ring gives back: the head's number, or the packed ring's buffer id.
    @safe @exclusivity(unchecked) var identifier: UInt16 = 0
    /// The ring entries the chain takes: its descriptors in a packed ring, 1 in a split one.
    @safe @exclusivity(unchecked) var entries: UInt16 = 0
    /// Where in the ring it was taken, for giving it back unused.
    @safe @exclusivity(unchecked) var position = RingPosition()
    /// The how manieth chain of the queue it is.
    @safe @exclusivity(unchecked) var order: UInt64 = 0
    /// Which life of the queue it belongs to: a chain of an earlier one is nobody's.
    @safe @exclusivity(unchecked) var epoch: UInt64 = 0

    public init() { segments.reserveCapacity(16) }

    func clear() {
        segments.removeAll(keepingCapacity: true)
        readableSegments = 0
        readableCount = 0
        writableCount = 0
    }

    /// Appends one descriptor's bytes, in as many pieces as it touches regions.
    func append(_ descriptor: RingDescriptor, _ memory: GuestMemory) throws(QueueError) {
        let isWritable = descriptor.flags.contains(.write)
        if !isWritable && segments.count > readableSegments { throw .readableAfterWritable }
        guard readableCount + writableCount + Int(descriptor.count) <= 1 << 32 else { throw .tooManyBytes }
        var (address, left) = (descriptor.address, Int(descriptor.count))
        while left > 0 {
            let slice: GuestSlice
            do throws(GuestMemoryError) { slice = try memory.firstSlice(address, count: left) } catch {
                throw .bufferOutsideMemory(descriptor.address, descriptor.count)
            }
            segments.append(slice)
            if !isWritable { readableSegments += 1 }
            left -= slice.count
            guard left > 0 else { break }
            guard let next = address.advanced(by: UInt64(slice.count)) else {
                throw .bufferOutsideMemory(descriptor.address, descriptor.count)
            }
            address = next
        }
        if isWritable { writableCount += Int(descriptor.count) } else { readableCount += Int(descriptor.count) }
    }

    /// The bytes for the device to read, from the first.
    public var reader: ChainReader { ChainReader(self) }

    /// The bytes for the device to write, from the first.
    public var writer: ChainWriter { ChainWriter(self) }
}

/// Where a side of a ring stands: the next entry, and in a packed ring the wrap counter of that side.
struct RingPosition: Hashable, Sendable {
    /// Free-running in a split ring, below the queue's size in a packed one.
    var index: UInt16 = 0
    var wrap = true

    /// Moves on in a packed ring; no step is longer than the ring.
    mutating func advance(by count: UInt16, size: UInt16) {
        let sum = UInt32(index) + UInt32(count)
        if sum >= UInt32(size) {
            index = UInt16(sum - UInt32(size))
            wrap.toggle()
        } else {
            index = UInt16(sum)
        }
    }

    /// The 16 bits by which a packed ring names a position: the wrap counter is the highest.
    var packed: UInt16 {
        get { index | (wrap ? 1 << 15 : 0) }
        set {
            index = newValue & 0x7fff
            wrap = newValue & 1 << 15 != 0
        }
    }
}
