import Linux

/// Why guest memory could not be made or reached.
public enum GuestMemoryError: Error, Hashable, Sendable {
    /// No region, or no single region, holds these bytes.
    case outsideMemory(GuestAddress, count: UInt64)
    /// An access past the end of a view.
    case outOfBounds(offset: Int, count: Int, size: Int)
    /// An acquire, a release or an offset that has to be a multiple of its width, and is not.
    case misaligned(offset: Int, width: Int)
    /// A region of no size, or whose start or size is no multiple of the page's size, or that passes the end of the
    /// address space.
    case badRegion(GuestAddress, size: UInt64)
    /// Two regions share an address.
    case overlap(GuestAddress)
    /// The kernel refused the mapping.
    case refused(SystemError)
}

extension GuestMemoryError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .outsideMemory(let address, let count): "\(count) bytes at guest address \(address): not guest memory"
        case .outOfBounds(let offset, let count, let size): "\(count) bytes at offset \(offset) of \(size) bytes"
        case .misaligned(let offset, let width): "offset \(offset) is no multiple of \(width)"
        case .badRegion(let start, let size): "a guest region of \(size) bytes at \(start): not whole pages"
        case .overlap(let start): "the guest region at \(start) overlaps another"
        case .refused(let error): error.description
        }
    }
}
