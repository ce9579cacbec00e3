import Glibc
import Linux
import OCI
import Testing

/// `bulkhead-vm` as Firecracker's clients start it, and curl as the client.
final class APIClient {
    struct Answer: Equatable {
        var status: Int
        var body: String

        /// The message of a refusal.
        var fault: String? { (try? JSON(parsing: body))?["fault_message"]?.stringValue }

        func json() throws -> JSON { try JSON(parsing: body) }

        static let done = Answer(status: 204, body: "")
    }

    let monitor: Monitor
    let socket: String
    private let scratch: Scratch

    /// Starts it and waits for its socket, as the clients do.
    ///
    /// - Parameters:
    ///   - terminal: where its standard input and output are instead of nothing and a file.
    ///   - folder: where it runs, and finds files by relative paths.
    init(
        _ words: String..., terminal: CInt? = nil, in folder: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        scratch = Scratch()
        socket = "\(scratch.path)/api.socket"
        let prefix = folder.map { ["env", "-C", $0] } ?? []
        monitor = try Monitor(["--api-sock", socket] + words, terminal: terminal, prefix: prefix)
        let path = socket
        #expect(eventually(20) { access(path, F_OK) == 0 }, sourceLocation: sourceLocation)
    }

    deinit { unlink(socket) }

    /// Asks for so many MiB of hot-plug memory, and waits until the guest has them.
    func resizeMemory(to mebibytes: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let answer = try self("PATCH", "/hotplug/memory", "{\"requested_size_mib\": \(mebibytes)}")
        #expect(answer == .done, sourceLocation: sourceLocation)
        var status = ""
        let isThere = try eventually(60) {
            let json = try self("GET", "/hotplug/memory").json()
            status = json.encoded()
            return json["plugged_size_mib"]?.integerValue(as: Int.self) == mebibytes
        }
        #expect(isThere, "\(status)", sourceLocation: sourceLocation)
    }

    /// Sends a request by curl.
    func callAsFunction(_ method: String, _ path: String, _ body: String? = nil) throws -> Answer {
        // No body here has a quote of this kind.
        let data = body.map { " -H 'Content-Type: application/json' --data-binary '\($0)'" } ?? ""
        let command =
            "curl -sS --max-time 60 --unix-socket '\(socket)' -X \(method)\(data) -w '\\n%{http_code}' "
            + "'http://localhost\(path)' 2>&1"
        guard let pipe = popen(command, "r") else { throw SystemError("start curl", .current) }
        var text: [UInt8] = []
        while true {
            let byte = fgetc(pipe)
            if byte == EOF { break }
            text.append(UInt8(byte))
        }
        pclose(pipe)
        let lines = String(decoding: text, as: UTF8.self)
        guard let end = lines.lastIndex(of: "\n"), let status = Int(lines[lines.index(after: end)...]) else {
            throw SystemError("understand curl: \(lines)", .invalidArgument)
        }
        return Answer(status: status, body: String(lines[..<end]))
    }
}
