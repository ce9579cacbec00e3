/// The server's side of one connection; RFC 9293.
///
/// It is for a peer at the other end of a queue in memory: nothing is lost there but where the guest loses it, so there is
/// no control of congestion. What comes out of order is not kept, as the peer sends it again. It knows neither frames nor
/// a clock: segments go in by ``receive(_:now:)`` and are asked for by ``next(now:)``.
struct TCPConnection {
    /// How long an acknowledgement is waited for at first, and at the most: nanoseconds.
    static let firstPatience: UInt64 = 500_000_000
    static let mostPatience: UInt64 = 8_000_000_000
    /// How often something is sent again before the peer counts as gone.
    static let mostTries = 8
    /// What a peer takes that says nothing of it, and what the least is that is believed.
    private static let defaultPayload: UInt16 = 536
    private static let leastPayload: UInt16 = 48
    /// What fits into a packet of 1500 bytes.
    static let ownPayload: UInt16 = 1460

    private enum State {
        /// The peer's SYN came.
        case opening
        case open
        case over
    }

    private let localPort: UInt16
    private let remotePort: UInt16
    private let mostPayload: Int
    private var state = State.opening

    // What is sent. In front of the output is the SYN, behind it the FIN, each with a number of its own.
    /// Not acknowledged yet, or not sent.
    private var output: ArraySlice<UInt8> = []
    /// The number of the output's first byte.
    private var start: SequenceNumber
    /// The first number that is not acknowledged.
    private var first: SequenceNumber
    /// The number to send next, and the one behind all that was ever sent.
    private var position: SequenceNumber
    private var end: SequenceNumber
    private var remoteWindow: Int
    /// Whether the output ends where it ends now.
    private var closes = false
    private var repeatedAnswers = 0

    // What is received.
    private var expected: SequenceNumber
    /// Up to where the peer was told that it may send.
    private var edge: SequenceNumber
    private var hasPeerFinished = false
    private var owesAnswer = false
    /// A RST.
    private var lastWord: TCPSegment?

    /// When something is to be sent again.
    private(set) var deadline: UInt64?
    private var patience = Self.firstPatience
    private var tries = 0
    /// When the peer was last heard of.
    private(set) var lastHeard: UInt64
    /// For how many bytes there is room here.
    var window = 0

    /// Answers a peer that wants to connect.
    ///
    /// - Parameters:
    ///   - request: the segment with its SYN.
    ///   - number: a number to begin with that nobody guesses.
    init(answering request: TCPSegment, number: UInt32, window: Int, now: UInt64) {
        (localPort, remotePort) = (request.destinationPort, request.sourcePort)
        mostPayload = Int(
            min(max(request.mostPayload ?? Self.defaultPayload, Self.leastPayload), Self.ownPayload))
        first = SequenceNumber(number)
        (position, end, start) = (first, first, first + 1)
        remoteWindow = Int(request.window)
        expected = request.sequence + 1
        edge = expected
        lastHeard = now
        self.window = window
    }

    // MARK: - The stream

    /// Bytes that the peer has not acknowledged.
    var unsent: Int { output.count }

    /// Sends bytes; none behind ``close()``.
    mutating func send(_ bytes: some Sequence<UInt8>) {
        if !closes { output += bytes }
    }

    /// Ends the stream to the peer behind what was sent.
    mutating func close() { closes = true }

    /// Whether the peer sends nothing more.
    var isFinishedByPeer: Bool { hasPeerFinished }

    /// Whether nothing is left to do.
    var isOver: Bool { state == .over && lastWord == nil && !owesAnswer }

    /// Ends it at once.
    mutating func reset() {
        guard state != .over else { return }
        end(with: segment(end, [.reset, .acknowledge]))
    }

    // MARK: - In

    /// Takes a segment of the peer's.
    ///
    /// - Returns: the bytes that follow those that came before.
    mutating func receive(_ segment: TCPSegment, now: UInt64) -> ArraySlice<UInt8> {
        guard state != .over else { return [] }
        lastHeard = now
        let offset = segment.sequence.distance(from: expected)
        if state == .opening, segment.flags.isDisjoint(with: [.acknowledge, .reset]),
            segment.flags.contains(.synchronize), offset == -1
        {
            // Our answer was lost.
            position = first
            return []
        }
        guard isAcceptable(offset, segment.length) else {
            owesAnswer = !segment.flags.contains(.reset)
            return []
        }
        if segment.flags.contains(.reset) {
            // One that guesses a number within the window is asked for the exact one; RFC 5961, section 3.2.
            if offset == 0 { end(with: nil) } else { owesAnswer = true }
            return []
        }
        if segment.flags.contains(.synchronize) {
            owesAnswer = true
            return []
        }
        guard segment.flags.contains(.acknowledge), acknowledge(segment, now) else { return [] }
        return take(segment, offset)
    }

    private func isAcceptable(_ offset: Int, _ length: UInt32) -> Bool {
        let room = max(0, edge.distance(from: expected))
        if length == 0 { return offset == 0 || (offset > 0 && offset < room) }
        return offset < room && offset + Int(length) > 0
    }

