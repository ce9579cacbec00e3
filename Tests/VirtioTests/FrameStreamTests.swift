import Glibc
import GuestMemory
import Linux
import Testing

@testable import Virtio

/// Who is at the other end of a stream, as passt is.
private final class Peer {
    private var socket: Descriptor?

    init(_ socket: consuming Descriptor) throws {
        try socket.setNonBlocking(true)
        self.socket = consume socket
    }

    func leave() { socket = nil }

    /// As many bytes as the socket takes.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Int { write(socket?.rawValue ?? -1, bytes, bytes.count) }

    func receive(upTo count: Int = 1 << 20) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let length = read(socket?.rawValue ?? -1, &bytes, count)
        return Array(bytes.prefix(max(0, length)))
    }
}

private func frame(_ count: Int, _ seed: Int = 1) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
}

/// As it is on the socket.
private func packed(_ frame: [UInt8]) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: frame.count >> (24 - 8 * $0)) } + frame
}

private let header = [UInt8](repeating: 0, count: 12)
private let everything = Features(rawValue: 0xff_ffff)

@Suite struct FrameStreamTests {
    private func pair(_ options: Network.Options = .init()) throws -> (FakeMachine, Peer) {
        let ends = try SocketPair(.stream)
        let peer = try Peer(try ends.second.duplicate())
        return (try FakeMachine(try Network(try FrameStream(ends.takeFirst()), options)), peer)
    }

    private func isUp(_ machine: FakeMachine) -> Bool { machine.configuration(6, as: UInt16.self) == 1 }

    /// Gives the driver's side buffers, of which ``received(_:_:)`` reads.
    private func rooms(_ machine: FakeMachine, _ count: Int) throws -> [FakeBuffer] {
        let rooms = (0..<count).map { _ in machine.room(2000) }
        for room in rooms { try machine.queues[0].add(room) }
        try machine.queues[0].kick()
        machine.run()
        return rooms
    }

    @Test("no work is left to the other side, which would not hear of it")
    func features() throws {
        let (machine, _) = try pair()
        typealias Bits = Features.Network
        #expect(machine.offered.isDisjoint(with: Bits.guestOffloads.union(Bits.hostOffloads)))
        #expect(machine.offered.isDisjoint(with: [Bits.controlOffloads, Bits.multiQueue]))
        #expect(machine.offered.isSuperset(of: [Bits.mergeableBuffers, Bits.status]))
    }

    @Test("frames come whole, wherever the stream was cut", arguments: [1, 3, 4, 5, 17, 18, 19, 100, 163])
    func cuts(_ step: Int) throws {
        let (machine, peer) = try pair()
        try machine.boot(everything)
        let rooms = try rooms(machine, 40)
        let frames = [frame(14), frame(60, 2), frame(61, 3)]
        let stream = frames.flatMap(packed)
        for start in stride(from: 0, to: stream.count, by: step) {
            peer.send(Array(stream[start..<min(start + step, stream.count)]))
            machine.run()
        }
        #expect(try machine.queues[0].takeAllUsed() == frames.map { UInt32($0.count + 12) })
        for (room, frame) in zip(rooms, frames) {
            let bytes = try machine.contents(room)
            #expect(Array(bytes[12..<12 + frame.count]) == frame)
            #expect(Array(bytes[..<12]) == [UInt8](repeating: 0, count: 10) + [1, 0])
        }
    }

    @Test("a frame of the largest size comes, and goes")
    func largest() throws {
        let (machine, peer) = try pair()
        try machine.boot(everything)
        let rooms = try rooms(machine, 40)
        let large = frame(FrameStream.lengths.upperBound)
        #expect(peer.send(packed(large)) == large.count + 4)
        machine.run()
        let lengths = try machine.queues[0].takeAllUsed()
        #expect(lengths.reduce(0, +) == UInt32(large.count + 12))
        let bytes = try rooms.prefix(lengths.count).flatMap { try machine.contents($0) }
        // Compared outside: of two long lists that differ, #expect looks for the shortest difference.
        let hasCome = Array(bytes[12..<12 + large.count]) == large
        #expect(hasCome)
        try machine.queues[1].submit(machine.place(header + large))
        let hasGone = peer.receive() == packed(large)
        #expect(hasGone)
    }

    @Test("frames wait for buffers; without merging one that does not fit is lost")
    func waits() throws {
        let (machine, peer) = try pair()
        try machine.boot([])
        for size in [50, 3000, 70] { peer.send(packed(frame(size))) }
        machine.run()
        _ = try rooms(machine, 2)
        #expect(try machine.queues[0].takeAllUsed() == [62, 82])
    }

    @Test("more frames than one turn takes are followed by the rest")
    func turns() throws {
        let (machine, peer) = try pair()
        try machine.boot(everything, queueSize: 256)
        _ = try rooms(machine, 256)
        peer.send((0..<200).flatMap { packed(frame(20, $0)) })
        try machine.loop.poll(timeoutMilliseconds: 0)
        #expect(try machine.queues[0].takeAllUsed().count == Network.budget)
        machine.run()
        #expect(try machine.queues[0].takeAllUsed().count == 200 - Network.budget)
    }

