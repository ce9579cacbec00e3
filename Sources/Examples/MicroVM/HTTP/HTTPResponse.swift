import OCI

/// What the server answers.
struct HTTPResponse: Hashable {
    enum Status: Int {
        case ok = 200
        case noContent = 204
        case badRequest = 400
        case unauthorized = 401
        case notFound = 404
        case methodNotAllowed = 405
        case payloadTooLarge = 413
        case notImplemented = 501
        case unavailable = 503

        var reason: String {
            switch self {
            case .ok: "OK"
            case .noContent: "No Content"
            case .badRequest: "Bad Request"
            case .unauthorized: "Unauthorized"
            case .notFound: "Not Found"
            case .methodNotAllowed: "Method Not Allowed"
            case .payloadTooLarge: "Payload Too Large"
            case .notImplemented: "Not Implemented"
            case .unavailable: "Service Unavailable"
            }
        }
    }

    /// A header field.
    struct Field: Hashable {
        var name: String
        var value: String

        init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
    }

    var status: Status
    /// JSON, if nothing else is said.
    var body: [UInt8]?
    var contentType = "application/json"
    /// Fields beside those that every answer has.
    var fields: [Field] = []
    /// What was asked for will not be there for ever; RFC 9745.
    var isDeprecated = false

    init(_ status: Status, _ body: [UInt8]? = nil) {
        self.status = status
        self.body = body
    }

    init(_ status: Status, _ body: JSON) { self.init(status, body.encodedBytes()) }

    static func text(_ status: Status, _ text: String) -> HTTPResponse {
        var response = HTTPResponse(status, Array(text.utf8))
        response.contentType = "text/plain"
        return response
    }

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
        for field in fields { head += "\(field.name): \(field.value)\r\n" }
        if status != .noContent {
            head += "Content-Type: \(contentType)\r\nContent-Length: \(body?.count ?? 0)\r\n"
        }
        return Array("\(head)\r\n".utf8) + (status == .noContent ? [] : body ?? [])
    }

    /// The leave to send a body.
    static let goOn = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
}
