import OCI
import Testing

@testable import bulkhead_vm

/// The guest's end of a cable that leads to the metadata service: frames, and a clock that only tests move.
final class FakeGuest {
    static let hardware: EthernetFrame.Address = 0x02_00_00_00_00_02
    static let address = IPv4Address("10.0.0.2")!

    let store: MetadataStore
    let counters = MetadataCounters()
    let stack: MetadataStack
    var now: UInt64 = 1_000_000_000
    private var nextPort: UInt16 = 40000
    /// Frames that come, by their number: those that are not delivered.
    var loses: (Int) -> Bool = { _ in false }
    private var frames = 0
    /// What came for each port.
    var arrived: [UInt16: [TCPSegment]] = [:]

    init(_ contents: JSON = ["a": "b"], limit: Int = 51_200, needsToken: Bool = false) throws {
        store = MetadataStore(limit: limit)
        try store.replace(contents)
        store.configure(needsToken: needsToken, isPlain: false)
        stack = MetadataStack(at: MetadataStack.defaultAddress, store, counters) { 0xffff_fff0 }
    }

    /// Sends a frame, where the stack wants it.
    @discardableResult
    func send(frame: [UInt8], hasChecksum: Bool = true) -> Bool {
        guard stack.wants(Array(frame.prefix(42)).span.bytes) else { return false }
        stack.take(frame, hasChecksum: hasChecksum, now: now)
        return true
    }

    func send(_ segment: TCPSegment) { send(frame: frame(segment)) }

    func frame(_ segment: TCPSegment) -> [UInt8] {
        let packet = IPv4Packet(
            from: Self.address, to: stack.address, IPv4Packet.tcp, segment.bytes(from: Self.address, to: stack.address))
        return EthernetFrame(to: MetadataStack.hardware, from: Self.hardware, .ipv4, packet.bytes).bytes
    }

    /// The frames that the stack has now.
    func receiveFrames() -> [[UInt8]] {
        var frames: [[UInt8]] = []
        while let frame = stack.next(now: now) { frames.append(frame) }
        return frames
    }

    /// Takes what comes, but for what is lost.
    func receive() throws {
        for bytes in receiveFrames() {
            frames += 1
            if loses(frames) { continue }
            let frame = try #require(EthernetFrame(bytes))
            #expect(frame.destination == Self.hardware && frame.source == MetadataStack.hardware)
            let packet = try #require(IPv4Packet(frame.payload))
            #expect(packet.source == stack.address && packet.destination == Self.address)
            let segment = try #require(TCPSegment(of: packet, isChecked: true))
            arrived[segment.destinationPort, default: []].append(segment)
        }
    }

    func take(_ port: UInt16) throws -> [TCPSegment] {
        try receive()
        return arrived.removeValue(forKey: port) ?? []
    }

    /// Lets time pass until the stack wants to send by itself.
    func waitForDeadline() throws { now = try #require(stack.deadline) }

    func port() -> UInt16 {
        nextPort += 1
        return nextPort
    }

    func connect(_ change: (FakeClient) -> Void = { _ in }) throws -> FakeClient {
        let client = FakeClient(self)
        change(client)
        try client.connect()
        return client
    }

    /// One request over a connection of its own, which is closed behind it.
    func get(_ target: String, _ fields: String...) throws -> String {
        let client = try connect()
        return try client.ask("GET \(target) HTTP/1.1", fields + ["Connection: close"])
    }
}

/// A program's connection, by a TCP that does just enough.
final class FakeClient {
    let guest: FakeGuest
    let port: UInt16
    /// The next number to send, and the next to come.
    var sequence: SequenceNumber
    var expected = SequenceNumber(0)
    var window: UInt16 = 60000
    var mostPayload: UInt16? = 1460
    /// What came, in order.
    var text: [UInt8] = []
    var isFinished = false
    var isReset = false

    init(_ guest: FakeGuest) {
        self.guest = guest
        port = guest.port()
        // Comes round to zero soon.
        sequence = SequenceNumber(0xffff_ff80)
    }

    func segment(_ flags: TCPSegment.Flags, _ payload: [UInt8] = []) -> TCPSegment {
        var segment = TCPSegment(from: port, to: 80, sequence, flags)
        segment.acknowledgement = expected
        segment.window = window
        segment.payload = payload[...]
        return segment
    }

    func connect() throws {
        var opening = segment(.synchronize)
        opening.mostPayload = mostPayload
        for _ in 0..<10 {
            guest.send(opening)
            guard let answer = try guest.take(port).first else {
                try guest.waitForDeadline()
                continue
            }
            #expect(answer.flags == [.synchronize, .acknowledge] && answer.acknowledgement == sequence + 1)
            #expect(answer.mostPayload == 1460)
            sequence += 1
            expected = answer.sequence + 1
            guest.send(segment(.acknowledge))
            return
        }
        Issue.record("no connection")
    }

    func send(_ text: String) {
        let data = segment([.acknowledge, .push], Array(text.utf8))
        guest.send(data)
        sequence += data.length
    }

    /// Takes what came, and acknowledges it.
    func receive() throws {
        for segment in try guest.take(port) {
            if segment.flags.contains(.reset) {
                isReset = true
                continue
            }
            guard segment.length > 0 else { continue }
            if segment.sequence == expected {
                #expect(segment.payload.count <= min(Int(window), Int(mostPayload ?? 536)))
                text += segment.payload
                expected += segment.length
                if segment.flags.contains(.finish) { isFinished = true }
            }
            guest.send(self.segment(.acknowledge))
        }
    }

    /// Takes what comes until something holds; lost frames come again with time.
    func receive(until isDone: () -> Bool) throws {
        for _ in 0..<10_000 {
            let before = (text.count, isFinished)
            try receive()
            if isDone() || isReset { return }
            if before == (text.count, isFinished) {
                guard guest.stack.deadline != nil else { break }
                try guest.waitForDeadline()
            }
        }
        Issue.record("it did not come to that: \(String(decoding: text.suffix(200), as: UTF8.self))")
    }

    /// Sends a request and takes the answer and the end of the connection.
    func ask(_ line: String, _ fields: [String]) throws -> String {
        send(([line] + fields).map { "\($0)\r\n" }.joined() + "\r\n")
        try receive { isFinished }
        close()
        return String(decoding: text, as: UTF8.self)
    }

    func close() {
        guest.send(segment([.finish, .acknowledge]))
        sequence += 1
    }
}
