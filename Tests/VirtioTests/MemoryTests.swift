import GuestMemory
import Linux
import Testing

@testable import Virtio

/// Stands behind a device's blocks: memory of the fake machine, and a word about what was done.
final class FakeBlocks: MemoryBlocks, @unchecked Sendable {
    private(set) var plugged: Set<Int> = []
    private(set) var calls: [String] = []
    /// What the host refuses from now on.
    var refusesPlugs = false
    var refusesUnplugs = false
    var keepsPages = false
    /// Where the blocks' bytes are.
    var memory: (GuestMemory, region: Int)?

    func plug(_ blocks: Range<Int>) throws(SystemError) {
        if refusesPlugs { throw SystemError("plug", .noMemory) }
        precondition(plugged.isDisjoint(with: blocks), "what is plugged is not plugged again")
        plugged.formUnion(blocks)
        calls.append("plug \(blocks)")
        memory?.0.plug(blocks, region: memory!.region)
    }

    func unplug(_ blocks: Range<Int>) throws(SystemError) -> Bool {
        if refusesUnplugs { throw SystemError("unplug", .noMemory) }
        precondition(plugged.isSuperset(of: blocks), "what is unplugged was plugged")
        plugged.subtract(blocks)
        calls.append("unplug \(blocks)")
        try memory?.0.unplug(blocks, region: memory!.region)
        return !keepsPages
    }
}

@Suite struct MemoryTests {
    private static let block: UInt64 = 2 << 20
    private let block = MemoryTests.block
    /// Above the fake machine's own memory.
    private static let region = Memory.Region(
        start: GuestAddress(1 << 30), size: 32 * block, blockSize: block, step: 8 * block)
    private let start = MemoryTests.region.start.rawValue

    private func machine(
        _ region: Memory.Region = MemoryTests.region
    ) throws -> (machine: FakeMachine, device: Memory, blocks: FakeBlocks) {
        let blocks = FakeBlocks()
        let device = Memory(region, blocks)
        return (try FakeMachine(device), device, blocks)
    }

    private enum Answer: UInt16 {
        case done, notNow, busy, error
    }

    /// Sends a request and reads its answer: the type, and what is behind it.
    private func ask(
        _ machine: FakeMachine, _ kind: UInt16, _ address: UInt64 = 0, _ count: UInt16 = 0
    ) throws -> (Answer?, UInt16) {
        let request = try machine.place(bytes(kind, UInt16(1), UInt32(2), address, count, UInt16(3), UInt32(4)))
        let room = machine.room(10)
        try machine.queues[0].submit(request, room)
        guard try machine.queues[0].takeAllUsed() == [10] else { return (nil, 0) }
        let answer = try machine.contents(room)
        return (Answer(rawValue: answer.integer(0)), answer.integer(8))
    }

    private func plug(_ machine: FakeMachine, _ first: UInt64, _ count: UInt16) throws -> Answer? {
        try ask(machine, 0, start + first * block, count).0
    }

    private func unplug(_ machine: FakeMachine, _ first: UInt64, _ count: UInt16) throws -> Answer? {
        try ask(machine, 1, start + first * block, count).0
    }

    /// The state of blocks: 0 plugged, 1 unplugged, 2 mixed.
    private func state(_ machine: FakeMachine, _ first: UInt64, _ count: UInt16) throws -> UInt16? {
        let (answer, state) = try ask(machine, 3, start + first * block, count)
        return answer == .done ? state : nil
    }

    private func usable(_ machine: FakeMachine) -> UInt64 { machine.configuration(32, as: UInt64.self) / block }
    private func plugged(_ machine: FakeMachine) -> UInt64 { machine.configuration(40, as: UInt64.self) / block }

    @Test("the configuration tells where the region is, and follows what is asked for; section 5.15.4")
    func configuration() throws {
        let (machine, device, _) = try machine()
        #expect(machine.read(.deviceID) == 24)
        #expect(machine.configuration(0, as: UInt64.self) == block)
        #expect(machine.configuration(16, as: UInt64.self) == start)
        #expect(machine.configuration(24, as: UInt64.self) == 32 * block)
        #expect(usable(machine) == 0 && plugged(machine) == 0 && machine.configuration(48, as: UInt64.self) == 0)
        try machine.boot()
        _ = machine.line.take()
        try device.setRequestedSize(9 * block)
        #expect(machine.configuration(48, as: UInt64.self) == 9 * block)
        #expect(usable(machine) == 16, "a multiple of the step")
        #expect(machine.line.take() == 1 && machine.read(.interruptStatus) & 2 == 2)
        // It does not shrink with what is wanted, and nothing is said where nothing changed.
        try device.setRequestedSize(block)
        #expect(usable(machine) == 16 && machine.line.take() == 1)
        try device.setRequestedSize(block)
        #expect(machine.line.take() == 0)
        #expect(throws: Memory.SizeError.notWholeBlocks(blockSize: block)) { try device.setRequestedSize(block + 4096) }
        #expect(throws: Memory.SizeError.tooLarge(most: 32 * block)) { try device.setRequestedSize(33 * block) }
        #expect(device.requestedSize == block)
        machine.transport.write(0x100 + 48, 77 * block, width: 8)
        #expect(device.requestedSize == block, "the size is the host's")
    }

