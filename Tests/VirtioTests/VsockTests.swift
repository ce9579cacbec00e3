import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

/// A guest's side of the vsock device: packets by hand.
private final class Guest {
    static let cid: UInt64 = 42
    let path: String
    let machine: FakeMachine
    private var rooms: [UInt16: FakeBuffer] = [:]
    /// What the guest says it can hold.
    var bufferSize: UInt32 = 64 << 10
    var forwarded: UInt32 = 0

    init(_ features: Features = Features(rawValue: .max), buffers: Int = 30) throws {
        path = "/tmp/bh-vsock-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let vsock = try Vsock(cid: Guest.cid, path: path)
        // A test on a busy machine is no side that does not answer.
        vsock.patience = 3_600_000_000_000
        machine = try FakeMachine(vsock)
        try machine.boot(features)
        try offer(buffers)
    }

    func offer(_ count: Int) throws {
        for _ in 0..<count {
            let room = machine.room(4096)
            rooms[try machine.queues[0].add(room)] = room
        }
        try machine.queues[0].kick()
        machine.run()
    }

    func send(
        _ operation: VsockPacket.Operation, _ data: [UInt8] = [], host: UInt32, guest: UInt32, flags: UInt32 = 0,
        kind: UInt16 = 1, from cid: UInt64 = Guest.cid
    ) throws {
        let header = bytes(
            cid, UInt64(2), guest, host, UInt32(data.count), kind, operation.rawValue, flags, bufferSize, forwarded)
        if data.isEmpty {
            try machine.queues[1].submit(machine.place(header))
        } else {
            try machine.queues[1].submit(machine.place(header), machine.place(data))
        }
        while try machine.queues[1].takeUsed() != nil {}
    }

    struct Packet {
        var operation: UInt16
        var host: UInt32
        var guest: UInt32
        var flags: UInt32
        var bufferSize: UInt32
        var forwarded: UInt32
        var data: [UInt8]
    }

    /// The next packet from the device.
    func receive() throws -> Packet? {
        machine.run()
        guard let (identifier, length) = try machine.queues[0].takeUsed(), let room = rooms[identifier] else {
            return nil
        }
        let all = Array(try machine.contents(room).prefix(Int(length)))
        #expect(all.integer(0, as: UInt64.self) == 2)
        #expect(all.integer(8, as: UInt64.self) == Guest.cid)
        #expect(Int(all.integer(24, as: UInt32.self)) == all.count - 44)
        #expect(all.integer(28, as: UInt16.self) == 1)
        return Packet(
            operation: all.integer(30), host: all.integer(16), guest: all.integer(20), flags: all.integer(32),
            bufferSize: all.integer(36), forwarded: all.integer(40), data: Array(all[44...]))
    }

    func expect(_ operation: VsockPacket.Operation) throws -> Packet {
        let packet = try #require(try receive(), "no packet, where \(operation) should be")
        #expect(packet.operation == operation.rawValue)
        return packet
    }

    /// A connection that a host's program starts: its socket, and the host's port.
    func connected(to port: UInt32) throws -> Program {
        let program = Program(try UnixSocket.connect(to: path))
        program.say("CONNECT \(port)\n")
        let request = try expect(.request)
        #expect(request.guest == port)
        try send(.response, host: request.host, guest: port)
        #expect(program.heard() == "OK \(request.host)\n")
        program.port = request.host
        return program
    }
}

/// A program on the host, with its end of a Unix socket.
private final class Program {
    private let socket: CInt
    var port: UInt32 = 0

    init(_ descriptor: consuming Descriptor) {
        socket = descriptor.release()
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    }

    deinit { close(socket) }

    func say(_ bytes: [UInt8]) -> Int { Glibc.send(socket, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }
    func say(_ text: String) { #expect(say(Array(text.utf8)) == text.utf8.count) }
    func stopSaying() { #expect(shutdown(socket, CInt(SHUT_WR)) == 0) }

    /// nil at the end.
    func read(limit: Int = 1 << 20) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = recv(socket, &bytes, limit, 0)
        return count == 0 ? nil : Array(bytes.prefix(max(0, count)))
    }
    func heard() -> String? { read().map { String(decoding: $0, as: UTF8.self) } }

    /// Whether the other side has closed. A child that another test makes has that side, too, until it is another program.
    var isCutOff: Bool {
        var wait = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&wait, 1, 60_000) == 1 && heard() == nil
    }
}

@Suite struct VsockTests {
    @Test("a host's program reaches a guest's port, and bytes go both ways", arguments: layouts)
    func hostConnects(_ layout: Features) throws {
        let guest = try Guest(layout)
        let program = try guest.connected(to: 52)
        program.say("to the guest")
        #expect(try guest.expect(.data).data == Array("to the guest".utf8))
        try guest.send(.data, Array("to the host".utf8), host: program.port, guest: 52)
        #expect(program.heard() == "to the host")
        try guest.send(.shutdown, host: program.port, guest: 52, flags: 3)
        _ = try guest.expect(.reset)
        #expect(program.isCutOff)
        #expect((guest.machine.device as? Vsock)?.connectionCount == 0)
    }

