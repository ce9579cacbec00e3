import OCI

/// `/entropy`: random bytes.
struct EntropyDevice: Hashable {
    var limit: RateLimiterBody?

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "EntropyDeviceConfig", ["rate_limiter"])
        limit = try members.optional("rate_limiter") { (json) throws(BodyError) in try RateLimiterBody(json) }
    }

    var json: JSON { ["rate_limiter": limit.json] }
}
