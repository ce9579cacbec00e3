/// What a balloon did since it was made.
public struct BalloonCounts: Hashable, Sendable {
    /// Buffers with pages that the guest gave up, or took back.
    public var inflations: UInt64 = 0
    public var deflations: UInt64 = 0
    /// Statistics that came.
    public var statistics: UInt64 = 0
    /// Buffers of free pages that the guest reported by itself, and the bytes that went back to the host for them.
    public var reports: UInt64 = 0
    public var reportedBytes: UInt64 = 0
    /// Pieces of them that the host did not take back.
    public var failedReports: UInt64 = 0
    /// The same for searches that it was asked for.
    public var hints: UInt64 = 0
    public var hintedBytes: UInt64 = 0
    public var failedHints: UInt64 = 0

    public init() {}
}

extension Balloon {
    public var counts: BalloonCounts { lock.locked { counted } }
}
