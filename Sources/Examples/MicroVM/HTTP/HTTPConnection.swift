import Glibc
import Linux

/// One client's connection: what it sent and what it still has to take.
final class HTTPConnection {
    /// Bytes that may wait for a client to take them. Until it does, nothing more of it is read.
    private static let mostWaiting = 64 << 10
    /// Bytes that are read in a turn, and pieces that they come in, so that others have theirs.
    private static let budget = 64 << 10
    private static let mostReads = 16
    /// Bytes that may lie in the socket although they were looked at, and pieces, which are gone through each time.
    private static let mostLeft = 2048
    private static let mostLooks = 12
    /// Bytes that are thrown away behind a fault: a client that writes on would else not see why it failed.
    private static let mostThrownAway = 1 << 20

    let socket: Descriptor
    private let room: ReadBuffer
    private var parser: RequestParser
    private var waiting: [UInt8] = []
    private var sent = 0
    /// The last answer, if its bytes are few: clients ask the same again and again.
    private var last: Encoded?
    private static let mostRemembered = 1024
    /// Bytes that were looked at and lie in the socket all the same; see ``read(isFirst:)``.
    private var left = 0
    private var looks = 0
    /// The client sends nothing more.
    private var hasEnded = false
    /// There may be more to read, of which nobody tells.
    private(set) var isBehind = false
    /// The connection ends when all is sent.
    private var isLast = false
    private var thrownAway = 0
    /// When bytes moved last: nanoseconds of the monotonic clock.
    private(set) var lastMoved: UInt64
    private(set) var isOver = false

    /// - Parameter room: where what is read comes to for a moment; others may have it, too.
    /// - Throws: where the socket can't be made non-blocking.
    init(_ socket: consuming Descriptor, _ room: ReadBuffer, bodyLimit: Int, now: UInt64) throws(SystemError) {
        try socket.setNonBlocking(true)
        self.socket = socket
        self.room = room
        parser = RequestParser(bodyLimit: bodyLimit)
        lastMoved = now
    }

    // A client whose bytes lie there unread would be told of a reset.
    deinit { take() }

    /// Whether it keeps its place without using it: half a request came, or an answer is not taken.
    func isStuck(_ now: UInt64, after nanoseconds: UInt64) -> Bool {
        (parser.isInside || isSending || isLast) && now >= lastMoved && now - lastMoved >= nanoseconds
    }

    private var isSending: Bool { sent < waiting.count }

    /// What it waits for; to be told of what is new.
    var interest: Readiness {
        guard isSending else { return [.readable, .peerClosed, .edgeTriggered] }
        return isLast || waiting.count - sent >= Self.mostWaiting
            ? [.writable, .edgeTriggered] : [.readable, .writable, .peerClosed, .edgeTriggered]
    }

    /// Moves what can be moved without waiting.
    ///
    /// - Parameter readiness: what the loop has told.
    func turn(_ readiness: Readiness, _ now: UInt64, _ answer: (HTTPRequest) -> HTTPResponse) {
        if !readiness.isDisjoint(with: [.peerClosed, .hangUp, .error]) { hasEnded = true }
        if isSending { send(now) }
        var (budget, reads) = (Self.budget, 0)
        isBehind = false
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
            isBehind = budget <= 0 || reads == Self.mostReads
            guard !isBehind, let count = read(isFirst: reads == 0) else { return }
            lastMoved = now
            budget -= count
            reads += 1
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
                    add(response)
                }
            }
        } catch {
            let message = "\(error)\nAll previous unanswered requests will be dropped."
            waiting += HTTPResponse.error(.badRequest, message).encoded(closes: true)
            isLast = true
        }
        return false
    }

    private func add(_ response: HTTPResponse) {
        if isLast { return response.encode(into: &waiting, closes: true) }
        if let last, last.response == response {
            waiting += last.text
            return
        }
        let start = waiting.count
        response.encode(into: &waiting, closes: false)
        if waiting.count - start <= Self.mostRemembered { last = Encoded(response, Array(waiting[start...])) }
    }

    private final class Encoded {
        let response: HTTPResponse
        let text: [UInt8]

        init(_ response: HTTPResponse, _ text: [UInt8]) { (self.response, self.text) = (response, text) }
    }

    /// Sends an answer and then nothing more.
    func refuse(_ response: HTTPResponse, _ now: UInt64) {
        waiting += response.encoded(closes: true)
        isLast = true
        // Bytes that nobody reads would be a reset for the client.
        _ = Glibc.read(socket.rawValue, room.bytes.baseAddress, room.bytes.count)
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
        if waiting.capacity > ReadBuffer.size { waiting = [] } else { waiting.removeAll(keepingCapacity: true) }
        guard isLast else { return }
        // The client sees the end, and no reset for what it sent; what it sends meanwhile is thrown away, up to an amount.
        take()
        shutdown(socket.rawValue, CInt(SHUT_WR))
        if thrownAway >= Self.mostThrownAway { isOver = true }
    }

    /// Hands the parser what is there, if the connection goes on.
    ///
    /// What is read from a Unix socket wakes who sent it and waits for the answer, in vain: two switches between processes,
    /// for nothing. So it is looked at (`MSG_PEEK`), and taken when it is much, or when something else is to be seen.
    ///
    /// - Parameter isFirst: the first time in a turn, when there is something.
    /// - Returns: how much it was: bytes; nil where nothing is there yet, 0 at the end.
    private func read(isFirst: Bool) -> Int? {
        let bytes = room.bytes
        if left < Self.mostLeft, looks < Self.mostLooks, !isLast, !hasEnded {
            let count = recv(socket.rawValue, bytes.baseAddress, bytes.count, CInt(MSG_PEEK))
            if count > left {
                parser.take(UnsafeRawBufferPointer(rebasing: bytes[left..<count]))
                defer { (left, looks) = (count, looks + 1) }
                return count - left
            }
            // Of more, and of the end, the loop tells.
            if !isFirst { return nil }
        }
        take()
        while true {
            let count = Glibc.read(socket.rawValue, bytes.baseAddress, bytes.count)
            if count > 0, !isLast { parser.take(UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
            if count >= 0 { return count }
            if Errno.current == .wouldBlock { return nil }
            if Errno.current != .interrupted { return 0 }
        }
    }

    /// Takes what was looked at.
    private func take() {
        looks = 0
        while left > 0 {
            let count = Glibc.read(socket.rawValue, room.bytes.baseAddress, min(left, room.bytes.count))
            if count > 0 {
                left -= count
            } else if count == 0 || Errno.current != .interrupted {
                left = 0
            }
        }
    }
}

/// Room for what one call reads, which all connections of a thread use in turn.
final class ReadBuffer {
    static let size = 4096
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)

    deinit { bytes.deallocate() }
}