    @Test("a peer that does not read makes frames wait; what it reads then is whole and in order")
    func hangs() throws {
        let (machine, peer) = try pair()
        try machine.boot(everything, queueSize: 256)
        let frames = (0..<120).map { frame(1000 + 97 * $0, $0) }
        for frame in frames { try machine.queues[1].add(machine.place(header + frame)) }
        try machine.queues[1].kick()
        machine.run()
        #expect(try machine.queues[1].takeAllUsed().count < frames.count)
        #expect(try machine.loop.poll(timeoutMilliseconds: 0) == 0, "it waits, and does nothing else")
        var stream: [UInt8] = []
        while true {
            // Odd, so that the socket's pieces are cut anywhere.
            let bytes = peer.receive(upTo: 4999)
            if bytes.isEmpty { break }
            stream += bytes
            machine.run()
        }
        let isWhole = stream == frames.flatMap(packed)
        #expect(isWhole)
    }

    @Test("half a frame is nothing yet, and nothing is done while it stays so")
    func half() throws {
        let (machine, peer) = try pair()
        try machine.boot(everything)
        _ = try rooms(machine, 40)
        peer.send(Array(packed(frame(1000)).prefix(500)))
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [])
        #expect(try machine.loop.poll(timeoutMilliseconds: 0) == 0)
        machine.transport.pause()
        machine.transport.resume()
        peer.send(Array(packed(frame(1000)).dropFirst(500)))
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [1012], "a pause in between does not matter")
    }

    @Test(
        "a length that no frame has ends the connection",
        arguments: [0, 13, 65551, 0x7fff_ffff, 0xffff_ffff] as [UInt32])
    func hostile(_ length: UInt32) throws {
        let (machine, peer) = try pair()
        try machine.boot(everything)
        _ = try rooms(machine, 40)
        peer.send(packed(frame(60)) + bytes(length.bigEndian) + frame(5000))
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [72], "what came before it was a frame")
        #expect(!isUp(machine) && !machine.status.contains(.needsReset))
        #expect(machine.read(.interruptStatus) & 2 == 2)
        #expect(try machine.loop.poll(timeoutMilliseconds: 0) == 0)
    }

    @Test("when the peer leaves the link is down, and what the guest sends is lost", arguments: [false, true])
    func leaves(_ isMidway: Bool) throws {
        let (machine, peer) = try pair()
        try machine.boot(everything, queueSize: 256)
        _ = try rooms(machine, 40)
        #expect(isUp(machine))
        let packet = try machine.place(header + frame(60000))
        for _ in 0..<(isMidway ? 20 : 0) { try machine.queues[1].add(packet) }
        try machine.queues[1].kick()
        machine.run()
        peer.send(Array(packed(frame(1000)).prefix(isMidway ? 500 : 0)))
        peer.leave()
        machine.run()
        #expect(!isUp(machine) && machine.read(.interruptStatus) & 2 == 2)
        try machine.queues[1].submit(packet)
        #expect(try machine.queues[1].takeAllUsed().count == (isMidway ? 21 : 1))
        #expect(try machine.queues[0].takeAllUsed() == [])
        #expect(!machine.status.contains(.needsReset))
        #expect(try machine.loop.poll(timeoutMilliseconds: 0) == 0)
        try machine.boot(everything)
        #expect(!isUp(machine), "another driver learns of it, too")
    }

    @Test("by a path it connects again, when somebody is there")
    func reconnects() throws {
        let path = "/tmp/bulkhead-stream-\(getpid())"
        defer { unlink(path) }
        #expect(throws: SystemError.self) { try FrameStream(connectingTo: path) }
        var listener: Descriptor? = try UnixSocket.listen(at: path)
        let machine = try FakeMachine(try Network(try FrameStream(connectingTo: path)))
        let first = try Peer(try UnixSocket.accept(on: listener!))
        try machine.boot(everything)
        _ = try rooms(machine, 40)
        first.send(Array(packed(frame(1000)).prefix(500)))
        machine.run()
        unlink(path)
        listener = nil
        first.leave()
        try machine.run { !isUp(machine) }
        // An attempt while nobody is there.
        usleep(600_000)
        machine.run()
        #expect(!isUp(machine))
        listener = try UnixSocket.listen(at: path)
        try machine.run { isUp(machine) }
        let second = try Peer(try UnixSocket.accept(on: listener!))
        second.send(packed(frame(80)))
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [92], "without what came from the first")
        try machine.queues[1].submit(machine.place(header + frame(90)))
        #expect(second.receive() == packed(frame(90)))
    }

    @Test("what is no frame is not sent, and a hostile driver is survived")
    func driver() throws {
        let (machine, peer) = try pair()
        try machine.boot(everything)
        try machine.queues[1].submit(machine.place(header + frame(13)))
        try machine.queues[1].submit(machine.place(header + frame(FrameStream.lengths.upperBound + 1)))
        #expect(try machine.queues[1].takeAllUsed().count == 2)
        #expect(peer.receive().isEmpty)
        var hostile = Hostile(seed: 3, machine, headers: [header, header + frame(60), header + frame(3000)])
        var stream: [UInt8] = []
        for round in 0..<20 {
            try hostile.run(rounds: 5) {
                peer.send(packed(frame(20 + 100 * round)))
                stream += peer.receive()
            }
        }
        try machine.boot(everything)
        try machine.queues[1].submit(machine.place(header + frame(99)))
        machine.run()
        stream += peer.receive()
        // Whatever it did, the peer got frames and nothing between them.
        var rest = stream[...]
        var last: [UInt8] = []
        while rest.count >= 4 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard FrameStream.lengths.contains(length), rest.count >= 4 + length else { break }
            last = Array(rest.dropFirst(4).prefix(length))
            rest = rest.dropFirst(4 + length)
        }
        #expect(rest.isEmpty && last == frame(99) && isUp(machine))
    }
}