    @Test("a driver that would read what is not plugged is refused; a node is offered where there is one")
    func features() throws {
        let (machine, _, _) = try machine()
        #expect(machine.offered.intersection(Features(rawValue: 0xff)) == Features.Memory.unpluggedInaccessible)
        #expect(throws: FeaturesRefused.self) { try machine.boot([]) }
        try machine.boot(Features.Memory.unpluggedInaccessible)
        var region = MemoryTests.region
        region.node = 3
        let other = try self.machine(region).machine
        #expect(other.offered.contains(Features.Memory.acpiProximity))
        #expect(other.configuration(8, as: UInt16.self) == 3)
    }

    @Test("blocks are plugged and unplugged as asked, whichever way the driver counts", arguments: layouts)
    func plugs(_ layout: Features) throws {
        let (machine, device, blocks) = try machine()
        try machine.boot(layout.union(Features.Memory.unpluggedInaccessible))
        try device.setRequestedSize(8 * block)
        #expect(try plug(machine, 2, 4) == .done)
        #expect(blocks.plugged == [2, 3, 4, 5] && device.pluggedSize == 4 * block && plugged(machine) == 4)
        #expect(try state(machine, 2, 4) == 0)
        #expect(try state(machine, 0, 2) == 1)
        #expect(try state(machine, 0, 8) == 2)
        #expect(try unplug(machine, 3, 2) == .done)
        #expect(blocks.plugged == [2, 5] && device.pluggedSize == 2 * block)
        #expect(try ask(machine, 2).0 == .done)
        #expect(blocks.plugged == [] && plugged(machine) == 0)
        #expect(blocks.calls == ["plug 2..<6", "unplug 3..<5", "unplug 2..<3", "unplug 5..<6"])
        let counts = device.counts
        #expect(counts.plugs == 1 && counts.unplugs == 1 && counts.unplugAlls == 1 && counts.questions == 3)
        #expect(counts.pluggedBytes == 4 * block && counts.unpluggedBytes == 4 * block)
    }

