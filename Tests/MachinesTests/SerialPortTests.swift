import Glibc
import Linux
import Synchronization
import Testing
import Virtio

@testable import Machines

@Suite struct SerialPortTests {
    private final class Line: InterruptLine {
        let count = Mutex(0)
        func raise() { count.withLock { $0 += 1 } }
        var raised: Int { count.withLock { $0 } }
    }

    private let line = Line()
    private let port: SerialPort

    init() throws { port = try SerialPort(interrupt: line) }

    private func out(_ register: UInt64, _ value: UInt8) { port.write(register, UInt64(value), width: 1) }
    private func read(_ register: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: port.read(register, width: 1)) }

    @Test func whatTheGuestSendsArrives() {
        for byte in "hello".utf8 { out(0, byte) }
        #expect(port.takeOutput(2) == Array("he".utf8))
        #expect(port.takeOutput() == Array("llo".utf8))
        #expect(port.takeOutput().isEmpty)
    }

    @Test func whoAsksToSendHearsOfRoomOnce() {
        #expect(read(2) & 0xf == 1)
        out(1, 2)
        #expect(line.raised == 1)
        #expect(read(2) & 0xf == 2)
        // Linux takes a port for broken that says it again, or does not say it when asked anew.
        #expect(read(2) & 0xf == 1)
        out(1, 0)
        out(1, 2)
        #expect(line.raised == 2)
        #expect(read(2) & 0xf == 2)
        out(0, 65)
        #expect(line.raised == 3)
        out(0, 66)
        #expect(line.raised == 3)
    }

    @Test func whatIsReceivedInterrupts() {
        out(1, 1)
        #expect(port.receive(Array("abc".utf8)) == 3)
        #expect(line.raised == 1)
        #expect(read(2) & 0xf == 4)
        #expect(read(5) & 1 == 1)
        #expect([read(0), read(0), read(0)] == Array("abc".utf8))
        #expect(read(5) & 1 == 0)
        #expect(read(2) & 0xf == 1)
        #expect(port.receive([1]) == 1)
        #expect(line.raised == 2)
    }

    @Test func onlySoMuchIsReceived() {
        #expect(port.receive([UInt8](repeating: 7, count: 100)) == 16)
        #expect(port.room == 0)
        #expect(port.receive([1]) == 0)
        _ = read(0)
        #expect(port.room == 1)
        // The guest throws away what came.
        out(2, 3)
        #expect(port.room == 16)
        #expect(read(2) & 0xc0 == 0xc0)
    }

    /// Whether the other side is to look at the port.
    private var isWoken: Bool {
        port.withWake { descriptor in
            var polled = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            return poll(&polled, 1, 0) > 0
        }
    }

    @Test func roomIsToldOfHoweverItCame() {
        #expect(port.receive([UInt8](repeating: 7, count: 16)) == 16)
        for _ in 0..<15 { _ = read(0) }
        #expect(!isWoken)
        _ = read(0)
        #expect(isWoken)
        port.clearWake()
        // Linux empties the port when it is opened: what came before is gone, and what comes then is not.
        #expect(port.receive([UInt8](repeating: 7, count: 16)) == 16)
        out(2, 1)
        #expect(!isWoken)
        out(2, 7)
        #expect(isWoken && port.room == 16)
    }

    @Test func aGuestThatStopsLookingIsToldAgain() {
        out(1, 3)
        _ = read(2)
        for byte in "hello".utf8 { out(0, byte) }
        let before = line.raised
        // The line is up, and the guest has left its loop without a look at why.
        #expect(port.receive([65]) == 1)
        #expect(line.raised == before)
        #expect(port.takeOutput().count == 5)
        #expect(line.raised == before + 1)
        // One that has seen to everything is left alone.
        _ = (read(0), read(2))
        out(0, 66)
        _ = read(2)
        let after = line.raised
        #expect(port.takeOutput() == [66])
        #expect(line.raised == after)
    }

    @Test func aGuestThatSendsTooFastWaits() {
        out(1, 2)
        for _ in 0..<SerialPort.outputSize { out(0, 65) }
        #expect(read(5) & 0x60 == 0)
        out(0, 66)
        _ = read(2)
        let before = line.raised
        #expect(port.takeOutput(1) == [65])
        #expect(line.raised == before + 1)
        #expect(read(5) & 0x60 == 0x60)
        var total = 0
        while case let part = port.takeOutput(), !part.isEmpty {
            #expect(!part.contains(66))
            total += part.count
        }
        #expect(total == SerialPort.outputSize - 1)
    }

    @Test func linuxFindsA16550A() {
        // What its driver does to find out: an interrupt mask, a loop, the divisor, the FIFO.
        out(1, 0xf)
        #expect(read(1) == 0xf)
        out(1, 0)
        out(4, 0x1a)
        #expect(read(6) & 0xf0 == 0x90)
        out(0, 0x55)
        #expect(read(0) == 0x55)
        #expect(port.takeOutput().isEmpty)
        out(4, 0)
        out(3, 0x80)
        out(0, 0x0c)
        out(1, 0x01)
        #expect([read(0), read(1)] == [0x0c, 0x01])
        out(3, 3)
        #expect(read(3) == 3)
        out(7, 0xa5)
        #expect(read(7) == 0xa5)
        #expect(read(6) & 0xb0 == 0xb0)
    }

    @Test func wideAccessesAreNobodys() {
        port.write(0, 0x4141, width: 2)
        #expect(port.takeOutput().isEmpty)
        #expect(port.read(5, width: 4) == .max)
    }
}

/// What becomes of a serial port's output.
@Suite struct SerialRelayTests {
    private final class NoLine: InterruptLine { func raise() {} }

    /// Sends as a guest does, which waits for room.
    ///
    /// - Returns: whether there was room for all of them.
    private func send(_ count: Int, to port: SerialPort) -> Bool {
        for _ in 0..<count {
            guard eventually(30, { port.read(5, width: 1) & 0x20 != 0 }) else { return false }
            port.write(0, UInt64(UInt8(ascii: "a")), width: 1)
        }
        return true
    }

    @Test func whatIsOverTheLimitIsLost() throws {
        let pipe = try Pipe()
        let port = try SerialPort(interrupt: NoLine())
        var ends = SerialEnds(output: try pipe.writeEnd.duplicate())
        // Fifteen bytes, and no more for years.
        ends.outputLimit = TokenBucket(size: 10, refillTime: .max, oneTimeBurst: 5)
        let relay = try SerialRelay(port, ends, PauseGate())
        #expect(send(3 * SerialPort.outputLimit, to: port))
        let thread = try MachineThread("serial") { relay.run() }
        // More than the port holds: nobody has to wait for what is lost.
        #expect(send(SerialPort.outputSize + 1, to: port))
        relay.stop()
        thread.join()
        let sent = 3 * SerialPort.outputLimit + SerialPort.outputSize + 1
        #expect(try pipe.readEnd.read(upTo: 100).count == 15)
        #expect(relay.lost.load(ordering: .relaxed) == UInt64(sent - 15))
        #expect(port.counts.writes == UInt64(sent))
    }

    @Test func aGuestThatNobodyReadsGoesOn() throws {
        let port = try SerialPort(interrupt: NoLine())
        let relay = try SerialRelay(port, SerialEnds(), PauseGate())
        #expect(send(SerialPort.outputLimit + 1, to: port))
        let thread = try MachineThread("serial") { relay.run() }
        #expect(send(SerialPort.outputSize, to: port))
        relay.stop()
        thread.join()
        #expect(relay.lost.load(ordering: .relaxed) == 0)
    }
}
