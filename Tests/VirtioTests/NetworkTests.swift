import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

/// The far ends of a card's cables.
final class FarEnds {
    private var numbers: [CInt] = []
    let taps: [Tap]

    init(_ count: Int = 1) throws {
        var taps: [Tap] = []
        for _ in 0..<count {
            let pair = try SocketPair()
            let far = try pair.second.duplicate()
            taps.append(try Tap(socket: pair.takeFirst()))
            numbers.append(far.release())
        }
        self.taps = taps
    }

    deinit { for number in numbers { close(number) } }

    func send(_ frame: [UInt8], header: [UInt8] = [UInt8](repeating: 0, count: 12), over cable: Int = 0) {
        #expect(write(numbers[cable], header + frame, frame.count + 12) == frame.count + 12)
    }

    func receive(_ cable: Int = 0) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 70000)
        let count = recv(numbers[cable], &bytes, bytes.count, CInt(MSG_DONTWAIT))
        return count < 0 ? nil : Array(bytes.prefix(count))
    }
}

private func frame(_ count: Int, _ seed: UInt8 = 1) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) ^ seed }
}

private let plain = [UInt8](repeating: 0, count: 12)

@Suite struct NetworkTests {
    private func machine(
        _ ends: FarEnds, _ change: (inout Network.Options) -> Void = { _ in }
    ) throws -> FakeMachine {
        var options = Network.Options()
        change(&options)
        return try FakeMachine(try Network(ends.taps, options))
    }

