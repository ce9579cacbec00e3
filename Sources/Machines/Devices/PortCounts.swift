/// What a guest did with the registers of a device of ports.
public struct PortCounts: Hashable, Sendable {
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    /// Of a width or of a register that the device has not.
    public var missedReads: UInt64 = 0
    public var missedWrites: UInt64 = 0
    /// How often the machine was reset by it.
    public var resets: UInt64 = 0

    public init() {}
}
