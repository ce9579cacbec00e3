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
        var text: [UInt8] = []
        encode(into: &text, closes: closes)
        return text
    }

    /// Adds the bytes of ``encoded(closes:)`` to others.
    func encode(into text: inout [UInt8], closes: Bool) {
        let body = status == .noContent ? [] : body ?? []
        // Behind others it grows as it must: room that is asked for each time would be found anew each time.
        if text.isEmpty { text.reserveCapacity(256 + body.count) }
        text.append("HTTP/1.1 ")
        text.append(decimal: status.rawValue)
        text.append(UInt8(ascii: " "))
        text.append(text: status.reason)
        text.append("\r\nServer: Firecracker API\r\nConnection: ")
        text.append(closes ? "close\r\n" : "keep-alive\r\n")
        if isDeprecated { text.append("Deprecation: true\r\n") }
        for field in fields { text.append(text: "\(field.name): \(field.value)\r\n") }
        if status != .noContent {
            text.append("Content-Type: ")
            text.append(text: contentType)
            text.append("\r\nContent-Length: ")
            text.append(decimal: body.count)
            text.append("\r\n")
        }
        text.append("\r\n")
        text += body
    }

    /// The leave to send a body.
    static let goOn = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
}
