extension Target {
    /// The metadata service at the end of a guest's cable. Its source is the program's own, like that of the requests.
    static let metadata = [
        Target("mmds") { bytes in
            var guest = HostileGuest(bytes)
            guest.run()
        }
    ]
}

/// A guest that sends what the fuzzer wants: frames of any bytes, or segments that belong to what came before.
private struct HostileGuest {
    private var bytes: Bytes
    private let store = MetadataStore(limit: 1000)
    private let counters = MetadataCounters()
    private let stack: MetadataStack
    private let guest = IPv4Address(rawValue: 0x0a00_0002)
    private var now: UInt64 = 1
    /// What came last, by which the next segments are numbered.
    private var last: [UInt16: TCPSegment] = [:]

    init(_ bytes: [UInt8]) {
        self.bytes = Bytes(bytes)
        stack = MetadataStack(at: MetadataStack.defaultAddress, store, counters) { 0xffff_ff00 }
        try? store.replace(["a": ["b": "c"], "d": [1, nil]])
        store.configure(needsToken: bytes.count % 2 == 0, isPlain: false)
    }

    mutating func run() {
        while !bytes.isEmpty {
            switch bytes.byte() % 8 {
            case 0:
                let count = Int(bytes.byte())
                deliver((0..<count).map { _ in bytes.byte() })
            case 1: deliver(EthernetFrame(to: 0, from: 2, .ipv4, damaged(packet(segment()).bytes)).bytes)
            case 2, 3, 4: deliver(EthernetFrame(to: 0, from: 2, .ipv4, packet(segment()).bytes).bytes)
            case 5: now += UInt64(bytes.byte()) << 26
            case 6: now = max(now, stack.deadline ?? 0)
            default: stack.reset()
            }
            if bytes.byte() & 1 == 0 { drain() }
        }
        drain()
        // Nobody answers any more: all ends, in a few minutes.
        for _ in 0..<2000 {
            guard let deadline = stack.deadline else { return }
            now = max(now, deadline)
            drain()
        }
        fatalError("it goes on for ever")
    }

    private func deliver(_ frame: [UInt8]) {
        guard stack.wants(Array(frame.prefix(42)).span.bytes) else { return }
        stack.take(frame, hasChecksum: now & 1 == 0, now: now)
    }

    private mutating func segment() -> TCPSegment {
        let port = UInt16(bytes.byte() % 40)
        let before = last[port]
        var segment = TCPSegment(
            from: port, to: bytes.byte() < 250 ? 80 : 81,
            (before?.acknowledgement ?? SequenceNumber(0))
                + UInt32(truncatingIfNeeded: Int(Int8(bitPattern: bytes.byte()))),
            TCPSegment.Flags(rawValue: bytes.byte() & 0x1f))
        segment.acknowledgement =
            (before.map { $0.sequence + $0.length } ?? SequenceNumber(0))
            + UInt32(truncatingIfNeeded: Int(Int8(bitPattern: bytes.byte())))
        segment.window = UInt16(bytes.byte()) << (bytes.byte() & 7)
        if segment.flags.contains(.synchronize) { segment.mostPayload = bytes.number() }
        let texts = [
            "GET /a/b HTTP/1.1\r\n\r\n", "PUT /latest/api/token HTTP/1.1\r\nX-metadata-token-ttl-seconds: 5\r\n\r\n",
            "GET / HTTP/1.0\r\nAccept: application/json\r\n\r\n", "GET /a HTTP/1.1\r\nExpect: 100-continue\r\n",
        ]
        switch bytes.byte() % 3 {
        case 0: break
        case 1: segment.payload = Array(bytes.choice(texts).utf8)[...]
        default:
            let count = Int(bytes.byte())
            segment.payload = (0..<count).map { _ in bytes.byte() }[...]
        }
        return segment
    }

    private func packet(_ segment: TCPSegment) -> IPv4Packet {
        IPv4Packet(
            from: guest, to: stack.address, IPv4Packet.tcp, segment.bytes(from: guest, to: stack.address))
    }

    private mutating func damaged(_ packet: [UInt8]) -> [UInt8] {
        var packet = packet
        packet[Int(bytes.byte()) % packet.count] = bytes.byte()
        return Array(packet.prefix(Int(bytes.byte()) * 8))
    }

    /// Takes what the stack has, which has to be well formed and to end.
    private mutating func drain() {
        var count = 0
        while let bytes = stack.next(now: now) {
            count += 1
            require(count < 100_000, "frames without end")
            require(bytes.count <= 1514, "a frame that no cable takes")
            guard let frame = EthernetFrame(bytes) else { fatalError("no frame") }
            guard frame.kind == .ipv4 else { continue }
            guard let packet = IPv4Packet(frame.payload), packet.source == stack.address,
                let segment = TCPSegment(of: packet, isChecked: true)
            else { fatalError("no segment") }
            if packet.destination == guest { last[segment.destinationPort] = segment }
        }
        require(stack.deadline.map { $0 > now } ?? true, "it wants to send and does not")
    }
}
