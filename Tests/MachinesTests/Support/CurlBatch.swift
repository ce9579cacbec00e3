import Glibc
import Linux
import OCI

/// Many requests over one connection, by one curl.
struct CurlBatch {
    struct Request {
        var method: String
        var path: String
        /// `@` and the path of a file is what is in that.
        var body: String?
    }

    struct Answer: Equatable {
        var body: String
        var status: Int
        var contentType: String
        var server: String
        /// The header `Connection`.
        var connection: String
        /// The header `Deprecation`.
        var deprecation: String
        /// Connections that were made for this one.
        var connects: Int

        var fault: String? { member("fault_message") }
        var error: String? { member("error") }

        private func member(_ name: String) -> String? { (try? JSON(parsing: body))?[name]?.stringValue }
    }

    let socket: String
    private let scratch = Scratch()

    init(to socket: String) { self.socket = socket }

    /// The answers, in the order of the requests.
    func send(_ requests: [Request]) throws -> [Answer] {
        let (out, err) = (try scratch.file("out", []), try scratch.file("err", []))
        let script = try scratch.file("script", Array(requests.map(section).joined(separator: "next\n").utf8))
        let status = system("curl -sS -K \(script) >\(out) 2>\(err)")
        guard status == 0 else { throw SystemError("use curl: \(try readText(err))", .invalidArgument) }
        let lines = try readText(out).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 2 * requests.count + 1 else {
            throw SystemError("understand \(lines.count) lines of curl", .invalidArgument)
        }
        return try requests.indices.map { try Self.answer(lines[2 * $0], lines[2 * $0 + 1]) }
    }

    private func section(_ request: Request) -> String {
        var section =
            "unix-socket = \(Self.quoted(socket))\nurl = \(Self.quoted("http://localhost\(request.path)"))\n"
            + "request = \(request.method)\nmax-time = 60\ngloboff\n"
            + #"write-out = "\n%{http_code}\t%{content_type}\t%header{server}\t%header{connection}\t"#
            + #"%header{deprecation}\t%{num_connects}\n""# + "\n"
        if let body = request.body {
            section += "header = \"Content-Type: application/json\"\ndata-binary = \(Self.quoted(body))\n"
        }
        return section
    }

    private static func quoted(_ text: String) -> String {
        "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n"))\""
    }

    private static func answer(_ body: Substring, _ facts: Substring) throws -> Answer {
        let parts = facts.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, let status = Int(parts[0]), let connects = Int(parts[5]) else {
            throw SystemError("understand \(facts) of curl", .invalidArgument)
        }
        return Answer(
            body: String(body), status: status, contentType: parts[1], server: parts[2], connection: parts[3],
            deprecation: parts[4], connects: connects)
    }
}
