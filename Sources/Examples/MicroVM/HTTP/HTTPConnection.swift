import Glibc
import Linux

/// One client's connection: what it sent and what it still has to take.
final class HTTPConnection {
    /// Bytes that may wait for a client to take them. Until it does, nothing more of it is read.
    private static let mostWaiting = 64 << 10
    /// Bytes that are read in a turn, so that others have theirs.
    private static let budget = 64 << 10
    /// Bytes that are read with one call.
    private static let atOnce = 4096
    /// Bytes that are thrown away behind a fault: a client that writes on would else not see why it failed.
    private static let mostThrownAway = 1 << 20

    let socket: Descriptor
    private var parser: RequestParser
    private var waiting: [UInt8] = []
    private var sent = 0
    /// The connection ends when all is sent.
    private var isLast = false
    private var thrownAway = 0
    /// When bytes moved last: nanoseconds of the monotonic clock.
    private(set) var lastMoved: UInt64
    private(set) var isOver = false

    /// - Throws: where the socket can't be made non-blocking.
    init(_ socket: consuming Descriptor, bodyLimit: Int, now: UInt64) throws(SystemError) {
        try socket.setNonBlocking(true)
        self.socket = socket
        parser = RequestParser(bodyLimit: bodyLimit)
        lastMoved = now
    }

    /// Whether it keeps its place without using it: half a request came, or an answer is not taken.
    func isStuck(_ now: UInt64, after nanoseconds: UInt64) -> Bool {
        (parser.isInside || isSending || isLast) && now >= lastMoved && now - lastMoved >= nanoseconds
    }

    private var isSending: Bool { sent < waiting.count }

    /// What it waits for.
    var interest: Readiness {
        if isSending { return isLast || waiting.count - sent >= Self.mostWaiting ? .writable : [.readable, .writable] }
        return .readable
    }

    /// Moves what can be moved without waiting.
    func turn(_ now: UInt64, _ answer: (HTTPRequest) -> HTTPResponse) {
        if isSending { send(now) }
        var left = Self.budget
        var isDrained = false
        while !isOver, !isLast || !isSending, waiting.count - sent < Self.mostWaiting {
            // What is whole already comes before what is not read yet.
            if !isLast {
                while serve(answer), !isOver {
                    send(now)
                    if waiting.count - sent >= Self.mostWaiting { return }
                }
                send(now)
                guard waiting.count - sent < Self.mostWaiting, !isLast else { continue }
            }
            // What is left in the socket is told of again; what was read would not be.
            guard left > 0, !isDrained, let count = read() else { return }
            // It took all that was there. What came since is told of.
            isDrained = count > 0 && count < Self.atOnce
            lastMoved = now
            left -= count
            if count == 0 {
                // Half a request is none. What was answered is sent all the same, if the client takes it.
                isOver = !isSending
                isLast = true
                thrownAway = Self.mostThrownAway
                return
            }
            if isLast {
                thrownAway += count
                isOver = thrownAway >= Self.mostThrownAway
            }
        }
    }

    /// Answers the requests that are complete, as far as the client takes its answers.
    ///
    /// - Returns: whether there may be more of them.
    private func serve(_ answer: (HTTPRequest) -> HTTPResponse) -> Bool {
        do throws(HTTPFault) {
            while !isLast {
                guard waiting.count - sent < Self.mostWaiting else { return true }
                guard let event = try parser.next() else { return false }
                switch event {
                case .wantsContinue: waiting += HTTPResponse.goOn
                case .request(let request):
                    let response = answer(request)
                    isLast = !request.keepsAlive
                    response.encode(into: &waiting, closes: isLast)
                }
            }
        } catch {
            let message = "\(error)\nAll previous unanswered requests will be dropped."
            waiting += HTTPResponse.error(.badRequest, message).encoded(closes: true)
            isLast = true
        }
        return false
    }

    /// Sends an answer and then nothing more.
    func refuse(_ response: HTTPResponse, _ now: UInt64) {
        waiting += response.encoded(closes: true)
        isLast = true
        send(now)
    }

    private func send(_ now: UInt64) {
        while isSending, !isOver {
            // A client that has gone is no reason for a signal.
            let count = waiting.withUnsafeBytes {
                Glibc.send(socket.rawValue, $0.baseAddress! + sent, $0.count - sent, CInt(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
                lastMoved = now
            } else if Errno.current == .wouldBlock {
                return
            } else if Errno.current != .interrupted {
                isOver = true
            }
        }
        sent = 0
        if waiting.capacity > Self.atOnce { waiting = [] } else { waiting.removeAll(keepingCapacity: true) }
        guard isLast else { return }
        // The client sees the end; what it sends meanwhile is thrown away, up to an amount.
        shutdown(socket.rawValue, CInt(SHUT_WR))
        if thrownAway >= Self.mostThrownAway { isOver = true }
    }

    /// Hands the parser what is there, if the connection goes on.
    ///
    /// - Returns: how much it was: bytes; nil where nothing is there yet, 0 at the end.
    private func read() -> Int? {
        withUnsafeTemporaryAllocation(byteCount: Self.atOnce, alignment: 16) { bytes in
            while true {
                let count = Glibc.read(socket.rawValue, bytes.baseAddress, bytes.count)
                if count > 0, !isLast { parser.take(UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
                if count >= 0 { return count }
                if Errno.current == .wouldBlock { return nil }
                if Errno.current != .interrupted { return 0 }
            }
        }
    }
}
