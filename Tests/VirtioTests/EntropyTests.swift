import GuestMemory
import Linux
import Testing

@testable import Virtio

/// Every layout a driver may choose.
let layouts: [Features] = [
    [], .eventIndex, [.indirectDescriptors, .eventIndex], .inOrder, .packedRing, [.packedRing, .eventIndex],
    [.packedRing, .eventIndex, .indirectDescriptors, .inOrder],
]

@Suite struct EntropyTests {
    @Test("a buffer comes back full of what was not there", arguments: layouts)
    func fills(_ layout: Features) throws {
        let machine = try FakeMachine(try Entropy())
        try machine.boot(layout)
        let (first, second) = (machine.room(100), machine.room(60))
        try machine.queues[0].submit(first, second, indirect: layout.contains(.indirectDescriptors))
        #expect(try machine.queues[0].takeAllUsed() == [160])
        #expect(try Set(machine.contents(first)).count > 30)
        #expect(try Set(machine.contents(second)).count > 20)
        #expect(machine.line.take() == 1)
        #expect(machine.read(.interruptStatus) == 1)
        machine.write(.interruptAcknowledge, 1)
        #expect(machine.read(.interruptStatus) == 0)
    }

    @Test("a readable buffer is a fault; section 5.4.6")
    func readable() throws {
        let machine = try FakeMachine(try Entropy())
        try machine.boot()
        try machine.queues[0].submit(try machine.place([1, 2, 3]), machine.room(10))
        #expect(machine.status.contains(.needsReset))
        machine.write(.status, 0)
        #expect(machine.status == [])
    }

    @Test("a limited device gives no more than its rate, and goes on when the time has come")
    func limited() throws {
        let allowance = Allowance(1000, per: .milliseconds(20))
        let limit = RateLimiter(bandwidth: TokenBucket(size: 1000, refillTime: 20_000_000))
        let machine = try FakeMachine(try Entropy(limit: limit))
        try machine.boot()
        for _ in 0..<3 { try machine.queues[0].add(machine.room(800)) }
        try machine.queues[0].kick()
        machine.run()
        var lengths = try machine.queues[0].takeAllUsed()
        #expect(!lengths.isEmpty && lengths.reduce(0, +) <= allowance.now)
        try machine.run {
            lengths += try machine.queues[0].takeAllUsed()
            return lengths.count == 3
        }
        #expect(lengths == [800, 800, 800])
    }

    @Test("other limits hold at once, also for who waits under the old ones")
    func otherLimits() throws {
        let entropy = try Entropy(
            limit: RateLimiter(operations: TokenBucket(size: 1, refillTime: 3_600_000_000_000)))
        let machine = try FakeMachine(entropy)
        try machine.boot()
        for _ in 0..<3 { try machine.queues[0].add(machine.room(8)) }
        try machine.queues[0].kick()
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [8])
        entropy.setLimit(RateLimiter())
        var count = 1
        try machine.run {
            count += try machine.queues[0].takeAllUsed().count
            return count == 3
        }
    }

    @Test("one turn of the loop takes so many buffers and no more; the others have their turn without a kick")
    func turns() throws {
        let machine = try FakeMachine(try Entropy(queueSize: 128))
        try machine.boot(queueSize: 128)
        for _ in 0..<100 { try machine.queues[0].add(machine.room(8)) }
        try machine.queues[0].kick()
        try machine.loop.poll(timeoutMilliseconds: 0)
        #expect(try machine.queues[0].takeAllUsed().count == Entropy.budget)
        machine.run()
        #expect(try machine.queues[0].takeAllUsed().count == 100 - Entropy.budget)
    }

    @Test("a saved device goes on where it was, in another machine with the same memory")
    func restored() throws {
        for layout in layouts {
            let machine = try FakeMachine(try Entropy())
            try machine.boot(layout, queueSize: 4)
            for _ in 0..<6 { try machine.queues[0].submit(machine.room(16)); _ = try machine.queues[0].takeUsed() }
            machine.transport.pause()
            try machine.queues[0].add(machine.room(5))
            try machine.queues[0].kick()
            machine.run()
            #expect(try machine.queues[0].takeUsed() == nil)
            let state = try TransportState(machine.transport.save().encoded())
            #expect(state == machine.transport.save())

            let other = try FakeMachine(try Entropy(), memory: machine.memory)
            try other.transport.restore(state)
            other.run()
            #expect(try machine.queues[0].takeUsed()?.length == 5)
            #expect(other.status == [.acknowledge, .driver, .featuresOK, .driverOK])
            #expect(other.line.count > 0)
        }
    }
}
