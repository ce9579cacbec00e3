import OCI
import Virtio

/// A bucket of tokens, as a client says it.
struct TokenBucketBody: Hashable {
    /// Bytes, or operations.
    var size: UInt64
    /// Milliseconds.
    var refillTime: UInt64
    var oneTimeBurst: UInt64?

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "TokenBucketConfig", ["size", "one_time_burst", "refill_time"])
        size = try members.required("size", Value.u64)
        refillTime = try members.required("refill_time", Value.u64)
        oneTimeBurst = try members.optional("one_time_burst", Value.u64)
        guard !refillTime.multipliedReportingOverflow(by: 1_000_000).overflow else {
            throw BodyError("invalid value: integer `\(refillTime)`, expected a refill_time below 2^64 nanoseconds")
        }
    }

    /// nil where it limits nothing: a size or a time of 0 switches it off.
    var bucket: TokenBucket? {
        guard size > 0, refillTime > 0 else { return nil }
        return TokenBucket(size: size, refillTime: refillTime * 1_000_000, oneTimeBurst: oneTimeBurst ?? 0)
    }

    var json: JSON {
        ["size": JSON(size), "one_time_burst": JSON(oneTimeBurst), "refill_time": JSON(refillTime)]
    }
}

/// A rate limiter, as a client says it: `bandwidth` in bytes, `ops` in operations.
struct RateLimiterBody: Hashable {
    var bandwidth: TokenBucketBody?
    var operations: TokenBucketBody?

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "RateLimiterConfig", ["bandwidth", "ops"])
        bandwidth = try members.optional("bandwidth") { (json) throws(BodyError) in try TokenBucketBody(json) }
        operations = try members.optional("ops") { (json) throws(BodyError) in try TokenBucketBody(json) }
    }

    var limiter: RateLimiter { RateLimiter(bandwidth: bandwidth?.bucket, operations: operations?.bucket) }

    var json: JSON { ["bandwidth": bandwidth?.json ?? .null, "ops": operations?.json ?? .null] }

    /// What holds when this was asked for while `old` held: a bucket that is not named stays as it is.
    func over(_ old: RateLimiterBody?) -> RateLimiterBody {
        var new = self
        new.bandwidth = bandwidth ?? old?.bandwidth
        new.operations = operations ?? old?.operations
        return new
    }
}

extension Optional where Wrapped == RateLimiterBody {
    var limiter: RateLimiter { self?.limiter ?? RateLimiter() }
    var json: JSON { self?.json ?? .null }
}
