import Glibc
import Linux

/// A connection to a monitor, for many requests: curl would be a process for each.
final class APIConnection {
    private let socket: Descriptor

    init(_ path: String) throws { socket = try UnixSocket.connect(to: path) }

    /// The status of the answer, nil where the connection ended.
    func status(of request: String) throws -> Int? {
        try socket.write(Array(request.utf8))
        var answer = ""
        while true {
            let bytes = try socket.next(upTo: 16384)
            if bytes.isEmpty { return nil }
            answer += String(decoding: bytes, as: UTF8.self)
            guard let end = answer.firstRange(of: "\r\n\r\n")?.upperBound else { continue }
            let length = answer.firstRange(of: "Content-Length: ").map { answer[$0.upperBound...] }
            let wanted = length.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
            if answer[end...].utf8.count >= wanted { return Int(answer.dropFirst(9).prefix(3)) }
        }
    }

    /// The status of the answer to a request with a body.
    func status(_ method: String, _ path: String, _ body: String) throws -> Int? {
        try status(of: "\(method) \(path) HTTP/1.1\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// Sends as much as is taken, and no more than `count` bytes.
    func send(_ text: String, andThen count: Int = 0) {
        let block = [UInt8](repeating: 32, count: 65536)
        _ = Glibc.send(socket.rawValue, text, text.utf8.count, CInt(MSG_NOSIGNAL))
        var left = count
        while left > 0 {
            let sent = Glibc.send(socket.rawValue, block, block.count, CInt(MSG_NOSIGNAL))
            if sent <= 0 { return }
            left -= sent
        }
    }
}
