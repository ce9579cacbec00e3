import Machines
import Synchronization
import Testing

@Suite struct BusTests {
    private final class Recorder: BusDevice {
        let seen = Mutex<[String]>([])
        func read(_ offset: UInt64, width: Int) -> UInt64 {
            seen.withLock { $0.append("read \(offset) \(width)") }
            return 7
        }
        func write(_ offset: UInt64, _ value: UInt64, width: Int) {
            seen.withLock { $0.append("write \(offset) \(value) \(width)") }
        }
    }

    @Test func accessesReachTheirDevice() throws {
        let (low, high) = (Recorder(), Recorder())
        var bus = Bus()
        try bus.attach(high, at: 0x2000, size: 0x10)
        try bus.attach(low, at: 0x1000, size: 0x1000)
        #expect(bus.read(0x1ffc, width: 4) == 7)
        bus.write(0x200f, 5, width: 1)
        #expect(low.seen.withLock { $0 } == ["read 4092 4"])
        #expect(high.seen.withLock { $0 } == ["write 15 5 1"])
    }

    @Test func whereNothingIsAllBitsAreSet() throws {
        let device = Recorder()
        var bus = Bus()
        #expect(bus.read(0, width: 4) == .max)
        try bus.attach(device, at: 0x1000, size: 8)
        for address: UInt64 in [0, 0xfff, 0x1008, .max] { #expect(bus.read(address, width: 1) == .max) }
        // A part of it outside, and it is nobody's.
        #expect(bus.read(0x1006, width: 4) == .max)
        bus.write(0x1006, 1, width: 4)
        bus.write(.max, 1, width: 8)
        #expect(device.seen.withLock { $0.isEmpty })
    }

    @Test func overlapsAreRefused() throws {
        var bus = Bus()
        try bus.attach(Recorder(), at: 0x1000, size: 0x100)
        for (start, size): (UInt64, UInt64) in [
            (0x1000, 0x100), (0x10ff, 1), (0xfff, 2), (0, 0x10000), (0x1050, 1), (0, .max),
        ] {
            #expect(throws: Bus.Refusal.overlap(start: 0x1000, size: 0x100)) {
                try bus.attach(Recorder(), at: start, size: size)
            }
        }
        #expect(throws: Bus.Refusal.badRange(start: 1, size: 0)) { try bus.attach(Recorder(), at: 1, size: 0) }
        #expect(throws: Bus.Refusal.badRange(start: .max, size: 2)) { try bus.attach(Recorder(), at: .max, size: 2) }
        try bus.attach(Recorder(), at: 0xfff, size: 1)
        try bus.attach(Recorder(), at: 0x1100, size: 1)
        try bus.attach(Recorder(), at: .max, size: 1)
        #expect(bus.read(.max, width: 1) == 7)
    }
}
