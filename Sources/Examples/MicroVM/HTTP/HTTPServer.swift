import Glibc
import Linux

/// A small HTTP server at a Unix socket: up to ten clients, one thread, no waiting for any of them.
///
/// The thread is the caller's, who has a loop of its own: the server adds its descriptors to that and is handed their
/// events.
final class HTTPServer {
    /// As many as Firecracker serves.
    static let mostConnections = 10
    /// A client that has not moved for so long gives its place to one that comes: nanoseconds.
    private static let patience: UInt64 = 10_000_000_000
    /// How long nobody is let in after the host had no descriptor left: nanoseconds.
    private static let pause: UInt64 = 100_000_000

    private let path: String
    private let bodyLimit: Int
    private let listener: Descriptor
    private let firstToken: UInt64
    private var connections: [(token: UInt64, connection: HTTPConnection)] = []
    private var nextToken: UInt64
    private let room = ReadBuffer()
    private var pausedUntil: UInt64?

    /// Listens.
    ///
    /// - Parameters:
    ///   - path: a path that does not exist; the socket goes with the server.
    ///   - bodyLimit: the largest body: bytes.
    ///   - firstToken: tokens from this on are the server's in the loop.
    /// - Throws: `EADDRINUSE` where the path exists.
    init(
        at path: String, bodyLimit: Int, _ loop: borrowing EventLoop, firstToken: UInt64
    ) throws(SystemError) {
        let listener = try UnixSocket.listen(at: path, backlog: 128)
        do throws(SystemError) {
            try listener.setNonBlocking(true)
            try loop.add(listener, for: .readable, token: firstToken)
        } catch {
            unlink(path)
            throw error
        }
        self.listener = listener
        self.path = path
        self.bodyLimit = bodyLimit
        self.firstToken = firstToken
        nextToken = firstToken + 1
    }

    deinit { unlink(path) }

    /// Nobody is let in for a while.
    var isPaused: Bool { pausedUntil != nil }

    /// How long the loop may wait for the server's sake: milliseconds; -1 for ever.
    func timeout(_ now: UInt64) -> CInt {
        guard let pausedUntil else { return -1 }
        return pausedUntil <= now ? 0 : CInt(clamping: (pausedUntil - now) / 1_000_000 + 1)
    }

    /// Handles an event of the loop's; one that is not the server's is left alone.
    func handle(
        _ token: UInt64, _ readiness: Readiness, _ loop: borrowing EventLoop, _ now: UInt64,
        _ answer: (HTTPRequest) -> HTTPResponse
    ) {
        if token == firstToken { return accept(loop, now) }
        // Absent: closed by an earlier event of the same wait.
        guard let (_, connection) = connections.first(where: { $0.token == token }) else { return }
        let before = connection.interest
        connection.turn(readiness, now, answer)
        settle(connection, token, loop, before)
    }

    /// Goes on listening, if it is time.
    func wake(_ loop: borrowing EventLoop, _ now: UInt64) {
        guard let end = pausedUntil, end <= now else { return }
        pausedUntil = nil
        try? loop.add(listener, for: .readable, token: firstToken)
    }

    private func accept(_ loop: borrowing EventLoop, _ now: UInt64) {
        while true {
            let socket: Descriptor
            do throws(SystemError) { socket = try UnixSocket.accept(on: listener) } catch {
                if error.errno == .wouldBlock { return }
                // One that has gone again already.
                if error.errno == Errno(rawValue: ECONNABORTED) { continue }
                // No descriptor is left: the loop would be told of the client again and again.
                try? loop.remove(listener)
                pausedUntil = now + Self.pause
                return
            }
            admit(socket, loop, now)
        }
    }

    private func admit(_ socket: consuming Descriptor, _ loop: borrowing EventLoop, _ now: UInt64) {
        if connections.count >= Self.mostConnections {
            // One that holds its place and does nothing with it must not keep others out for ever.
            let stuck = connections.filter { $0.connection.isStuck(now, after: Self.patience) }
            if let oldest = stuck.min(by: { $0.connection.lastMoved < $1.connection.lastMoved }) {
                close(oldest.token, loop)
            }
        }
        guard let connection = try? HTTPConnection(socket, room, bodyLimit: bodyLimit, now: now) else { return }
        guard connections.count < Self.mostConnections else {
            // Small enough for every socket's buffer; the connection ends with this value.
            return connection.refuse(.error(.unavailable, "Too many open connections"), now)
        }
        let token = nextToken
        nextToken += 1
        guard (try? loop.add(connection.socket, for: connection.interest, token: token)) != nil else { return }
        connections.append((token, connection))
    }

    private func settle(
        _ connection: HTTPConnection, _ token: UInt64, _ loop: borrowing EventLoop, _ before: Readiness
    ) {
        if connection.isOver { return close(token, loop) }
        let interest = connection.interest
        guard interest != before || connection.isBehind else { return }
        if (try? loop.modify(connection.socket, for: interest, token: token)) == nil { close(token, loop) }
    }

    private func close(_ token: UInt64, _ loop: borrowing EventLoop) {
        guard let index = connections.firstIndex(where: { $0.token == token }) else { return }
        try? loop.remove(connections.remove(at: index).connection.socket)
    }
}