    @Test("a guest reaches who listens on the host, and is refused where nobody does")
    func guestConnects() throws {
        let guest = try Guest()
        let listener = try UnixSocket.listen(at: "\(guest.path)_7")
        defer { unlink("\(guest.path)_7") }
        try guest.send(.request, host: 7, guest: 1000)
        let response = try guest.expect(.response)
        #expect(response.host == 7 && response.guest == 1000 && response.bufferSize == VsockConnection.bufferSize)
        let program = Program(try UnixSocket.accept(on: listener))
        try guest.send(.data, Array("hi".utf8), host: 7, guest: 1000)
        #expect(program.heard() == "hi")
        try guest.send(.request, host: 8, guest: 1000)
        let refusal = try guest.expect(.reset)
        #expect(refusal.host == 8 && refusal.guest == 1000)
    }

    @Test("no more is sent than the guest has credit for, and it goes on with more; section 5.10.6.3")
    func credits() throws {
        let guest = try Guest()
        guest.bufferSize = 1000
        let program = try guest.connected(to: 52)
        let data = (0..<2500).map { UInt8(truncatingIfNeeded: $0) }
        #expect(program.say(data) == 2500)
        #expect(try guest.expect(.data).data == Array(data[..<1000]))
        _ = try guest.expect(.creditRequest)
        #expect(try guest.receive() == nil)
        guest.forwarded = 600
        try guest.send(.creditUpdate, host: program.port, guest: 52)
        #expect(try guest.expect(.data).data == Array(data[1000..<1600]))
        _ = try guest.expect(.creditRequest)
        guest.forwarded = 1600
        try guest.send(.creditUpdate, host: program.port, guest: 52)
        #expect(try guest.expect(.data).data == Array(data[1600...]))
        #expect(try guest.receive() == nil)
    }

    @Test("what a slow program does not take is held up to the promised size; more breaks the connection")
    func slowProgram() throws {
        let guest = try Guest()
        let program = try guest.connected(to: 52)
        let block = [UInt8](repeating: 7, count: 32 << 10)
        var sent = 0
        var told: UInt32 = 0
        // As a driver does: as much as credit allows.
        while sent - Int(told) + block.count <= Int(VsockConnection.bufferSize) {
            try guest.send(.data, block, host: program.port, guest: 52)
            sent += block.count
            while let packet = try guest.receive() {
                #expect(packet.operation == VsockPacket.Operation.creditUpdate.rawValue)
                told = packet.forwarded
            }
            guest.machine.forgetBuffers()
        }
        #expect(sent > Int(VsockConnection.bufferSize), "the socket's own buffer comes on top")
        var got = 0
        while let bytes = program.read(), !bytes.isEmpty {
            got += bytes.count
            guest.machine.run()
        }
        #expect(got == sent)
        while try guest.receive() != nil {}
        var isBroken = false
        for _ in 0..<40 where !isBroken {
            try guest.send(.data, block, host: program.port, guest: 52)
            while let packet = try guest.receive() {
                isBroken = isBroken || packet.operation == VsockPacket.Operation.reset.rawValue
            }
            guest.machine.forgetBuffers()
        }
        #expect(isBroken)
        #expect(guest.machine.status.isDisjoint(with: .needsReset))
    }

    @Test("a program that reads steadily but never all does not make the device hold ever more")
    func steadyProgram() throws {
        let guest = try Guest()
        let program = try guest.connected(to: 52)
        let connection = try #require((guest.machine.device as? Vsock)?.connections.values.first)
        let block = [UInt8](repeating: 7, count: 32 << 10)
        for _ in 0..<100 {
            // Always half of what may be held is.
            while connection.bufferedCount < 128 << 10 {
                try guest.send(.data, block, host: program.port, guest: 52)
                while try guest.receive() != nil { try guest.offer(1) }
            }
            var taken = 0
            while taken < 64 << 10, let bytes = program.read(limit: 16 << 10), !bytes.isEmpty { taken += bytes.count }
            guest.machine.run()
            try #require(connection.buffered.count <= 2 * Int(VsockConnection.bufferSize))
        }
    }

