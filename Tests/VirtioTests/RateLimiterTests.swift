import Testing

@testable import Virtio

@Suite struct RateLimiterTests {
    private let second: UInt64 = 1_000_000_000

    @Test("a bucket gives its size, then its rate")
    func rate() {
        var bucket = TokenBucket(size: 1000, refillTime: second)
        #expect(bucket.take(1000, now: 0) == 0)
        let wait = bucket.take(100, now: 0)
        #expect(wait >= second / 10 && wait <= second / 10 + 2)
        #expect(bucket.take(100, now: wait - 10) > 0)
        #expect(bucket.take(100, now: wait) == 0)
        #expect(bucket.take(1001, now: 100 * second) == 0, "it is never fuller than full")
        #expect(bucket.take(1, now: 100 * second) > 0)
    }

    @Test("a million small steps lose nothing to rounding")
    func rounding() {
        var bucket = TokenBucket(size: 1000, refillTime: second)
        _ = bucket.take(1000, now: 0)
        var passed = 0
        for step in 1...100_000 where bucket.take(1, now: UInt64(step) * 33_333) == 0 { passed += 1 }
        #expect((3331...3333).contains(passed))
    }

    @Test("the burst is there once")
    func burst() {
        var bucket = TokenBucket(size: 10, refillTime: second, oneTimeBurst: 90)
        #expect(bucket.take(100, now: 0) == 0)
        #expect(bucket.take(1, now: 0) > 0)
        #expect(bucket.take(11, now: 10 * second) == 0)
        #expect(bucket.take(1, now: 10 * second) > 0)
    }

    @Test("a request larger than the bucket passes and is paid for afterwards")
    func large() {
        var bucket = TokenBucket(size: 10, refillTime: second)
        #expect(bucket.take(35, now: 0) == 0)
        #expect(bucket.take(1, now: second * 5 / 2) > 0)
        #expect(bucket.take(1, now: second * 26 / 10 + 2) == 0)
    }

    @Test("without a size or a time there is no limit, and extremes do not trap")
    func extremes() {
        var none = TokenBucket(size: 0, refillTime: second)
        var never = TokenBucket(size: 5, refillTime: 0)
        #expect(none.take(.max, now: 0) == 0 && never.take(.max, now: 0) == 0)
        for size in [1, .max] as [UInt64] {
            for time in [1, .max] as [UInt64] {
                var bucket = TokenBucket(size: size, refillTime: time, oneTimeBurst: .max)
                for now in [0, 1, .max, 5] as [UInt64] {
                    _ = bucket.take(.max, now: now)
                    bucket.charge(.max)
                    _ = bucket.take(1, now: now)
                    bucket.giveBack(.max)
                }
            }
        }
    }

    @Test("an operation that waits for bytes costs no operation")
    func both() {
        var limiter = RateLimiter(
            bandwidth: TokenBucket(size: 100, refillTime: second), operations: TokenBucket(size: 2, refillTime: second))
        #expect(limiter.take(bytes: 100, now: 0) == 0)
        for _ in 0..<10 { #expect(limiter.take(bytes: 50, now: 0) > 0) }
        #expect(limiter.take(bytes: 0, now: 0) == 0)
        #expect(limiter.take(bytes: 0, now: 0) > 0)
    }

    @Test func whoDoesNotWaitGetsWhatThereIs() {
        var bucket = TokenBucket(size: 10, refillTime: 1000, oneTimeBurst: 5)
        #expect(bucket.takeSome(3, now: 0) == 3)
        // The rest of the burst, and all of the bucket.
        #expect(bucket.takeSome(20, now: 0) == 12)
        #expect(bucket.takeSome(1, now: 99) == 0)
        #expect(bucket.takeSome(20, now: 350) == 3)
        #expect(bucket.takeSome(20, now: 1_000_000) == 10)
        // A debt is paid first.
        bucket.charge(5)
        #expect(bucket.takeSome(20, now: 1_000_400) == 0)
        #expect(bucket.takeSome(20, now: 1_000_700) == 2)
        var unlimited = TokenBucket(size: 10, refillTime: 0)
        #expect(unlimited.takeSome(.max, now: 0) == .max)
    }
}