    /// - Returns: whether the rest of the segment counts.
    private mutating func acknowledge(_ segment: TCPSegment, _ now: UInt64) -> Bool {
        let count = segment.acknowledgement.distance(from: first)
        guard count <= end.distance(from: first), state == .open || count > 0 else {
            if state == .open {
                owesAnswer = true
            } else {
                end(with: TCPSegment(from: localPort, to: remotePort, segment.acknowledgement, .reset))
            }
            return false
        }
        // An old one says nothing of the window now.
        guard count >= 0 else { return true }
        let isRepeated = count == 0 && first != end && segment.payload.isEmpty && remoteWindow == Int(segment.window)
        remoteWindow = Int(segment.window)
        tries = 0
        guard count > 0 else {
            repeatedAnswers = isRepeated ? repeatedAnswers + 1 : 0
            // The peer got something behind a gap.
            if repeatedAnswers == 3 { position = first }
            return true
        }
        state = .open
        let bytes = min(max(0, segment.acknowledgement.distance(from: start)), output.count)
        output.removeFirst(bytes)
        start += UInt32(bytes)
        first = segment.acknowledgement
        if position.distance(from: first) < 0 { position = first }
        (repeatedAnswers, patience) = (0, Self.firstPatience)
        deadline = first == end ? nil : now + patience
        finish()
        return true
    }

    private mutating func take(_ segment: TCPSegment, _ offset: Int) -> ArraySlice<UInt8> {
        guard segment.length > 0 else { return [] }
        owesAnswer = true
        guard offset <= 0, !hasPeerFinished else { return [] }
        let fresh = segment.payload.dropFirst(-offset)
        let taken = fresh.prefix(max(0, edge.distance(from: expected)))
        expected += UInt32(taken.count)
        if segment.flags.contains(.finish), taken.count == fresh.count {
            expected += 1
            hasPeerFinished = true
            finish()
        }
        return taken
    }

    /// Both sides have said all, and know of each other that they heard it.
    private mutating func finish() {
        if hasPeerFinished, closes, output.isEmpty, first.distance(from: start) > 0 {
            state = .over
            deadline = nil
        }
    }

    private mutating func end(with word: TCPSegment?) {
        (state, lastWord, owesAnswer, deadline, output) = (.over, word, false, nil, [])
    }

    // MARK: - Out

    /// The segment to send now; nil where there is none until a segment comes or ``deadline`` has passed.
    mutating func next(now: UInt64) -> TCPSegment? {
        if let word = lastWord {
            lastWord = nil
            return word
        }
        guard state != .over else { return answer() }
        var isProbe = false
        if let due = deadline, due <= now {
            tries += 1
            guard tries <= Self.mostTries else {
                end(with: nil)
                return segment(self.end, [.reset, .acknowledge])
            }
            patience = min(patience * 2, Self.mostPatience)
            (position, deadline, isProbe) = (first, nil, true)
        }
        if state == .opening { return position == first ? greeting(now) : nil }
        return data(now, isProbe) ?? answer()
    }

    private mutating func greeting(_ now: UInt64) -> TCPSegment {
        var greeting = segment(first, [.synchronize, .acknowledge])
        greeting.mostPayload = Self.ownPayload
        sent(1, now)
        return greeting
    }

    /// - Parameter isProbe: a peer without room is asked, by a byte, whether it has some by now.
    private mutating func data(_ now: UInt64, _ isProbe: Bool) -> TCPSegment? {
        let offset = position.distance(from: start)
        let left = output.count - offset
        // The FIN is behind the last byte.
        guard left >= 0 else { return nil }
        let room = max(remoteWindow - position.distance(from: first), isProbe ? 1 : 0)
        let count = min(left, room, mostPayload)
        let isLast = closes && count == left
        guard count > 0 || isLast else {
            // A peer without room may have forgotten to say that it has some.
            if left > 0, deadline == nil { deadline = now + patience }
            return nil
        }
        var data = segment(position, [.acknowledge])
        data.payload = output.dropFirst(offset).prefix(count)
        if count == left { data.flags.insert(.push) }
        if isLast { data.flags.insert(.finish) }
        sent(UInt32(count) + (isLast ? 1 : 0), now)
        return data
    }

    private mutating func sent(_ count: UInt32, _ now: UInt64) {
        position += count
        if position.distance(from: end) > 0 { end = position }
        if deadline == nil { deadline = now + patience }
    }

    private mutating func answer() -> TCPSegment? {
        // Two segments more than the peer knows of are worth a word.
        let growth = (expected + UInt32(window)).distance(from: edge)
        guard owesAnswer || (state == .open && growth >= 2 * Int(Self.ownPayload)) else { return nil }
        return segment(position, [.acknowledge])
    }

    private mutating func segment(_ sequence: SequenceNumber, _ flags: TCPSegment.Flags) -> TCPSegment {
        var segment = TCPSegment(from: localPort, to: remotePort, sequence, flags)
        segment.acknowledgement = expected
        // What the peer was promised stays promised.
        let room = min(max(window, edge.distance(from: expected)), Int(UInt16.max))
        edge = expected + UInt32(room)
        segment.window = UInt16(room)
        owesAnswer = false
        return segment
    }
}
