import GuestMemory
import Linux
import Synchronization
import Testing

@testable import Virtio

/// Takes frames that begin with a letter, and sends what tests put in.
private final class LetterFilter: FrameFilter {
    private struct State {
        var taken: [[UInt8]] = []
        var checked: [Bool] = []
        var heads: [Int] = []
        var frames: [[UInt8]] = []
        var deadline: UInt64?
        var resets = 0
    }

    private let state = Mutex(State())

    func wants(_ head: RawSpan) -> Bool {
        let count = head.byteCount
        state.withLock { $0.heads.append(count) }
        return count > 0 && head.unsafeLoad(fromByteOffset: 0, as: UInt8.self) == 65
    }

    func take(_ frame: [UInt8], hasChecksum: Bool, now: UInt64) {
        state.withLock {
            $0.taken.append(frame)
            $0.checked.append(hasChecksum)
        }
    }

    func next(now: UInt64) -> [UInt8]? {
        state.withLock { state in
            if let due = state.deadline, due <= now {
                state.deadline = nil
                return [9, 9, 9]
            }
            return state.frames.isEmpty ? nil : state.frames.removeFirst()
        }
    }

    var deadline: UInt64? { state.withLock { $0.deadline } }

    func reset() { state.withLock { $0.resets += 1 } }

    func prepare(_ frames: [[UInt8]]) { state.withLock { $0.frames = frames } }
    func prepare(deadline: UInt64) { state.withLock { $0.deadline = deadline } }
    var taken: [[UInt8]] { state.withLock { $0.taken } }
    var checked: [Bool] { state.withLock { $0.checked } }
    var heads: [Int] { state.withLock { $0.heads } }
    var resets: Int { state.withLock { $0.resets } }
}

private let plain = [UInt8](repeating: 0, count: 12)

@Suite struct FrameFilterTests {
    private let filter = LetterFilter()

    private func machine(_ ends: FarEnds, _ options: Network.Options = .init()) throws -> FakeMachine {
        let network = try Network(ends.taps, options)
        try network.setFilter(filter)
        return try FakeMachine(network)
    }

    @Test("a frame goes to the filter or over the cable, all of it, wherever the driver cut it", arguments: layouts)
    func choosesFrames(_ layout: Features) throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot(layout.union(Features(rawValue: 0xff_ffff)))
        let mine = [65] + (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        let other = [66] + mine.dropFirst()
        for cut in [1, 12, 13, 30, 54, 55, 800] {
            for frame in [mine, other] {
                let bytes = plain + frame
                try machine.queues[1].submit(
                    machine.place(Array(bytes[..<cut])), machine.place(Array(bytes[cut...])),
                    indirect: layout.contains(.indirectDescriptors))
            }
            #expect(ends.receive() == plain + other && ends.receive() == nil)
        }
        #expect(filter.taken == Array(repeating: mine, count: 7) && filter.checked.allSatisfy { $0 })
        #expect(Set(filter.heads) == [42])
    }

    @Test("a short frame's head is short, and a checksum that the guest left to its card is not there")
    func headers() throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot()
        try machine.queues[1].submit(machine.place(plain))
        try machine.queues[1].submit(machine.place([1] + plain.dropFirst() + [65, 1]))
        #expect(filter.taken == [[65, 1]] && filter.checked == [false] && filter.heads == [0, 2])
        #expect(ends.receive() == plain)
    }

    @Test("answers come to the guest at once, cut into its buffers, and wait for those")
    func answers() throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot()
        let long = [UInt8](repeating: 7, count: 3000)
        filter.prepare([[1, 2, 3], long])
        try machine.queues[1].submit(machine.place(plain + [65]))
        let rooms = (0..<3).map { _ in machine.room(1600) }
        for room in rooms { try machine.queues[0].add(room) }
        try machine.queues[0].kick()
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [15, 1600, 1412])
        #expect(try machine.contents(rooms[0]).prefix(15) == plain[..<10] + [1, 0, 1, 2, 3])
        #expect(try machine.contents(rooms[1]).prefix(12) == plain[..<10] + [2, 0])
        // The cable's frames come as ever.
        try machine.queues[0].submit(machine.room(1600))
        ends.send([4, 5])
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [14])
    }

    @Test("what the filter sends by itself comes in time, also behind a pause")
    func timers() throws {
        let ends = try FarEnds()
        let machine = try machine(ends)
        try machine.boot()
        try machine.queues[0].submit(machine.room(1600))
        for isPaused in [false, true] {
            filter.prepare(deadline: Timer.now + 5_000_000)
            try machine.queues[1].submit(machine.place(plain + [65]))
            if isPaused {
                machine.transport.pause()
                machine.transport.resume()
            }
            var used: [UInt32] = []
            try machine.run {
                used += try machine.queues[0].takeAllUsed()
                return !used.isEmpty
            }
            #expect(used == [15])
            try machine.queues[0].submit(machine.room(1600))
        }
    }

    @Test("a driver's reset is the filter's, and what a limit would have to pay for is free")
    func resetsAndLimits() throws {
        let ends = try FarEnds()
        var options = Network.Options()
        options.transmitLimit = RateLimiter(operations: TokenBucket(size: 1, refillTime: 1_000_000_000_000))
        let machine = try machine(ends, options)
        try machine.boot()
        for _ in 0..<5 { try machine.queues[1].submit(machine.place(plain + [65])) }
        #expect(filter.taken.count == 5)
        let before = filter.resets
        machine.write(.status, 0)
        #expect(filter.resets == before + 1)
    }
}
