import OCI
import Testing

@testable import bulkhead_vm

/// The metadata service's own small network: frames in, frames out.
@Suite struct MetadataStackTests {
    @Test("ARP is answered for the service's address alone; RFC 826")
    func addresses() throws {
        let guest = try FakeGuest()
        // Who has 169.254.169.254? Tell 10.0.0.2.
        func question(_ last: UInt8) -> [UInt8] {
            [
                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2,
                10,
                0, 0, 2, 0, 0, 0, 0, 0, 0, 169, 254, 169, last,
            ]
        }
        #expect(!guest.send(frame: question(253)))
        #expect(guest.send(frame: question(254)))
        #expect(
            guest.receiveFrames() == [
                [
                    2, 0, 0, 0, 0, 2, 6, 1, 0x23, 0x45, 0x67, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 6, 1, 0x23, 0x45, 0x67,
                    1,
                    169, 254, 169, 254, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2,
                ]
            ])
        #expect(guest.counters[.accepted] == 1)
    }

    @Test("checksums are those of other programs")
    func checksums() throws {
        // An IPv4 header as it is in many books, of an address 192.168.0.1 to 192.168.0.199.
        let header: [UInt8] = [
            0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7,
        ]
        var sum = InternetChecksum()
        sum.add(header)
        #expect(sum.value == 0)
        #expect(IPv4Packet((header + [UInt8](repeating: 0, count: 95))[...])?.transport == 17)
        // RFC 1071, section 3; and with an odd byte at the end.
        sum = InternetChecksum()
        sum.add([0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7])
        #expect(sum.value == ~0xddf2)
        sum.add([0x10])
        #expect(sum.value == ~0xedf2)
    }

    @Test("a request is answered, and both sides close")
    func asks() throws {
        let guest = try FakeGuest(["a": ["b": "c"]])
        let answer = try guest.get("/a/b")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\nc"))
        #expect(answer.contains("Content-Type: text/plain\r\n") && answer.contains("Connection: close\r\n"))
        try guest.receive()
        #expect(guest.counters[.opened] == 1 && guest.counters[.closed] == 1 && guest.stack.deadline == nil)
        #expect(guest.counters[.malformed] == 0 && guest.counters[.unusual] == 0)
        #expect(guest.counters[.sentBytes] > UInt64(answer.utf8.count))
    }

    @Test("requests come in any pieces, several over one connection")
    func pieces() throws {
        let guest = try FakeGuest()
        let client = try guest.connect()
        for byte in "GET /a HTTP/1.1\r\nHost: x\r\n\r\n" { client.send(String(byte)) }
        try client.receive { client.text.count > 0 }
        client.text = []
        client.send("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /")
        client.send("a HTTP/1.0\r\n\r\n")
        try client.receive { client.isFinished }
        let text = String(decoding: client.text, as: UTF8.self)
        #expect(text.split(separator: "HTTP/1.1 ").map { $0.prefix(3) } == ["200", "404", "200"])
    }

    @Test("what is lost in either direction comes again", arguments: [2, 3, 5, 7])
    func losses(_ every: Int) throws {
        let long = String(repeating: "0123456789", count: 3000)
        let guest = try FakeGuest(["long": JSON(long)])
        // In no rhythm that the frames could be in, too.
        guest.loses = { ((UInt32($0) &* 0x9e37_79b1) >> 16) % UInt32(every) == 0 }
        let client = try guest.connect()
        let request = "GET /long HTTP/1.1\r\nConnection: close\r\n\r\n"
        // The first half is lost: what is behind it does not count.
        let number = client.sequence
        client.sequence += 10
        client.send(String(request.dropFirst(10)))
        client.sequence = number
        try client.receive()
        client.send(String(request.prefix(20)))
        client.sequence = number + 5
        client.send(String(request.dropFirst(5)))
        try client.receive { client.isFinished }
        let isWhole = String(decoding: client.text, as: UTF8.self).hasSuffix("\r\n\r\n\(long)")
        #expect(isWhole)
    }

    @Test("a peer's window and its segments' size are respected, also a window of none")
    func windows() throws {
        let long = String(repeating: "x", count: 5000)
        let guest = try FakeGuest(["long": JSON(long)])
        for (window, most) in [(1000, 1460), (60000, 100), (300, nil), (1, 1460)] as [(UInt16, UInt16?)] {
            let client = try guest.connect {
                ($0.window, $0.mostPayload) = (window, most)
            }
            client.send("GET /long HTTP/1.1\r\n\r\n")
            try client.receive { client.text.count > 5000 }
        }
        let client = try guest.connect()
        client.window = 0
        client.send("GET /long HTTP/1.1\r\n\r\n")
        #expect(try guest.take(client.port).map(\.payload.count) == [0])
        // It is asked by a byte whether there is room by now.
        for _ in 0..<20 {
            try guest.waitForDeadline()
            let probe = try guest.take(client.port)
            #expect(probe.map(\.payload.count) == [1] && probe[0].sequence == client.expected)
            guest.send(client.segment(.acknowledge))
        }
        client.window = 60000
        guest.send(client.segment(.acknowledge))
        try client.receive { client.text.count > 5000 }
    }

    @Test("three acknowledgements of the same bring the rest again at once")
    func repeats() throws {
        let guest = try FakeGuest(["long": JSON(String(repeating: "x", count: 5000))])
        let client = try guest.connect()
        client.send("GET /long HTTP/1.1\r\n\r\n")
        let sent = try guest.take(client.port)
        #expect(sent.count == 4)
        for _ in 0..<3 { guest.send(client.segment(.acknowledge)) }
        #expect(try guest.take(client.port) == sent)
    }

    @Test("who answers nothing more is given up")
    func silence() throws {
        let guest = try FakeGuest()
        let client = try guest.connect()
        client.send("GET /a HTTP/1.1\r\n\r\n")
        let start = guest.now
        var segments = try guest.take(client.port)
        while guest.stack.deadline != nil {
            try guest.waitForDeadline()
            segments += try guest.take(client.port)
        }
        #expect(segments.count == 2 + TCPConnection.mostTries && segments.last?.flags.contains(.reset) == true)
        #expect(Set(segments.dropLast().map(\.sequence)).count == 1)
        #expect(guest.now - start < 60_000_000_000)
        #expect(guest.counters[.closed] == 1)
    }

    @Test("as many connections as there are places; one that is quiet for long gives its place")
    func many() throws {
        let guest = try FakeGuest()
        var clients: [FakeClient] = []
        for _ in 0..<MetadataStack.mostConnections { clients.append(try guest.connect()) }
        let late = FakeClient(guest)
        guest.send(late.segment(.synchronize))
        let refusal = try guest.take(late.port)
        #expect(refusal.map(\.flags) == [[.reset, .acknowledge]] && refusal[0].acknowledgement == late.sequence + 1)
        guest.now += MetadataStack.patience
        for client in clients.dropFirst(3) { client.send("G") }
        try guest.connect().send("GET /a HTTP/1.1\r\n\r\n")
        try clients[0].receive()
        #expect(clients[0].isReset && guest.counters[.closed] == 1)
        for client in clients.dropFirst(3) {
            client.send("ET /a HTTP/1.1\r\n\r\n")
            try client.receive { client.text.count > 0 }
        }
    }

    @Test("a reset ends a connection, and one whose number is guessed does not; RFC 5961, section 3.2")
    func resets() throws {
        let guest = try FakeGuest()
        let client = try guest.connect()
        let number = client.sequence
        client.sequence = number + 7
        guest.send(client.segment(.reset))
        #expect(try guest.take(client.port).map(\.flags) == [.acknowledge])
        client.sequence = number + 100_000
        guest.send(client.segment(.reset))
        #expect(try guest.take(client.port).isEmpty && guest.counters[.closed] == 0)
        client.sequence = number
        // Nor does another SYN.
        guest.send(client.segment(.synchronize))
        #expect(try guest.take(client.port).map(\.flags) == [.acknowledge])
        guest.send(client.segment(.reset))
        #expect(try guest.take(client.port).isEmpty && guest.counters[.closed] == 1)
        // Nobody knows it any more.
        client.send("GET /a HTTP/1.1\r\n\r\n")
        let answer = try guest.take(client.port)
        #expect(answer.map(\.flags) == [.reset] && answer[0].sequence == client.expected)
    }

    @Test("other ports are closed, and other protocols are not answered")
    func others() throws {
        let guest = try FakeGuest()
        var segment = TCPSegment(from: 40000, to: 81, SequenceNumber(5), .synchronize)
        guest.send(segment)
        #expect(try guest.take(40000).map(\.flags) == [[.reset, .acknowledge]])
        // A reset is never answered by another.
        segment.flags = [.reset, .acknowledge]
        guest.send(segment)
        #expect(guest.receiveFrames().isEmpty)
        let ping = IPv4Packet(from: FakeGuest.address, to: guest.stack.address, 1, [8, 0, 0, 0])
        #expect(guest.send(frame: EthernetFrame(to: 1, from: FakeGuest.hardware, .ipv4, ping.bytes).bytes))
        #expect(guest.receiveFrames().isEmpty && guest.counters[.unusual] == 3)
        // More refusals than are kept for a guest that takes none.
        for port in 1...500 as ClosedRange<UInt16> {
            guest.send(TCPSegment(from: port, to: 81, SequenceNumber(5), .synchronize))
        }
        #expect(guest.receiveFrames().count == MetadataStack.mostRefusals)
    }

    @Test("a frame that arrived badly is as if lost, but for a checksum that the guest left to its card")
    func damage() throws {
        let guest = try FakeGuest()
        let client = try guest.connect()
        let good = guest.frame(client.segment([.acknowledge, .push], Array("GET /a HTTP/1.0\r\n\r\n".utf8)))
        // IPv4's header but for the address, TCP's header, the text.
        for index in [14, 16, 20, 22, 24, 26, 40, 46, 50, 60] {
            var bad = good
            bad[index] ^= 0x55
            guest.send(frame: bad)
            #expect(guest.receiveFrames().isEmpty, "byte \(index)")
        }
        for count in 34..<54 { guest.send(frame: Array(good.prefix(count))) }
        #expect(guest.receiveFrames().isEmpty && guest.counters[.malformed] == 30)
        var unfinished = good
        unfinished[50] ^= 0x55
        // Frames have a least size.
        guest.send(frame: unfinished + [UInt8](repeating: 0, count: 30), hasChecksum: false)
        #expect(!guest.receiveFrames().isEmpty)
    }

    @Test("who asks and does not take the answers is not asked for more")
    func backlog() throws {
        let guest = try FakeGuest(["long": JSON(String(repeating: "x", count: 4000))])
        let request = "GET /long HTTP/1.1\r\n\r\n"
        let other = try guest.connect()
        other.send(request)
        try other.receive { other.text.count > 4000 }
        let client = try guest.connect()
        var sent = 0
        client.window = 0
        // Until the window is full.
        while true {
            guest.send(client.segment([.acknowledge, .push], Array(request.utf8)))
            let room = try guest.take(client.port).last.map { Int($0.window) } ?? 0
            client.sequence += UInt32(request.utf8.count)
            sent += 1
            guard room >= request.utf8.count else { break }
            try #require(sent < 1000)
        }
        client.window = 60000
        guest.send(client.segment(.acknowledge))
        try client.receive { client.text.count >= sent * other.text.count }
        let answers = String(decoding: client.text, as: UTF8.self).split(separator: "HTTP/1.1 200 OK").count
        #expect(answers == sent && sent > 300)
    }

    @Test("a driver that starts anew finds no old connections")
    func restarts() throws {
        let guest = try FakeGuest()
        _ = try guest.connect()
        guest.stack.reset()
        #expect(guest.receiveFrames().isEmpty && guest.stack.deadline == nil)
        #expect(guest.counters[.opened] == 1 && guest.counters[.closed] == 1)
    }
}
