import OCI

/// `/serial`: where the serial port's output goes; this program's standard output without it.
struct SerialDevice: Hashable {
    var path: String?
    private var isLimited: Bool

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "SerialConfig", ["serial_out_path", "rate_limiter"])
        path = try members.optional("serial_out_path", Value.path)
        let limit = try members.optional("rate_limiter") { (json) throws(BodyError) in try TokenBucketBody(json) }
        isLimited = limit?.bucket != nil
    }

    func check() throws(Fault) {
        if isLimited { throw .notSupported("rate_limiter of the serial port") }
    }
}
