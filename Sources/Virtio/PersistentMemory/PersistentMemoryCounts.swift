/// What persistent memory did since it was made.
public struct PersistentMemoryCounts: Hashable, Sendable {
    /// Flushes that were done, and those that the host refused.
    public var flushes: UInt64 = 0
    public var failures: UInt64 = 0
    /// How often the driver notified.
    public var notifications: UInt64 = 0
    /// How often a limit made a request wait, and how often its timer ended that.
    public var throttles: UInt64 = 0
    public var throttleEvents: UInt64 = 0

    public init() {}
}

extension PersistentMemory {
    public var counts: PersistentMemoryCounts { lock.locked { counted } }
}
