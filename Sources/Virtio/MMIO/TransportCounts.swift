/// How often a device asked its driver for a reset.
public struct TransportCounts: Hashable, Sendable {
    /// As it could not begin with what the driver had set up.
    public var failedStarts: UInt64 = 0
    /// As it found something in a queue, or on the host, with which it could not go on.
    public var faults: UInt64 = 0

    public init() {}
}
