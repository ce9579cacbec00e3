/// What a source of random bytes did since it was made.
public struct EntropyCounts: Hashable, Sendable {
    /// Requests that were answered, and the bytes that they got.
    public var requests: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Requests for which the host had too few bytes.
    public var failures: UInt64 = 0
    /// How often a limit made a request wait, and how often its timer ended that.
    public var throttles: UInt64 = 0
    public var throttleEvents: UInt64 = 0

    public init() {}
}

extension Entropy {
    public var counts: EntropyCounts { lock.locked { counted } }
}
