import OCI

/// What the server answers.
struct HTTPResponse: Hashable {
    enum Status: Int {
        case ok = 200
        case noContent = 204
        case badRequest = 400
        case payloadTooLarge = 413
        case unavailable = 503

        var reason: String {
            switch self {
            case .ok: "OK"
            case .noContent: "No Content"
            case .badRequest: "Bad Request"
            case .payloadTooLarge: "Payload Too Large"
            case .unavailable: "Service Unavailable"
            }
        }
    }

    var status: Status
    /// JSON.
    var body: [UInt8]?
    /// What was asked for will not be there for ever; RFC 9745.
    var isDeprecated = false

    init(_ status: Status, _ body: [UInt8]? = nil) {
        self.status = status
        self.body = body
    }

    init(_ status: Status, _ body: JSON) { self.init(status, body.encodedBytes()) }

    /// What is answered to bytes that are no request, and to too many connections.
    static func error(_ status: Status, _ message: String) -> HTTPResponse {
        HTTPResponse(status, ["error": JSON(message)])
    }

    /// The answer as it is sent.
    ///
    /// - Parameter closes: the connection ends with it.
    func encoded(closes: Bool = false) -> [UInt8] {
        var head = "HTTP/1.1 \(status.rawValue) \(status.reason)\r\n"
        head += "Server: Firecracker API\r\n"
        head += "Connection: \(closes ? "close" : "keep-alive")\r\n"
        if isDeprecated { head += "Deprecation: true\r\n" }
        if status != .noContent {
            head += "Content-Type: application/json\r\nContent-Length: \(body?.count ?? 0)\r\n"
        }
        return Array("\(head)\r\n".utf8) + (status == .noContent ? [] : body ?? [])
    }

    /// The leave to send a body.
    static let goOn = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
}