    @Test("requests are refused that are not about whole, usable blocks in the right state; section 5.15.6")
    func refuses() throws {
        let (machine, device, blocks) = try machine()
        try machine.boot()
        #expect(try plug(machine, 0, 1) == .error, "nothing is usable yet")
        try device.setRequestedSize(6 * block)
        for kind: UInt16 in [0, 1, 3] {
            for (address, count): (UInt64, UInt16) in [
                (start + 1, 1), (start + block / 2, 1), (start, 0), (start - block, 1), (start - block, 2), (0, 1),
                (start + 7 * block, 2), (start + 8 * block, 1), (start, 9), (start + 32 * block, 1), (start, .max),
                (.max, 1), (.max - block + 1, .max), (UInt64.max / block * block, .max),
            ] { #expect(try ask(machine, kind, address, count).0 == .error, "\(kind) \(address) \(count)") }
        }
        #expect(try ask(machine, 4, start, 1).0 == .error, "no such request")
        #expect(try plug(machine, 1, 2) == .done)
        #expect(try plug(machine, 0, 2) == .error, "one is plugged")
        #expect(try unplug(machine, 2, 2) == .error, "one is not")
        #expect(blocks.plugged == [1, 2])
        // More than the host wants the guest to have.
        #expect(try plug(machine, 3, 5) == .notNow)
        try device.setRequestedSize(block)
        #expect(try plug(machine, 3, 1) == .notNow)
        #expect(blocks.plugged == [1, 2])
        #expect(device.counts.failedPlugs == 18 && device.counts.failedUnplugs == 15)
        #expect(machine.status.isDisjoint(with: .needsReset))
    }

    @Test("where the host refuses the driver may come again; nothing has changed")
    func busy() throws {
        let (machine, device, blocks) = try machine()
        try machine.boot()
        try device.setRequestedSize(8 * block)
        blocks.refusesPlugs = true
        #expect(try plug(machine, 0, 4) == .busy)
        #expect(device.pluggedSize == 0)
        blocks.refusesPlugs = false
        #expect(try plug(machine, 0, 4) == .done)
        blocks.refusesUnplugs = true
        #expect(try unplug(machine, 0, 2) == .busy)
        #expect(try ask(machine, 2).0 == .busy)
        #expect(device.pluggedSize == 4 * block && device.counts.failedUnplugAlls == 1)
        blocks.refusesUnplugs = false
        blocks.keepsPages = true
        #expect(try unplug(machine, 0, 2) == .done)
        #expect(device.pluggedSize == 2 * block && device.counts.failedDiscards == 1)
    }

    @Test("after all was unplugged only what is wanted is usable; section 5.15.6")
    func shrinks() throws {
        let (machine, device, _) = try machine()
        try machine.boot()
        try device.setRequestedSize(32 * block)
        #expect(try plug(machine, 31, 1) == .done)
        try device.setRequestedSize(block)
        #expect(usable(machine) == 32)
        _ = machine.line.take()
        #expect(try ask(machine, 2).0 == .done)
        #expect(usable(machine) == 8)
        #expect(machine.read(.interruptStatus) & 1 == 1)
        #expect(try plug(machine, 8, 1) == .error)
    }

    @Test("a reset takes nothing from the guest; section 5.15.5")
    func reset() throws {
        let (machine, device, blocks) = try machine()
        try machine.boot()
        try device.setRequestedSize(4 * block)
        #expect(try plug(machine, 0, 4) == .done)
        machine.write(.status, 0)
        #expect(blocks.plugged == [0, 1, 2, 3] && device.pluggedSize == 4 * block)
        try machine.boot()
        #expect(plugged(machine) == 4 && usable(machine) == 8)
        #expect(try state(machine, 0, 4) == 0)
        #expect(try unplug(machine, 0, 4) == .done)
    }

    @Test("a request without its bytes or a place for its answer is a fault")
    func short() throws {
        for (readable, writable) in [(23, 10), (24, 9), (24, 0), (0, 10)] {
            let (machine, _, _) = try machine()
            try machine.boot()
            var buffers: [FakeBuffer] = []
            if readable > 0 { buffers.append(try machine.place([UInt8](repeating: 0, count: readable))) }
            if writable > 0 { buffers.append(machine.room(writable)) }
            try machine.queues[0].add(buffers)
            try machine.queues[0].kick()
            machine.run()
            #expect(machine.status.contains(.needsReset), "\(readable) \(writable)")
        }
        // Cut anywhere, and with more than is needed.
        let (machine, device, _) = try machine()
        try machine.boot()
        try device.setRequestedSize(block)
        let request = bytes(UInt16(0), UInt16(0), UInt32(0), start, UInt16(1), UInt16(0), UInt32(0))
        try machine.queues[0].submit(
            machine.place(Array(request[..<13])), machine.place(Array(request[13...]) + [9, 9]), machine.room(3),
            machine.room(20), indirect: true)
        #expect(try machine.queues[0].takeAllUsed() == [10])
        #expect(device.pluggedSize == block)
    }

    @Test("one turn of the loop takes so many requests and no more; the others have their turn without a kick")
    func turns() throws {
        let machine = try FakeMachine(Memory(MemoryTests.region, FakeBlocks(), queueSize: 256))
        try machine.boot(queueSize: 256)
        let request = try machine.place([UInt8](repeating: 0, count: 24))
        for _ in 0..<100 { try machine.queues[0].add([request, machine.room(10)]) }
        try machine.queues[0].kick()
        try machine.loop.poll(timeoutMilliseconds: 0)
        #expect(try machine.queues[0].takeAllUsed().count == Memory.budget)
        machine.run()
        #expect(try machine.queues[0].takeAllUsed().count == 100 - Memory.budget)
    }

    @Test("a paused device takes no request; what is wanted meanwhile is said when it goes on")
    func paused() throws {
        let (machine, device, blocks) = try machine()
        try machine.boot()
        machine.transport.pause()
        _ = machine.line.take()
        try device.setRequestedSize(block)
        #expect(try plug(machine, 0, 1) == nil)
        #expect(blocks.plugged == [] && machine.line.count == 0)
        machine.transport.resume()
        machine.run()
        #expect(blocks.plugged == [0] && machine.line.take() > 0 && machine.read(.interruptStatus) & 2 == 2)
        #expect(try machine.queues[0].takeAllUsed() == [10])
    }

    @Test("rings and buffers may lie in memory that was plugged, and go on there after a restore")
    func restored() throws {
        // The device's own queue, too, lies in a block of its.
        func memory() throws -> GuestMemory {
            try GuestMemory([
                GuestRegion.Plan(start: GuestAddress(0), size: 32 << 20),
                GuestRegion.Plan(start: MemoryTests.region.start, size: MemoryTests.region.size, blockSize: block),
            ])
        }
        let (first, blocks) = (try memory(), FakeBlocks())
        blocks.memory = (first, 1)
        let device = Memory(MemoryTests.region, blocks)
        let machine = try FakeMachine(device, memory: first)
        try machine.boot()
        try device.setRequestedSize(8 * block)
        #expect(try plug(machine, 1, 3) == .done)
        try first.store(UInt64(77), at: GuestAddress(start + 2 * block))
        // A request in a buffer of the device's own block, and one in a block that is not plugged.
        let inside = FakeBuffer(address: GuestAddress(start + 3 * block), count: 24, isWritable: false)
        try first.write(
            bytes(UInt16(0), UInt16(0), UInt32(0), start, UInt16(1), UInt16(0), UInt32(0)), at: inside.address)
        try machine.queues[0].submit(inside, machine.room(10))
        #expect(try machine.queues[0].takeAllUsed() == [10] && blocks.plugged == [0, 1, 2, 3])
        machine.transport.pause()
        let state = machine.transport.save()
        #expect(try TransportState(state.encoded()) == state)

        let twinBlocks = FakeBlocks()
        twinBlocks.memory = (first, 1)
        // As if it were another process's: nothing is plugged before the restore.
        try first.unplug(0..<1, region: 1)
        let twin = Memory(MemoryTests.region, twinBlocks)
        let other = try FakeMachine(twin, memory: first)
        try other.transport.restore(state)
        #expect(twinBlocks.plugged == [0, 1, 2, 3] && twin.pluggedSize == 4 * block)
        #expect(twin.requestedSize == 8 * block && usable(other) == 8)
        #expect(try first.load(UInt64.self, at: GuestAddress(start + 2 * block)) == 77)
        other.queues = machine.queues
        let outside = FakeBuffer(address: GuestAddress(start + 5 * block), count: 24, isWritable: false)
        try machine.queues[0].add([outside, machine.room(10)])
        other.write(.queueNotify, 0)
        other.run()
        #expect(other.status.contains(.needsReset), "memory that is not plugged is none")
    }

    @Test("states that are none, and of another region, are refused; nothing is plugged then")
    func badState() throws {
        let (machine, device, _) = try machine()
        try machine.boot()
        try device.setRequestedSize(8 * block)
        #expect(try plug(machine, 1, 3) == .done)
        machine.transport.pause()
        let good = device.save()
        func refusal(_ bytes: [UInt8], _ region: Memory.Region = MemoryTests.region) throws -> StateError? {
            let blocks = FakeBlocks()
            let device = Memory(region, blocks)
            do throws(StateError) {
                try device.restore(bytes)
                return nil
            } catch {
                #expect(blocks.plugged == [] && device.pluggedSize == 0)
                return error
            }
        }
        #expect(try refusal(good) == nil)
        func changed(_ place: Int, _ byte: UInt8) -> [UInt8] {
            var bytes = good
            bytes[place] = byte
            return bytes
        }
        var larger = MemoryTests.region
        larger.size *= 2
        guard case .mismatch = try refusal(good, larger) else { throw SystemError("refuse", .invalidArgument) }
        // Wanted: not whole blocks, more than is usable. Usable: more than there is, not whole blocks. A block behind that.
        for (place, byte): (Int, UInt8) in [(28, 1), (31, 2), (39, 16), (36, 1), (49, 2)] {
            guard case .malformed = try refusal(changed(place, byte)) else {
                Issue.record("\(place)")
                continue
            }
        }
        #expect(try refusal(good + [0]) != nil && refusal(Array(good.dropLast())) != nil)

        let blocks = FakeBlocks()
        blocks.refusesPlugs = true
        #expect(throws: StateError.self) { try Memory(MemoryTests.region, blocks).restore(good) }
    }

    @Test("a hostile driver is survived")
    func hostile() throws {
        let (machine, device, blocks) = try machine()
        let headers = (0..<5 as Range<UInt16>).flatMap { kind in
            [start, start + 3 * block, start + 31 * block, start + 5].map { address in
                bytes(kind, UInt16(0), UInt32(0), address, UInt16(2), UInt16(0), UInt32(0))
            }
        }
        var hostile = Hostile(seed: 24, machine, headers: headers)
        for round in 0..<20 as Range<UInt64> {
            try hostile.run(rounds: 10) { try device.setRequestedSize(round % 33 * block) }
            #expect(UInt64(blocks.plugged.count) * block == device.pluggedSize)
        }
        try machine.boot()
        #expect(try ask(machine, 2).0 == .done)
        #expect(blocks.plugged == [])
        #expect(hostile.resets > 5)
    }
}
