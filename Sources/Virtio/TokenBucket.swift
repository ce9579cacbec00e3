/// How much of something may pass in how much time: a bucket that fills steadily and is drunk from.
///
/// With a size of 0 or a refill time of 0 there is no limit.
public struct TokenBucket: Hashable, Sendable {
    /// Tokens when full: bytes, or operations.
    public let size: UInt64
    /// Nanoseconds in which an empty bucket fills.
    public let refillTime: UInt64
    /// Tokens on top of a full bucket, once.
    public let oneTimeBurst: UInt64

    /// Tokens left; negative after one request that was larger than the whole bucket.
    private(set) var level: Int64
    private(set) var burst: UInt64
    private var updated: UInt64?
    /// What was refilled but is less than a token yet, in tokens times refill time.
    private var remainder: UInt64 = 0

    public init(size: UInt64, refillTime: UInt64, oneTimeBurst: UInt64 = 0) {
        self.size = min(size, UInt64(Int64.max) / 2)
        self.refillTime = refillTime
        self.oneTimeBurst = oneTimeBurst
        level = Int64(self.size)
        burst = oneTimeBurst
    }

    private var isUnlimited: Bool { size == 0 || refillTime == 0 }

    /// Takes tokens.
    ///
    /// A request larger than a full bucket passes when the bucket is full, and the next ones wait until its debt is
    /// paid: it would never pass otherwise, and the rate holds all the same.
    ///
    /// - Parameter now: nanoseconds, never less than at an earlier call.
    /// - Returns: 0 where the tokens were there, otherwise the nanoseconds after which to ask again.
    mutating func take(_ count: UInt64, now: UInt64) -> UInt64 {
        if isUnlimited { return 0 }
        refill(now)
        var wanted = count
        if burst > 0 {
            let free = min(burst, wanted)
            if free == wanted {
                burst -= free
                return 0
            }
            wanted -= free
        }
        let needed = Int64(min(wanted, size))
        if level >= needed {
            burst = 0
            level -= Int64(min(wanted, UInt64(Int64.max) / 2))
            return 0
        }
        let missing = UInt64(needed - level)
        let (high, low) = missing.multipliedFullWidth(by: refillTime)
        guard high < size else { return .max / 2 }
        return max(1, min(size.dividingFullWidth((high, low)).quotient, .max / 2 - 1) + 1)
    }

    /// Takes as many tokens as there are: for who drops what may not pass, and does not wait.
    ///
    /// - Parameters:
    ///   - count: the most that are taken.
    ///   - now: nanoseconds, never less than at an earlier call.
    /// - Returns: how many it took.
    public mutating func takeSome(_ count: UInt64, now: UInt64) -> UInt64 {
        if isUnlimited { return count }
        refill(now)
        let free = min(burst, count)
        burst -= free
        let paid = min(count - free, UInt64(max(level, 0)))
        level -= Int64(paid)
        return free + paid
    }

    /// Takes tokens that were used already: what is missing is a debt, and the next ``take(_:now:)`` waits for it.
    mutating func charge(_ count: UInt64) {
        if isUnlimited { return }
        let free = min(burst, count)
        burst -= free
        level = max(level - Int64(min(count - free, UInt64(Int64.max) / 4)), Int64.min / 2)
    }

    /// Gives tokens back that were taken for something that did not happen.
    mutating func giveBack(_ count: UInt64) {
        if !isUnlimited { level = min(Int64(size), level + Int64(min(count, UInt64(Int64.max) / 4))) }
    }

    private mutating func refill(_ now: UInt64) {
        guard let last = updated, now > last else {
            updated = updated ?? now
            return
        }
        updated = now
        let (high, low) = (now - last).multipliedFullWidth(by: size)
        let (sum, carry) = low.addingReportingOverflow(remainder)
        let top = high + (carry ? 1 : 0)
        guard top < refillTime else {
            level = Int64(size)
            remainder = 0
            return
        }
        let (tokens, rest) = refillTime.dividingFullWidth((top, sum))
        let room = UInt64(Int64(size) - level)
        if tokens >= room {
            level = Int64(size)
            remainder = 0
        } else {
            level += Int64(tokens)
            remainder = rest
        }
    }
}
