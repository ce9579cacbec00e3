/// A device's limits: bytes and operations, each a bucket of its own. Without a bucket there is no limit.
public struct RateLimiter: Hashable, Sendable {
    public var bandwidth: TokenBucket?
    public var operations: TokenBucket?

    public init(bandwidth: TokenBucket? = nil, operations: TokenBucket? = nil) {
        self.bandwidth = bandwidth
        self.operations = operations
    }

    /// Whether anything is limited.
    var isUnlimited: Bool { bandwidth == nil && operations == nil }

    /// Takes what one operation of so many bytes costs.
    ///
    /// - Returns: 0 where it may pass; otherwise nothing was taken, and the nanoseconds to wait.
    mutating func take(bytes: UInt64, now: UInt64) -> UInt64 {
        let wait = operations?.take(1, now: now) ?? 0
        if wait > 0 { return wait }
        let more = bandwidth?.take(bytes, now: now) ?? 0
        if more > 0 { operations?.giveBack(1) }
        return more
    }

    /// Takes bytes that passed already.
    mutating func charge(bytes: UInt64) { bandwidth?.charge(bytes) }

    /// Gives back what one operation of so many bytes cost that did not happen.
    mutating func giveBack(bytes: UInt64) {
        operations?.giveBack(1)
        bandwidth?.giveBack(bytes)
    }
}
