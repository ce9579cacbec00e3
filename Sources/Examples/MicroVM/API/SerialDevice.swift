import OCI

/// `/serial`: where the serial port's output goes, this program's standard output without it, and how much of it.
struct SerialDevice: Hashable {
    var path: String?
    /// Bytes.
    var limit: TokenBucketBody?

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "SerialConfig", ["serial_out_path", "rate_limiter"])
        path = try members.optional("serial_out_path", Value.path)
        limit = try members.optional("rate_limiter") { (json) throws(BodyError) in try TokenBucketBody(json) }
    }
}
