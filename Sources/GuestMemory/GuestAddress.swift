/// A place in the guest's physical address space, in bytes.
public struct GuestAddress: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// The address so many bytes on; nil past the end of the address space.
    @inlinable
    public func advanced(by count: UInt64) -> GuestAddress? {
        let (sum, overflow) = rawValue.addingReportingOverflow(count)
        return overflow ? nil : GuestAddress(sum)
    }

    /// Whether the address is a multiple of `alignment`, a power of two.
    @inlinable
    public func isAligned(to alignment: UInt64) -> Bool { rawValue & (alignment &- 1) == 0 }

    @inlinable
    public static func < (left: GuestAddress, right: GuestAddress) -> Bool { left.rawValue < right.rawValue }
}

extension GuestAddress: CustomStringConvertible {
    public var description: String { "0x" + String(rawValue, radix: 16) }
}