    @Test("a packet larger than any credit breaks the connection")
    func largePacket() throws {
        let guest = try Guest()
        let program = try guest.connected(to: 52)
        let data = [UInt8](repeating: 1, count: Int(VsockConnection.bufferSize) + 1)
        try guest.send(.data, data, host: program.port, guest: 52)
        _ = try guest.expect(.reset)
        #expect((guest.machine.device as? Vsock)?.counts.failedWrites == 1)
    }

    @Test("a program that goes without what was kept for it breaks the connection")
    func programGoes() throws {
        let guest = try Guest()
        let vsock = try #require(guest.machine.device as? Vsock)
        var program: Program? = try guest.connected(to: 52)
        let port = try #require(program?.port)
        let block = [UInt8](repeating: 7, count: 32 << 10)
        while vsock.connections.values.first?.bufferedCount == 0 {
            try guest.send(.data, block, host: port, guest: 52)
            while try guest.receive() != nil { try guest.offer(1) }
        }
        program = nil
        try guest.machine.run { vsock.connectionCount == 0 }
        #expect(vsock.counts.failedFlushes == 1 && vsock.counts.failedWrites == 0)
    }

    @Test("who does not answer in time is given up: a program without a greeting, a guest without a response")
    func patience() throws {
        let guest = try Guest()
        let vsock = try #require(guest.machine.device as? Vsock)
        vsock.patience = 20_000_000
        let mute = Program(try UnixSocket.connect(to: guest.path))
        guest.machine.run()
        #expect(vsock.connectionCount == 1)
        try guest.machine.run { vsock.connectionCount == 0 }
        #expect(mute.isCutOff)
        let program = Program(try UnixSocket.connect(to: guest.path))
        program.say("CONNECT 5\n")
        _ = try guest.expect(.request)
        try guest.machine.run { vsock.connectionCount == 0 }
        _ = try guest.expect(.reset)
        #expect(program.isCutOff)
        #expect(vsock.counts.killed == 2 && vsock.counts.removed == 2)
    }

    @Test("a host without free descriptors leaves programs waiting, and the loop does not spin")
    func noDescriptors() async {
        await #expect(processExitsWith: .success) {
            let guest = try Guest()
            let vsock = try #require(guest.machine.device as? Vsock)
            // A listener that rests tries again after a quarter of this.
            vsock.patience = 40_000_000
            let program = Program(try UnixSocket.connect(to: guest.path))
            program.say("CONNECT 52\n")
            var limit = rlimit()
            // RLIMIT_NOFILE
            try #require(getrlimit(__rlimit_resource_t(7), &limit) == 0)
            let old = limit
            // None at all: what else this process has open may be closed at any moment, and its number taken.
            limit.rlim_cur = 0
            try #require(setrlimit(__rlimit_resource_t(7), &limit) == 0)
            for _ in 0..<2 {
                var wakes = 0
                let end = Timer.now + 200_000_000
                while Timer.now < end { wakes += try guest.machine.loop.poll(timeoutMilliseconds: 10) }
                // Each try is the timer and the listener: 40 of them in this time.
                try #require((2...60).contains(wakes))
                try #require(vsock.connectionCount == 0)
                guest.machine.transport.pause()
                guest.machine.transport.resume()
            }
            try #require(setrlimit(__rlimit_resource_t(7), [old]) == 0)
            vsock.patience = 3_600_000_000_000
            try guest.machine.run { vsock.connectionCount == 1 }
            try #require(try guest.expect(.request).guest == 52)
        }
    }

    @Test("each side can stop sending and go on receiving")
    func halfClosed() throws {
        let guest = try Guest()
        let program = try guest.connected(to: 52)
        program.say("last words")
        program.stopSaying()
        #expect(try guest.expect(.data).data == Array("last words".utf8))
        #expect(try guest.expect(.shutdown).flags == VsockPacket.Shutdown.send.rawValue)
        try guest.send(.data, Array("answer".utf8), host: program.port, guest: 52)
        #expect(program.heard() == "answer")
        try guest.send(.shutdown, host: program.port, guest: 52, flags: 2)
        #expect(program.isCutOff)
        try guest.send(.shutdown, host: program.port, guest: 52, flags: 1)
        _ = try guest.expect(.reset)
    }

    @Test("a program that goes ends its connection, and one that says nonsense gets none")
    func goes() throws {
        let guest = try Guest()
        var program: Program? = try guest.connected(to: 52)
        let port = try #require(program).port
        program = nil
        _ = try guest.expect(.shutdown)
        try guest.send(.data, [1], host: port, guest: 52)
        _ = try guest.expect(.reset)
        for greeting in [
            "HELLO\n", "CONNECT\n", "CONNECT x\n", "CONNECT 4294967296\n", "CONNECT 1 2\n", "CONNECT -1\n",
        ] {
            let bad = Program(try UnixSocket.connect(to: guest.path))
            bad.say(greeting)
            #expect(try guest.receive() == nil)
            #expect(bad.isCutOff)
        }
        let long = Program(try UnixSocket.connect(to: guest.path))
        long.say(String(repeating: "x", count: 100))
        #expect(try guest.receive() == nil)
        #expect((guest.machine.device as? Vsock)?.connectionCount == 0)
    }

