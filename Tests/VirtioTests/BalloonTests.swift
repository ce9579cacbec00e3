import Glibc
import GuestMemory
import Linux
import Testing

@testable import Virtio

@Suite struct BalloonTests {
    private func machine(_ change: (inout Balloon.Options) -> Void = { _ in }) throws -> (FakeMachine, Balloon) {
        var options = Balloon.Options()
        change(&options)
        let balloon = try Balloon(options)
        return (try FakeMachine(balloon), balloon)
    }

    private func all(_ options: inout Balloon.Options) {
        options.hasStatistics = true
        options.hasHinting = true
        options.hasReporting = true
    }

    /// Whether each of some pages still holds what was written to it.
    private func kept(_ machine: FakeMachine, _ pages: [UInt64]) throws -> [Bool] {
        try pages.map { try machine.memory.load(UInt8.self, at: GuestAddress($0 * 4096)) == 9 }
    }

    @Test("pages that the guest gives up are the host's, whichever way it counts", arguments: layouts)
    func inflates(_ layout: Features) throws {
        let (machine, balloon) = try machine()
        try machine.boot(layout)
        for page in 4000..<4010 { try machine.memory.store(UInt8(9), at: GuestAddress(UInt64(page) * 4096)) }
        try machine.queues[0].submit(
            machine.place(bytes(UInt32(4000), UInt32(4001), UInt32(4005), UInt32(4008), UInt32(4007))),
            machine.place(bytes(UInt32(4002))))
        #expect(try machine.queues[0].takeAllUsed() == [0])
        #expect(
            try kept(machine, Array(4000..<4010)) == [
                false, false, false, true, true, false, true, false, false, true,
            ])
        #expect(balloon.discardedBytes == 6 * 4096)
        try machine.queues[1].submit(machine.place(bytes(UInt32(4000))))
        #expect(try machine.queues[1].takeAllUsed() == [0])
        // Pages outside memory are ignored.
        try machine.queues[0].submit(machine.place(bytes(UInt32.max, UInt32(8192), UInt32(4003))))
        #expect(try kept(machine, [4003]) == [false])
        #expect(machine.status.isDisjoint(with: .needsReset))
    }

    @Test("target and actual size cross the configuration space; section 5.5.4")
    func target() throws {
        let (machine, balloon) = try machine { $0.target = 1 << 20 }
        try machine.boot()
        #expect(machine.configuration(0, as: UInt32.self) == 256)
        balloon.setTarget(2 << 20)
        #expect(machine.configuration(0, as: UInt32.self) == 512)
        #expect(machine.read(.interruptStatus) & 2 == 2)
        machine.transport.write(0x104, 300, width: 4)
        #expect(balloon.actual == 300 * 4096)
        machine.transport.write(0x100, 1, width: 4)
        #expect(balloon.target == 2 << 20, "the target is the host's")
    }

    @Test("statistics come at once and again when asked for; section 5.5.6.3")
    func statistics() throws {
        let (machine, balloon) = try machine { $0.hasStatistics = true }
        try machine.boot()
        func values(_ free: UInt64) -> [UInt8] {
            bytes(UInt16(4), free, UInt16(5), UInt64(1000), UInt16(77), UInt64(5), UInt8(1))
        }
        try machine.queues[2].submit(machine.place(values(10)))
        #expect(balloon.statistics?[.free] == 10)
        #expect(balloon.statistics?[.total] == 1000)
        #expect(balloon.statistics?[BalloonStatistics.Tag(rawValue: 77)] == 5)
        #expect(balloon.statistics?[.swapIn] == nil)
        #expect(try machine.queues[2].takeUsed() == nil, "the device keeps the buffer")
        balloon.requestStatistics()
        #expect(try machine.queues[2].takeUsed() != nil)
        try machine.queues[2].submit(machine.place(values(20)))
        #expect(balloon.statistics?[.free] == 20)
        balloon.setStatisticsInterval(1)
        try machine.run { try machine.queues[2].takeUsed() != nil }
    }

    @Test("a buffer of statistics is read from the ring once: what the driver makes of it later changes nothing")
    func statisticsOnce() throws {
        let (machine, balloon) = try machine { $0.hasStatistics = true }
        machine.negotiate(machine.offered.subtracting([.packedRing, .inOrder, .eventIndex]))
        // The used ring lies over the third descriptor: giving back the first buffer changes the third.
        machine.queues = try (0..<3).map { index in
            let queue = try FakeQueue(machine, index: UInt32(index), size: 8, features: .version1)
            queue.announce()
            if index == 2 { machine.write(.queueReady, 0) }
            return queue
        }
        let queue = machine.queues[2]
        machine.write(.queueDeviceLow, UInt32(queue.descriptors.rawValue) + 32)
        machine.write(.queueReady, 1)
        machine.write(.status, 15)
        machine.run()
        func values(_ free: UInt64) throws -> FakeBuffer { try machine.place(bytes(UInt16(4), free)) }
        let (first, second) = (try values(10), try values(20))
        try queue.writeSplit(1, first.address, first.count, 0, 0)
        try queue.makeAvailable(1)
        try queue.kick()
        machine.run()
        #expect(balloon.statistics?[.free] == 10)
        try queue.writeSplit(2, second.address, second.count, 0, 0)
        try queue.makeAvailable(2)
        machine.write(.queueNotify, 2)
        machine.run()
        // The first buffer's entry in the used ring, as it lies over the descriptor: {flags, index, head, length}.
        #expect(
            try machine.memory.bytes(at: GuestAddress(queue.descriptors.rawValue + 34), count: 10)
                == bytes(UInt16(1), UInt32(1), UInt32(0)))
        #expect(balloon.statistics?[.free] == 20)
        #expect(machine.status.isDisjoint(with: .needsReset))
        #expect(balloon.hasStatisticsChain)
        #expect(balloon.statisticsChain.segments.map(\.count) == [10])
    }

    @Test("a search for free pages gives back what the guest names, and only in that search; section 5.5.6.4")
    func hints() throws {
        let (machine, balloon) = try machine(all)
        try machine.boot()
        #expect(balloon.startHinting())
        let command = machine.configuration(8, as: UInt32.self)
        #expect(command >= 2)
        #expect(balloon.hintingStatus == .requested)
        for page in 4000..<4010 { try machine.memory.store(UInt8(9), at: GuestAddress(UInt64(page) * 4096)) }
        func page(_ number: UInt64) -> FakeBuffer {
            FakeBuffer(address: GuestAddress(number * 4096), count: 4096, isWritable: true)
        }
        try machine.queues[3].submit(page(4000))
        #expect(try kept(machine, [4000]) == [true], "the search has not begun")
        try machine.queues[3].submit(machine.place(bytes(command)))
        #expect(balloon.hintingStatus == .running)
        try machine.queues[3].submit(page(4001))
        try machine.queues[3].submit(machine.place(bytes(UInt32(0))))
        #expect(balloon.hintingStatus == .finished)
        try machine.queues[3].submit(page(4002))
        #expect(try kept(machine, [4001, 4002]) == [false, true])
        balloon.stopHinting()
        #expect(machine.configuration(8, as: UInt32.self) == 1)
        #expect(balloon.startHinting())
        #expect(machine.configuration(8, as: UInt32.self) != command)
        // An old search's number does not begin the new one.
        try machine.queues[3].submit(machine.place(bytes(command)))
        #expect(balloon.hintingStatus == .requested)
    }

    @Test("reported pages are the host's; the queue's number follows from what was agreed on; section 5.5.6.6")
    func reports() throws {
        for (features, index) in [
            (Features(rawValue: .max), 4), (Features.Balloon.reporting, 2),
            ([Features.Balloon.reporting, Features.Balloon.statistics], 3),
        ] {
            let (machine, balloon) = try machine(all)
            try machine.boot(features)
            for page in 4000..<4003 { try machine.memory.store(UInt8(9), at: GuestAddress(UInt64(page) * 4096)) }
            try machine.queues[index].submit(
                FakeBuffer(address: GuestAddress(4000 * 4096), count: 8192, isWritable: true))
            #expect(try machine.queues[index].takeAllUsed() == [0])
            #expect(try kept(machine, [4000, 4001, 4002]) == [false, false, true])
            #expect(balloon.discardedBytes == 8192)
        }
    }

    @Test("pages that the host does not take back are counted, and the guest goes on")
    func refusals() throws {
        let (machine, balloon) = try machine(all)
        try machine.boot()
        let page = FakeBuffer(address: GuestAddress(4000 * 4096), count: 4096, isWritable: true)
        // Of pages that are to stay in memory none goes.
        machine.memory.withRegion(0) { #expect(mlock($0.hostAddress + 4000 * 4096, 4096) == 0) }
        try machine.queues[4].submit(page)
        #expect(balloon.startHinting())
        try machine.queues[3].submit(machine.place(bytes(machine.configuration(8, as: UInt32.self))))
        try machine.queues[3].submit(page)
        machine.run()
        #expect(balloon.counts.failedReports == 1 && balloon.counts.failedHints == 1)
        #expect(balloon.discardedBytes == 0 && machine.status.isDisjoint(with: .needsReset))
    }

    @Test("only what was chosen is offered; section 5.5.3")
    func features() throws {
        #expect(try machine().0.transport.offered.intersection(Features(rawValue: 0xff)) == [])
        #expect(
            try machine { $0.deflatesOnOOM = true }.0.transport.offered.contains(Features.Balloon.deflateOnOOM))
        let (machine, balloon) = try machine()
        try machine.boot()
        #expect(!balloon.startHinting())
    }

    @Test("a paused device interrupts nobody; what changed meanwhile is said when it goes on")
    func changesWhilePaused() throws {
        let (machine, balloon) = try machine(all)
        try machine.boot()
        machine.transport.pause()
        _ = machine.line.take()
        balloon.setTarget(40960)
        balloon.requestStatistics()
        #expect(machine.line.count == 0)
        #expect(machine.configuration(0, as: UInt32.self) == 10)
        machine.transport.resume()
        #expect(machine.line.count == 1 && machine.read(.interruptStatus) & 2 == 2)
    }

    @Test("target, search and statistics survive a save")
    func restored() throws {
        let (machine, balloon) = try machine(all)
        try machine.boot()
        balloon.setTarget(40960)
        balloon.startHinting()
        machine.transport.write(0x104, 5, width: 4)
        try machine.queues[2].submit(machine.place(bytes(UInt16(4), UInt64(11))))
        machine.transport.pause()
        let state = machine.transport.save()
        var options = Balloon.Options()
        all(&options)
        let second = try Balloon(options)
        let other = try FakeMachine(second, memory: machine.memory)
        try other.transport.restore(state)
        other.run()
        #expect(second.target == 40960 && second.actual == 5 * 4096)
        #expect(second.hintingStatus == .requested)
        #expect(second.statistics?[.free] == 11, "the buffer was given back and taken again")
        second.requestStatistics()
        #expect(try machine.queues[2].takeUsed() != nil)
    }

    @Test("a hostile driver is survived")
    func hostile() throws {
        let (machine, balloon) = try machine(all)
        var hostile = Hostile(
            seed: 5, machine,
            headers: [
                bytes(UInt32(4000), UInt32(4001)), bytes(UInt32(2)), bytes(UInt32(0)), bytes(UInt16(4), UInt64(1)),
            ])
        for _ in 0..<20 {
            try hostile.run(rounds: 10) {
                balloon.startHinting()
                balloon.requestStatistics()
            }
        }
        try machine.boot()
        try machine.queues[0].submit(machine.place(bytes(UInt32(4000))))
        #expect(try machine.queues[0].takeAllUsed() == [0])
        #expect(hostile.resets > 5)
    }
}
