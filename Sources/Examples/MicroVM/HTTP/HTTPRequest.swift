/// What a client asks for by HTTP; RFC 9112.
struct HTTPRequest: Hashable {
    enum Method: String, CaseIterable {
        case get = "GET"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"

        /// - Parameter bytes: as a client sends it.
        init?(_ bytes: ArraySlice<UInt8>) {
            guard let method = Self.allCases.first(where: { bytes.elementsEqual($0.rawValue.utf8) }) else { return nil }
            self = method
        }
    }

    var method: Method
    /// What the client wrote between the method and the version.
    var target: String
    /// nil where the client announced none, or one of no bytes.
    var body: [UInt8]?
    /// Whether the client may send another request over the same connection.
    var keepsAlive = true
    /// Those of ``keptFields`` that the client sent, by their names in small letters; the first of a name.
    var fields: [String: String] = [:]

    /// The header fields that somebody here asks for. Others are checked and forgotten: a client can make nobody keep them.
    static let keptFields: Set<String> = [
        "accept", "x-metadata-token", "x-aws-ec2-metadata-token", "x-metadata-token-ttl-seconds",
        "x-aws-ec2-metadata-token-ttl-seconds", "x-forwarded-for",
    ]

    init(_ method: Method, _ target: String, body: [UInt8]? = nil) {
        self.method = method
        self.target = target
        self.body = body
    }

    /// The path alone; empty where the target is none.
    var path: String {
        if target.utf8.first == UInt8(ascii: "/") { return target }
        let scheme = "http://"
        guard target.hasPrefix(scheme) else { return "" }
        let authority = target.dropFirst(scheme.count)
        return authority.firstIndex(of: "/").map { String(authority[$0...]) } ?? ""
    }

    /// The parts of the path between its slashes: none for `/`, and none for a slash at its end.
    var pathParts: [String] {
        // By bytes: what a character is does not matter to a slash, and takes long to find out.
        let slash = UInt8(ascii: "/")
        var (path, parts) = (path, [String]())
        path.withUTF8 { bytes in
            var start = bytes.firstIndex { $0 != slash } ?? bytes.count
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: slash) ?? bytes.count
                parts.append(String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self))
                start = end + 1
            }
        }
        return parts
    }
}

/// Why the bytes of a client are no request. Nothing behind them can be understood.
enum HTTPFault: Error, Hashable {
    case request
    case method
    case version
    case target(String)
    case header(name: String)
    case headerTooLong
    case tooManyHeaders
    case value(name: String, String)
    case unsupported(name: String, String)
    /// The body is larger than this server takes.
    case tooLarge(size: UInt64, limit: Int)
}

extension HTTPFault: CustomStringConvertible {
    /// In Firecracker's words where it has some: clients search them.
    var description: String {
        switch self {
        case .request: "Invalid request."
        case .method: "Invalid HTTP Method: Unsupported HTTP method."
        case .version: "Invalid HTTP Version: Unsupported HTTP version."
        case .target(let why): "Invalid URI: \(why)"
        case .header(let name): "Invalid header. Reason: Header is incorrectly formatted. Key: \(name)"
        case .headerTooLong: "Invalid header. Reason: A header is longer than \(RequestParser.mostInLine) bytes."
        case .tooManyHeaders: "Invalid header. Reason: More than \(RequestParser.mostHeaders) headers."
        case .value(let name, let value): "Invalid header. Reason: Invalid value. Key:\(name); Value:\(value)"
        case .unsupported(let name, let value):
            "Invalid header. Reason: Unsupported feature. Key: \(name); Value: \(value)"
        case .tooLarge(let size, let limit):
            "Request payload with size \(size) is larger than the limit of \(limit) allowed by server."
        }
    }
}
