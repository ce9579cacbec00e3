import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

/// The host's ends of a port: a pipe each way.
final class PortEnds {
    let port: ConsolePort
    private let input: CInt
    private let output: CInt

    init(name: String = "", isConsole: Bool = true) throws {
        let toGuest = try Pipe()
        let fromGuest = try Pipe()
        input = try toGuest.writeEnd.duplicate().release()
        output = try fromGuest.readEnd.duplicate().release()
        port = try ConsolePort(
            name: name, isConsole: isConsole, input: toGuest.takeReadEnd(), output: fromGuest.takeWriteEnd())
        _ = fcntl(output, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(input)
        close(output)
    }

    func type(_ text: String) { #expect(write(input, text, text.utf8.count) == text.utf8.count) }
    func stopTyping() { _ = dup2(output, input) }

    func heard(limit: Int = 1 << 20) -> String {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = read(output, &bytes, limit)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}

extension FakeMachine {
    /// The driver's message on the control queue.
    fileprivate func say(_ port: UInt32, _ event: UInt16, _ value: UInt16) throws {
        try queues[3].submit(place(bytes(port, event, value)))
        #expect(try queues[3].takeUsed() != nil)
    }

    /// The messages the device has sent, into buffers given to it before.
    fileprivate func heard(_ rooms: [FakeBuffer]) throws -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var index = 0
        while let (_, length) = try queues[2].takeUsed() {
            messages.append(Array(try contents(rooms[index]).prefix(Int(length))))
            index += 1
        }
        return messages
    }
}

@Suite struct ConsoleTests {
    @Test("without several ports the first is the console, both ways", arguments: layouts)
    func plain(_ layout: Features) throws {
        let ends = try PortEnds()
        let machine = try FakeMachine(Console([ends.port]))
        try machine.boot(layout)
        try machine.queues[1].submit(machine.place(Array("hello ".utf8)), machine.place(Array("host".utf8)))
        #expect(ends.heard() == "hello host")
        #expect(try machine.queues[1].takeAllUsed() == [0])
        ends.type("before there is room")
        machine.run()
        let room = machine.room(64)
        try machine.queues[0].submit(room)
        #expect(try machine.queues[0].takeAllUsed() == [20])
        #expect(try Array(machine.contents(room).prefix(20)) == Array("before there is room".utf8))
        let (second, third) = (machine.room(4), machine.room(64))
        try machine.queues[0].add(second)
        try machine.queues[0].submit(third)
        ends.type("abcdef")
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [4, 2])
        machine.write(.status, 0)
    }

    @Test("ports are announced, named, opened and spoken to; section 5.3.6")
    func ports() throws {
        let (console, other) = (try PortEnds(), try PortEnds(name: "org.test.agent", isConsole: false))
        let machine = try FakeMachine(Console([console.port, other.port]))
        try machine.boot()
        #expect(machine.configuration(4, as: UInt32.self) == 2)
        let rooms = (0..<16).map { _ in machine.room(64) }
        for room in rooms { try machine.queues[2].add(room) }
        try machine.queues[2].kick()
        machine.run()
        try machine.say(0, 0, 1)
        #expect(
            try machine.heard(rooms) == [
                bytes(UInt32(0), UInt16(1), UInt16(1)), bytes(UInt32(1), UInt16(1), UInt16(1)),
            ])
        try machine.say(1, 3, 1)
        #expect(
            try machine.heard(Array(rooms[2...])) == [
                bytes(UInt32(1), UInt16(7), UInt16(1)) + Array("org.test.agent".utf8),
                bytes(UInt32(1), UInt16(6), UInt16(1)),
            ])
        try machine.say(0, 3, 1)
        #expect(
            try machine.heard(Array(rooms[4...])) == [
                bytes(UInt32(0), UInt16(4), UInt16(1)),
                bytes(UInt32(0), UInt16(5), UInt16(0), UInt16(80), UInt16(25)),
                bytes(UInt32(0), UInt16(6), UInt16(1)),
            ])
        // Nothing is sent to a port that nobody has open.
        other.type("ping")
        try machine.queues[4].submit(machine.room(64))
        #expect(try machine.queues[4].takeUsed() == nil)
        try machine.say(1, 6, 1)
        machine.run()
        #expect(try machine.queues[4].takeUsed()?.length == 4)
        try machine.queues[5].submit(machine.place(Array("pong".utf8)))
        #expect(other.heard() == "pong")
        #expect(console.heard() == "")
        (machine.device as? Console)?.resize(Console.Size(columns: 132, rows: 50))
        #expect(
            try machine.heard(Array(rooms[7...])) == [bytes(UInt32(0), UInt16(5), UInt16(0), UInt16(132), UInt16(50))])
        #expect(machine.configuration(0, as: UInt16.self) == 132)
        // Ports and events that do not exist are ignored, and no port is added twice.
        try machine.say(0, 0, 1)
        try machine.say(77, 3, 1)
        try machine.say(.max, 6, 1)
        try machine.say(0, 999, 1)
        #expect(try machine.heard(Array(rooms[8...])) == [])
        #expect(machine.status.isDisjoint(with: .needsReset))
    }

    @Test("a resize that meets a bad buffer is the driver's fault, and the state can be saved")
    func badResize() throws {
        let ends = try PortEnds()
        let machine = try FakeMachine(Console([ends.port]))
        try machine.boot()
        for event in [0, 3] as [UInt16] { try machine.say(0, event, 1) }
        let rooms = (0..<5).map { $0 < 4 ? machine.room(16) : machine.room(4) }
        for room in rooms { try machine.queues[2].add(room) }
        try machine.queues[2].kick()
        machine.run()
        #expect(try machine.heard(rooms).count == 4)
        (machine.device as? Console)?.resize(Console.Size(columns: 1, rows: 1))
        #expect(machine.status.contains(.needsReset))
        machine.transport.pause()
        _ = machine.transport.save()
    }

    @Test("one turn of the loop takes so many of the driver's messages and no more")
    func turns() throws {
        let ends = try PortEnds()
        let machine = try FakeMachine(Console([ends.port]))
        try machine.boot()
        let message = try machine.place(bytes(UInt32(0), UInt16(6), UInt16(1)))
        for _ in 0..<Console.messageBudget + 10 { try machine.queues[3].add(message) }
        try machine.queues[3].kick()
        try machine.loop.poll(timeoutMilliseconds: 0)
        #expect(try machine.queues[3].takeAllUsed().count == Console.messageBudget)
        machine.run()
        #expect(try machine.queues[3].takeAllUsed().count == 10)
    }

    @Test("output waits for a slow reader and is whole")
    func slow() throws {
        let ends = try PortEnds()
        let machine = try FakeMachine(Console([ends.port]))
        try machine.boot(.eventIndex)
        let text = String(repeating: "0123456789abcdef", count: 10_000)
        try machine.queues[1].submit(machine.place(Array(text.utf8)))
        #expect(try machine.queues[1].takeUsed() == nil, "a pipe holds less")
        var heard = ""
        try machine.run {
            heard += ends.heard(limit: 30_000)
            return heard.utf8.count == text.utf8.count
        }
        #expect(heard == text)
        try machine.run { try machine.queues[1].takeUsed() != nil }
    }

    @Test("an output that is gone swallows what comes, and no signal kills")
    func gone() throws {
        let pipe = try Pipe()
        let port = try ConsolePort(input: nil, output: pipe.takeWriteEnd())
        let machine = try FakeMachine(Console([port]))
        try machine.boot()
        try machine.queues[1].submit(machine.place([1, 2, 3]))
        #expect(try machine.queues[1].takeAllUsed() == [0])
        machine.transport.write(0x108, 65, width: 4)
    }

    @Test("the emergency register writes before there are queues; section 5.3.5")
    func emergency() throws {
        let ends = try PortEnds()
        let machine = try FakeMachine(Console([ends.port]))
        for byte in "oops".utf8 { machine.transport.write(0x108, UInt64(byte), width: 4) }
        #expect(ends.heard() == "oops")
    }

    @Test("the input's end is no busy loop")
    func inputEnds() throws {
        let reader = try Pipe().takeReadEnd()
        #expect(isOtherEndClosed(of: reader.rawValue))
        let port = try ConsolePort(input: reader, output: nil)
        let machine = try FakeMachine(Console([port]))
        try machine.boot([])
        try machine.queues[0].submit(machine.room(10))
        machine.run()
        #expect(try machine.loop.poll(timeoutMilliseconds: 0) == 0)
        #expect(try machine.queues[0].takeUsed() == nil)
    }

    @Test("which ports are open is saved and restored, with unsent messages")
    func restored() throws {
        let ends = try PortEnds(name: "agent", isConsole: false)
        let machine = try FakeMachine(Console([ends.port]))
        try machine.boot()
        try machine.say(0, 0, 1)
        try machine.say(0, 3, 1)
        try machine.say(0, 6, 1)
        machine.transport.pause()
        let state = machine.transport.save()
        let others = try PortEnds(name: "agent", isConsole: false)
        let other = try FakeMachine(Console([others.port]), memory: machine.memory)
        try other.transport.restore(state)
        for _ in 0..<3 { try machine.queues[2].add(machine.room(64)) }
        try machine.queues[0].add(machine.room(64))
        other.write(.queueNotify, 0)
        other.write(.queueNotify, 2)
        others.type("hi")
        other.run()
        #expect(try machine.queues[2].takeAllUsed() == [8, 13, 8])
        #expect(try machine.queues[0].takeAllUsed() == [2])
    }

    @Test("a hostile driver is survived")
    func hostile() throws {
        let (console, other) = (try PortEnds(), try PortEnds(name: "x", isConsole: false))
        let machine = try FakeMachine(Console([console.port, other.port]))
        var headers: [[UInt8]] = []
        for event in 0..<8 { headers.append(bytes(UInt32(event % 3), UInt16(event), UInt16(1))) }
        var hostile = Hostile(seed: 3, machine, headers: headers)
        for _ in 0..<20 {
            try hostile.run(rounds: 10) {
                _ = (console.heard(), other.heard())
                console.type("x")
            }
        }
        try machine.boot([])
        try machine.queues[1].submit(machine.place(Array("alive".utf8)))
        #expect(console.heard().hasSuffix("alive"))
        #expect(hostile.resets > 10)
    }
}