    @Test("a guest's refusal reaches the program")
    func refused() throws {
        let guest = try Guest()
        let program = Program(try UnixSocket.connect(to: guest.path))
        program.say("CONNECT 99\n")
        let request = try guest.expect(.request)
        try guest.send(.reset, host: request.host, guest: 99)
        #expect(program.isCutOff)
    }

    @Test("packets in another's name are dropped, other kinds and unknown connections refused; section 5.10.6.4")
    func strangers() throws {
        let guest = try Guest()
        try guest.send(.request, host: 7, guest: 1, from: 43)
        #expect(try guest.receive() == nil)
        try guest.send(.request, host: 7, guest: 1, kind: 2)
        _ = try guest.expect(.reset)
        try guest.send(.data, [1], host: 7, guest: 1)
        _ = try guest.expect(.reset)
        try guest.send(.reset, host: 7, guest: 1)
        #expect(try guest.receive() == nil, "a refusal is not refused")
    }

    @Test("answers wait for buffers, and not without end")
    func noBuffers() throws {
        let guest = try Guest(buffers: 0)
        for port in 0..<UInt32(Vsock.mostResets + 50) {
            try guest.send(.data, host: port, guest: 1)
            guest.machine.forgetBuffers()
        }
        var count = 0
        for _ in 0..<6 {
            try guest.offer(45)
            while try guest.receive() != nil { count += 1 }
        }
        #expect(count == Vsock.mostResets)
    }

    @Test("a path that is taken or too long, and a reserved CID, are refused; the path goes with the device")
    func paths() throws {
        var guest: Guest? = try Guest()
        let path = try #require(guest).path
        #expect(throws: SystemError.self) { _ = try Vsock(cid: 3, path: path) }
        #expect(throws: SystemError.self) { _ = try Vsock(cid: 3, path: "/tmp/" + String(repeating: "x", count: 200)) }
        for cid in [0, 1, 2, 0xffff_ffff, .max] as [UInt64] {
            #expect(throws: SystemError.self) { _ = try Vsock(cid: cid, path: path + "x") }
        }
        guest = nil
        #expect(access(path, F_OK) != 0)
    }

    @Test("a restored guest is told that its connections are gone")
    func restored() throws {
        let guest = try Guest()
        _ = try guest.connected(to: 52)
        let machine = guest.machine
        machine.transport.pause()
        let event = machine.room(8)
        try machine.queues[2].add(event)
        let state = machine.transport.save()
        let other = try FakeMachine(try Vsock(cid: Guest.cid, path: guest.path + "b"), memory: machine.memory)
        try other.transport.restore(state)
        other.run()
        #expect(try machine.queues[2].takeUsed()?.length == 4)
        #expect(try machine.contents(event)[0] == 0)
        let third = try FakeMachine(try Vsock(cid: 9, path: guest.path + "c"), memory: machine.memory)
        #expect(throws: StateError.self) { try third.transport.restore(state) }
    }

    @Test("a hostile driver is survived")
    func hostile() throws {
        let guest = try Guest()
        let listener = try UnixSocket.listen(at: "\(guest.path)_7", backlog: 4)
        defer { unlink("\(guest.path)_7") }
        var headers: [[UInt8]] = []
        for operation in 0..<9 {
            for length in [0, 100, UInt32.max] {
                headers.append(
                    bytes(
                        Guest.cid, UInt64(2), UInt32(1000), UInt32(7), length, UInt16(1), UInt16(operation), UInt32(3),
                        UInt32(4096), UInt32(0)))
            }
        }
        var hostile = Hostile(seed: 4, guest.machine, headers: headers)
        var programs: [Program] = []
        for round in 0..<20 {
            try hostile.run(rounds: 10) {
                let program = Program(try UnixSocket.connect(to: guest.path))
                program.say("CONNECT \(round)\n")
                programs.append(program)
            }
        }
        _ = listener
        try guest.machine.boot()
        guest.machine.run()
        programs = []
        try guest.machine.boot()
        try guest.offer(30)
        let program = try guest.connected(to: 5)
        program.say("alive")
        #expect(try guest.expect(.data).data == Array("alive".utf8))
        #expect(hostile.resets > 10)
    }
}
