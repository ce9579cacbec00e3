import GuestMemory

/// How a driver broke the rules of its ring. The queue stays broken until the device is reset.
public enum QueueError: Error, Hashable, Sendable {
    /// A queue size that is zero, too large, or for a split ring no power of two.
    case badSize(UInt16)
    /// A part of the ring that is not aligned as its layout demands.
    case misalignedRing(GuestAddress)
    /// A part of the ring that does not lie in one region of guest memory.
    case ringOutsideMemory(GuestAddress)
    /// More entries available than the ring has.
    case availableIndexJump(from: UInt16, to: UInt16)
    /// More buffers in the device's hands than the ring has entries: one was made available twice.
    case tooManyInFlight
    /// A descriptor number past the end of its table.
    case descriptorIndex(UInt16)
    /// More descriptors in a chain than the queue has: a loop, or a driver that ignores the queue's size.
    case chainTooLong
    /// More than 2³² bytes in a chain.
    case tooManyBytes
    /// A buffer, or a part of one, that is not guest memory.
    case bufferOutsideMemory(GuestAddress, UInt32)
    /// A readable buffer after a writable one.
    case readableAfterWritable
    /// An indirect descriptor although the feature was not negotiated.
    case indirectNotNegotiated
    /// An indirect descriptor inside an indirect table.
    case nestedIndirect
    /// A descriptor that is indirect and goes on.
    case indirectWithNext
    /// An indirect table whose length is zero or no multiple of 16.
    case indirectTableSize(UInt32)
    /// Guest memory refused an access that the ring's own rules allow.
    case memory(GuestMemoryError)
    /// The queue broke earlier.
    case broken
}

extension QueueError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .badSize(let size): "the queue's size is \(size)"
        case .misalignedRing(let address): "the ring at \(address) is misaligned"
        case .ringOutsideMemory(let address): "the ring at \(address) is not guest memory"
        case .availableIndexJump(let from, let to): "the available index jumped from \(from) to \(to)"
        case .tooManyInFlight: "more buffers are available than the ring has entries"
        case .descriptorIndex(let index): "descriptor \(index) is past the end of its table"
        case .chainTooLong: "a chain of more descriptors than the queue has"
        case .tooManyBytes: "a chain of more than 2^32 bytes"
        case .bufferOutsideMemory(let address, let count): "\(count) bytes at \(address) are not guest memory"
        case .readableAfterWritable: "a readable buffer after a writable one"
        case .indirectNotNegotiated: "an indirect descriptor without the feature"
        case .nestedIndirect: "an indirect descriptor in an indirect table"
        case .indirectWithNext: "an indirect descriptor that goes on"
        case .indirectTableSize(let size): "an indirect table of \(size) bytes"
        case .memory(let error): error.description
        case .broken: "the queue broke earlier"
        }
    }
}