    @Test("frames go out, header first, wherever the driver cut them", arguments: layouts)
    func transmits(_ layout: Features) throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot(layout.union(Features(rawValue: 0xff_ffff)))
        let data = frame(1000)
        try machine.queues[1].submit(
            machine.place(plain + data[..<10]), machine.place(Array(data[10...])),
            indirect: layout.contains(.indirectDescriptors))
        #expect(ends.receive() == plain + data)
        #expect(try machine.queues[1].takeAllUsed() == [0])
        #expect(machine.line.take() == 1)
    }

    @Test("a frame that is larger than a buffer is cut into several, and the header counts them; section 5.1.6.4")
    func merges() throws {
        for layout in layouts {
            let ends = try FarEnds()
            let machine = try machine(ends)
            try machine.boot(layout.union(Features(rawValue: 0xff_ffff)))
            let rooms = (0..<40).map { _ in machine.room(2000) }
            for room in rooms { try machine.queues[0].add(room) }
            try machine.queues[0].kick()
            machine.run()
            ends.send(frame(5000))
            ends.send(frame(60, 2))
            machine.run()
            #expect(try machine.queues[0].takeAllUsed() == [2000, 2000, 1012, 72])
            let received = try rooms.prefix(3).flatMap { try machine.contents($0) }.prefix(5012)
            #expect(Array(received.dropFirst(12)) == frame(5000))
            #expect(received[10] == 3 && received[11] == 0)
            let second = try machine.contents(rooms[3])
            #expect(Array(second[12..<72]) == frame(60, 2) && second[10] == 1)
        }
    }

    @Test("without merging one buffer takes one frame, and a frame that does not fit is lost")
    func single() throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot([])
        let (first, second) = (machine.room(1526), machine.room(1526))
        try machine.queues[0].add(first)
        try machine.queues[0].add(second)
        try machine.queues[0].kick()
        machine.run()
        ends.send(frame(100))
        ends.send(frame(3000))
        ends.send(frame(200))
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [112, 212])
        #expect(try machine.contents(first)[10] == 1)
        #expect(try Array(machine.contents(second)[12..<212]) == frame(200))
    }

    @Test("a driver that did not agree to checksums sees no flags; section 5.1.6.4.1")
    func flags() throws {
        for (features, expected) in [(Features(), 0), (Features.Network.guestChecksum, 2)] as [(Features, UInt8)] {
            let ends = try FarEnds()
            let machine = try machine(ends)
            try machine.boot(features)
            let room = machine.room(1526)
            try machine.queues[0].submit(room)
            ends.send(frame(60), header: [2] + [UInt8](repeating: 0, count: 11))
            machine.run()
            #expect(try machine.contents(room)[0] == expected)
        }
    }

    @Test("frames wait for buffers, also one too large for those that are there")
    func waits() throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot()
        ends.send(frame(50))
        ends.send(frame(4000, 3))
        ends.send(frame(70, 4))
        let network = try #require(machine.device as? Network)
        let before = network.counts
        machine.run()
        #expect(network.counts.missingBuffers > before.missingBuffers)
        // A driver that notifies of nothing.
        machine.write(.queueNotify, 1)
        machine.run()
        #expect(network.counts.missingFrames == before.missingFrames + 1)
        try machine.queues[0].submit(machine.room(1000))
        #expect(try machine.queues[0].takeAllUsed() == [62])
        let rooms = (0..<5).map { _ in machine.room(1000) }
        try machine.queues[0].submit(rooms[0])
        try machine.queues[0].submit(rooms[1])
        #expect(try machine.queues[0].takeAllUsed() == [])
        for room in rooms[2...] { try machine.queues[0].submit(room) }
        #expect(try machine.queues[0].takeAllUsed() == [1000, 1000, 1000, 1000, 12])
        #expect(try Array(rooms.flatMap { try machine.contents($0) }[12..<4012]) == frame(4000, 3))
        try machine.queues[0].submit(machine.room(1000))
        #expect(try machine.queues[0].takeAllUsed() == [82])
    }

    @Test("a driver that has buffers enough is not asked to notify of more")
    func suppression() throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot(Features(rawValue: 0xff_ffff).union(.eventIndex))
        for _ in 0..<40 { try machine.queues[0].add(machine.room(2000)) }
        try machine.queues[0].kick()
        machine.run()
        try machine.queues[0].add(machine.room(2000))
        #expect(try machine.queues[0].kick() == false)
    }

    @Test("several pairs work once the driver asks for them; section 5.1.6.5.5")
    func multiQueue() throws {
        let ends = try FarEnds(3)
        let machine = try machine(ends)
        try machine.boot()
        #expect(machine.configuration(8, as: UInt16.self) == 3)
        func command(_ bytes: [UInt8]) throws -> UInt8 {
            let answer = machine.room(1)
            try machine.queues[6].submit(machine.place(Array(bytes[..<2])), machine.place(Array(bytes[2...])), answer)
            #expect(try machine.queues[6].takeUsed() != nil)
            return try machine.contents(answer)[0]
        }
        try machine.queues[3].submit(machine.place(plain + frame(60)))
        #expect(ends.receive(1) == nil)
        #expect(try command([4, 0, 4, 0]) == 1)
        #expect(try command([4, 0, 0, 0]) == 1)
        #expect(try command([9, 9, 0, 0]) == 1)
        #expect(try command([4, 0, 3, 0]) == 0)
        #expect(ends.receive(1) == plain + frame(60), "what waited in the queue goes out now")
        try machine.queues[5].submit(machine.place(plain + frame(61)))
        #expect(ends.receive(2) == plain + frame(61))
        try machine.queues[4].submit(machine.room(2000))
        ends.send(frame(62), over: 2)
        machine.run()
        #expect(try machine.queues[4].takeAllUsed() == [74])
        #expect(try command([5, 0] + bytes(UInt64(0b10))) == 0)
        #expect(try command([5, 0] + bytes(UInt64(1))) == 1)
    }

    @Test("one turn of the loop takes so many commands and no more; the others have their turn without a kick")
    func turns() throws {
        let machine = try machine(try FarEnds(2))
        try machine.boot()
        let (command, answer) = (try machine.place([4, 0, 1, 0]), machine.room(1))
        for _ in 0..<30 { try machine.queues[4].add(command, answer) }
        try machine.queues[4].kick()
        try machine.loop.poll(timeoutMilliseconds: 0)
        #expect(try machine.queues[4].takeAllUsed().count == Network.commandBudget)
        machine.run()
        #expect(try machine.queues[4].takeAllUsed().count == 30 - Network.commandBudget)
    }

    @Test("features that need others are accepted with them only; section 5.1.3.1")
    func features() throws {
        let machine = try machine(try FarEnds(2))
        typealias Bits = Features.Network
        for (features, isAccepted) in [
            (Bits.guestSegmentationV4, false), ([Bits.guestSegmentationV4, Bits.guestChecksum], true),
            (Bits.hostUDPFragmentation, false), (Bits.multiQueue, false), ([Bits.multiQueue, Bits.control], true),
            ([Bits.hostCongestion, Bits.checksum], false), ([], true), (Bits.mergeableBuffers, true),
        ] as [(Features, Bool)] {
            machine.negotiate(features.union(.version1))
            #expect(machine.status.contains(.featuresOK) == isAccepted)
        }
    }

    @Test("address, MTU and link are in the configuration space; section 5.1.4")
    func configuration() throws {
        let machine = try machine(try FarEnds()) {
            $0.address = [2, 0, 0, 1, 2, 3]
            $0.mtu = 9000
        }
        try machine.boot()
        #expect((0..<6).map { machine.configuration($0, as: UInt8.self) } == [2, 0, 0, 1, 2, 3])
        #expect(machine.configuration(6, as: UInt16.self) == 1)
        #expect(machine.configuration(10, as: UInt16.self) == 9000)
        (machine.device as? Network)?.setLink(up: false)
        #expect(machine.configuration(6, as: UInt16.self) == 0)
        #expect(machine.read(.interruptStatus) & 2 == 2)
    }

    @Test("limits hold in both directions, and what waited goes on")
    func limits() throws {
        let ends = try FarEnds()
        let (received, sent) = (Allowance(1000, per: .milliseconds(20)), Allowance(1, per: .milliseconds(10)))
        let machine = try machine(ends) {
            $0.receiveLimit = RateLimiter(bandwidth: TokenBucket(size: 1000, refillTime: 20_000_000))
            $0.transmitLimit = RateLimiter(operations: TokenBucket(size: 1, refillTime: 10_000_000))
        }
        try machine.boot()
        for _ in 0..<40 { try machine.queues[0].add(machine.room(2000)) }
        for _ in 0..<2 { try machine.queues[1].add(machine.place(plain + frame(60))) }
        for queue in machine.queues { try queue.kick() }
        for _ in 0..<3 { ends.send(frame(900)) }
        machine.run()
        var counts = (try machine.queues[0].takeAllUsed().count, try machine.queues[1].takeAllUsed().count)
        // The last frame that comes may make a debt.
        #expect(counts.0 >= 2 && (counts.0 - 1) * 900 <= received.now)
        #expect((1...sent.now).contains(counts.1))
        try machine.run {
            counts.0 += try machine.queues[0].takeAllUsed().count
            counts.1 += try machine.queues[1].takeAllUsed().count
            return counts == (3, 2)
        }
    }

    @Test("a full cable makes frames wait, and none is lost")
    func blocked() throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot(queueSize: 256)
        let packet = try machine.place(plain + frame(1400))
        var (sent, received) = (0, 0)
        for _ in 0..<250 { try machine.queues[1].add(packet); sent += 1 }
        try machine.queues[1].kick()
        machine.run()
        while sent > received {
            guard ends.receive() != nil else { break }
            received += 1
            machine.run()
        }
        #expect(received == 250)
        #expect(try machine.queues[1].takeAllUsed().count == 250)
    }

    @Test("a frame without its header, or a buffer without room for one, is a fault")
    func malformed() throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot()
        try machine.queues[1].submit(machine.place([1, 2, 3]))
        #expect(machine.status.contains(.needsReset))
        try machine.boot()
        try machine.queues[0].submit(machine.room(11))
        #expect(machine.status.contains(.needsReset))
        try machine.boot()
        try machine.queues[0].submit(machine.place(plain), machine.room(2000))
        #expect(machine.status.contains(.needsReset))
    }

    @Test("buffers that were held go back when the card pauses, and another card takes them up")
    func restored() throws {
        for layout in layouts {
            let ends = try FarEnds()
            let machine = try machine(ends)
            try machine.boot(layout.union(Features(rawValue: 0xff_ffff)))
            for _ in 0..<40 { try machine.queues[0].add(machine.room(2000)) }
            try machine.queues[0].kick()
            machine.run()
            machine.transport.pause()
            let state = machine.transport.save()
            let others = try FarEnds()
            let other = try FakeMachine(try Network(others.taps), memory: machine.memory)
            try other.transport.restore(state)
            others.send(frame(3000))
            other.run()
            #expect(try machine.queues[0].takeAllUsed() == [2000, 1012])
            // The first goes on as well: nothing was taken from it.
            machine.transport.resume()
            #expect(machine.status.isDisjoint(with: .needsReset))
        }
    }

    @Test("a tap's frames reach the host's stack, and the host's reach the guest", .needs(.root))
    func tap() throws {
        let name = "bh\(getpid())"
        let taps = try Tap.open(name)
        #expect(throws: SystemError.self) { try Tap.open(name) }
        let machine = try FakeMachine(try Network(taps))
        try machine.boot()
        let ends = try PacketSocket(name)
        for _ in 0..<40 { try machine.queues[0].add(machine.room(2000)) }
        try machine.queues[0].kick()
        machine.run()
        // An experimental EtherType: no protocol of the host's answers it.
        let packet = [UInt8](repeating: 0xff, count: 6) + [2, 0, 0, 0, 0, 1, 0x88, 0xb5] + frame(60)
        try machine.queues[1].submit(machine.place(plain + packet))
        try machine.run { ends.receive() == packet }
        ends.send(packet)
        var lengths: [UInt32] = []
        try machine.run {
            lengths += try machine.queues[0].takeAllUsed()
            return lengths.contains(UInt32(packet.count + 12))
        }
    }

    @Test("what is no tap is refused")
    func noTap() throws {
        #expect(throws: SystemError.self) { _ = try Tap(Descriptor.open("/dev/null", .readWrite)) }
        #expect(throws: SystemError.self) { _ = try Tap.open("a-name-that-is-too-long") }
    }

    @Test("a hostile driver is survived")
    func hostile() throws {
        let ends = try FarEnds(2)
        let machine = try machine(ends)
        let headers = [plain, plain + frame(60), [4, 0, 2, 0], [5, 0] + bytes(UInt64(0)), [4, 0]]
        var hostile = Hostile(seed: 2, machine, headers: headers)
        for round in 0..<20 {
            try hostile.run(rounds: 10) {
                for cable in 0..<2 {
                    ends.send(frame(100 * round + 20), over: cable)
                    while ends.receive(cable) != nil {}
                }
            }
        }
        try machine.boot()
        try machine.queues[1].submit(machine.place(plain + frame(77)))
        #expect(ends.receive() == plain + frame(77))
        #expect(hostile.resets > 10)
    }
}
