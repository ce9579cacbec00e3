import GuestMemory
import Linux
import Testing

@testable import Virtio

/// A queue without a device around it: the ring's memory in the test's hands.
private struct Ring {
    let machine: FakeMachine
    let queue: Virtqueue
    let driver: FakeQueue
    let chain = DescriptorChain()

    init(_ features: Features, size: UInt16 = 8, memory: GuestMemory? = nil) throws {
        machine = try FakeMachine(try Entropy(), memory: memory)
        driver = try FakeQueue(machine, index: 0, size: size, features: features)
        queue = try Virtqueue(index: 0, maximumSize: 256)
        var setup = Virtqueue.Setup()
        setup.size = size
        setup.descriptorArea = driver.descriptors
        setup.driverArea = driver.driver
        setup.deviceArea = driver.device
        try queue.start(setup, features: features, memory: machine.memory)
    }

    /// The error of the next take, after which the queue is broken.
    func failure() -> QueueError? {
        do throws(QueueError) {
            _ = try queue.next(into: chain)
            return nil
        } catch {
            #expect(queue.isBroken)
            #expect((try? queue.next(into: chain)) == false, "a broken queue gives nothing more")
            return error
        }
    }

    func take() throws -> Bool { try queue.next(into: chain) }
}

private let next: UInt16 = 1
private let write: UInt16 = 2
private let indirect: UInt16 = 4

@Suite struct QueueTests {
    private let buffer = GuestAddress(FakeMachine.bufferBase)

    @Test(
        "chains come in order, readable bytes apart from writable ones, many times round the ring", arguments: layouts)
    func roundTrips(_ layout: Features) throws {
        for size in [8, 2] as [UInt16] {
            let ring = try Ring(layout, size: size)
            for round in 0..<50 {
                let out = try ring.machine.place(bytes(UInt32(round), UInt16(7)))
                let into = ring.machine.room(10)
                let isIndirect = layout.contains(.indirectDescriptors) && round % 2 == 0
                try ring.driver.add(out, into, indirect: isIndirect)
                #expect(try ring.take())
                #expect(ring.chain.readableCount == 6 && ring.chain.writableCount == 10)
                var reader = ring.chain.reader
                #expect(reader.read(UInt32.self) == UInt32(round))
                #expect(reader.read(UInt32.self) == nil && reader.count == 2)
                var writer = ring.chain.writer
                #expect(writer.write(UInt64(round)) == true)
                #expect(writer.write(UInt32(1)) == false)
                #expect(writer.written == 8)
                try ring.queue.complete(ring.chain, written: writer.written)
                let used = try #require(try ring.driver.takeUsed())
                #expect(used.length == 8)
                #expect(try ring.machine.memory.load(UInt64.self, at: into.address) == UInt64(round))
                #expect(try !ring.take())
                ring.machine.forgetBuffers()
            }
        }
    }

    @Test("a value that lies across buffers is one value")
    func acrossBuffers() throws {
        let ring = try Ring([])
        let rooms = [ring.machine.room(3), ring.machine.room(5)]
        try ring.driver.add(
            [ring.machine.place([1, 2, 3]), ring.machine.place([4]), ring.machine.place([5, 6, 7, 8])] + rooms)
        #expect(try ring.take())
        var reader = ring.chain.reader
        #expect(reader.read(UInt64.self) == 0x0807_0605_0403_0201)
        var writer = ring.chain.writer
        #expect(writer.write(UInt64(0x0807_0605_0403_0201)) == true)
        #expect(try rooms.flatMap { try ring.machine.contents($0) } == [1, 2, 3, 4, 5, 6, 7, 8])
    }

    @Test("a buffer across two regions of memory is whole, one across a hole is none")
    func acrossRegions() throws {
        let border: UInt64 = 8 << 20
        let memory = try GuestMemory([
            GuestRegion.Plan(start: GuestAddress(0), size: border),
            GuestRegion.Plan(start: GuestAddress(border), size: border),
        ])
        let ring = try Ring([], memory: memory)
        try memory.write((0..<100).map { UInt8($0) }, at: GuestAddress(border - 50))
        try ring.driver.add(FakeBuffer(address: GuestAddress(border - 50), count: 100, isWritable: false))
        #expect(try ring.take())
        var reader = ring.chain.reader
        #expect(reader.read(upTo: 200) == (0..<100).map { UInt8($0) })
        try ring.driver.add(FakeBuffer(address: GuestAddress(2 * border - 50), count: 100, isWritable: false))
        #expect(ring.failure() == .bufferOutsideMemory(GuestAddress(2 * border - 50), 100))
    }

    @Test("buffers given back unused are taken again, in the same order", arguments: layouts)
    func givesBack(_ layout: Features) throws {
        let ring = try Ring(layout, size: 4)
        let chains = (0..<3).map { _ in DescriptorChain() }
        // Over the ring's end.
        for _ in 0..<3 {
            for length in 1...3 { try ring.driver.add(ring.machine.room(length)) }
            for chain in chains { #expect(try ring.queue.next(into: chain)) }
            for chain in chains.reversed() { ring.queue.giveBack(chain) }
            #expect(ring.queue.inFlight == 0)
            for chain in chains { #expect(try ring.queue.next(into: chain)) }
            #expect(chains.map(\.writableCount) == [1, 2, 3])
            for chain in chains { try ring.queue.complete(chain, written: chain.writableCount) }
            #expect(try ring.driver.takeAllUsed() == [1, 2, 3])
        }
    }

    @Test("with IN_ORDER buffers are used in their order whatever is done first; section 2.7.9")
    func inOrder() throws {
        for layout in [Features.inOrder, [.inOrder, .packedRing]] {
            let ring = try Ring(layout)
            let chains = (0..<3).map { _ in DescriptorChain() }
            for length in 1...3 { try ring.driver.add(ring.machine.room(length)) }
            for chain in chains { #expect(try ring.queue.next(into: chain)) }
            try ring.queue.complete(chains[2], written: 3)
            try ring.queue.complete(chains[1], written: 2)
            #expect(try ring.driver.takeAllUsed() == [])
            try ring.queue.complete(chains[0], written: 1)
            #expect(try ring.driver.takeAllUsed() == [1, 2, 3])
        }
    }

    @Test("with IN_ORDER what is done but not yet given back is still the device's")
    func inOrderTwice() throws {
        for layout in [Features.inOrder, [.inOrder, .packedRing]] {
            let ring = try Ring(layout, size: 4)
            let chains = (0..<4).map { _ in DescriptorChain() }
            for _ in chains { try ring.driver.add(ring.machine.room(1)) }
            for chain in chains { #expect(try ring.queue.next(into: chain)) }
            for chain in chains[1...] { try ring.queue.complete(chain, written: 1) }
            if ring.driver.isPacked {
                try ring.driver.writePacked([(buffer, 1, write)], 1)
            } else {
                try ring.driver.makeAvailable(1)
            }
            #expect(ring.failure() == .tooManyInFlight)
        }
    }

    @Test("without IN_ORDER what is done first comes back first")
    func outOfOrder() throws {
        for layout in [Features.eventIndex, [.eventIndex, .packedRing]] {
            let ring = try Ring(layout)
            let chains = (0..<3).map { _ in DescriptorChain() }
            for length in 1...3 { try ring.driver.add(ring.machine.room(length)) }
            for chain in chains { #expect(try ring.queue.next(into: chain)) }
            for chain in chains.reversed() { try ring.queue.complete(chain, written: chain.writableCount) }
            #expect(try ring.driver.takeAllUsed() == [3, 2, 1])
        }
    }

    @Test("a batch is seen as a whole or not at all", arguments: layouts)
    func batches(_ layout: Features) throws {
        let ring = try Ring(layout, size: 4)
        // Over the ring's end.
        for _ in 0..<3 {
            for length in 1...3 { try ring.driver.add(ring.machine.room(length)) }
            let chains = (0..<3).map { _ in DescriptorChain() }
            for chain in chains { #expect(try ring.queue.next(into: chain)) }
            ring.queue.beginBatch()
            for chain in chains { try ring.queue.complete(chain, written: chain.writableCount) }
            #expect(try ring.driver.takeAllUsed() == [])
            try ring.queue.endBatch()
            #expect(try ring.driver.takeAllUsed() == [1, 2, 3])
        }
    }

    @Test("the driver is interrupted when it asked for it; sections 2.7.7 and 2.8.10", arguments: layouts)
    func interrupts(_ layout: Features) throws {
        let ring = try Ring(layout, size: 4)
        func use(_ count: Int) throws {
            for _ in 0..<count {
                try ring.driver.add(ring.machine.room(1))
                #expect(try ring.take())
                try ring.queue.complete(ring.chain, written: 1)
            }
            #expect(try ring.driver.takeAllUsed().count == count)
        }
        #expect(try !ring.queue.needsInterrupt(), "nothing was used")
        if layout.contains(.eventIndex) {
            for _ in 0..<20 {
                try ring.driver.setInterruptEvent(after: 2)
                try use(1)
                #expect(try !ring.queue.needsInterrupt())
                try use(1)
                #expect(try ring.queue.needsInterrupt())
                try use(1)
                #expect(try !ring.queue.needsInterrupt())
                // One wish in the middle of a batch.
                try ring.driver.setInterruptEvent(after: 2)
                try use(3)
                #expect(try ring.queue.needsInterrupt())
            }
        }
        if layout.contains(.packedRing) || !layout.contains(.eventIndex) {
            try ring.driver.setInterrupts(false)
            try use(2)
            #expect(try !ring.queue.needsInterrupt())
            try ring.driver.setInterrupts(true)
            try use(1)
            #expect(try ring.queue.needsInterrupt())
            #expect(try !ring.queue.needsInterrupt())
        }
    }

    @Test("the driver notifies when the device asked for it; what comes in between is not missed", arguments: layouts)
    func notifications(_ layout: Features) throws {
        let ring = try Ring(layout, size: 4)
        for _ in 0..<20 {
            try ring.queue.disableNotifications()
            try ring.driver.add(ring.machine.room(1))
            #expect(try !ring.driver.kick() || (layout.contains(.eventIndex) && !layout.contains(.packedRing)))
            #expect(try ring.queue.enableNotifications(), "there is one already")
            #expect(try ring.take())
            try ring.queue.complete(ring.chain, written: 1)
            #expect(try !ring.queue.enableNotifications())
            try ring.driver.add(ring.machine.room(1))
            #expect(try ring.driver.kick())
            #expect(try ring.take())
            try ring.queue.complete(ring.chain, written: 1)
            _ = try ring.driver.takeAllUsed()
        }
    }

    // MARK: - Malformed rings

    @Test("a ring of a bad size, at a bad place, or not aligned does not start")
    func badRings() throws {
        let memory = try GuestMemory(size: 1 << 20)
        let queue = try Virtqueue(index: 0, maximumSize: 128)
        func failure(_ features: Features = [], _ change: (inout Virtqueue.Setup) -> Void) -> QueueError? {
            var setup = Virtqueue.Setup()
            setup.size = 16
            setup.descriptorArea = GuestAddress(0x1000)
            setup.driverArea = GuestAddress(0x2000)
            setup.deviceArea = GuestAddress(0x3000)
            change(&setup)
            do throws(QueueError) {
                try queue.start(setup, features: features, memory: memory)
                return nil
            } catch {
                #expect(queue.isBroken && !queue.isRunning)
                return error
            }
        }
        #expect(failure { _ in } == nil)
        for size in [0, 3, 24, 129, 256, 65535] as [UInt16] { #expect(failure { $0.size = size } == .badSize(size)) }
        #expect(failure(.packedRing) { $0.size = 24 } == nil, "a packed ring has any size")
        #expect(failure(.packedRing) { $0.size = 0 } == .badSize(0))
        #expect(failure { $0.descriptorArea = GuestAddress(0x1008) } == .misalignedRing(GuestAddress(0x1008)))
        #expect(failure { $0.driverArea = GuestAddress(0x2001) } == .misalignedRing(GuestAddress(0x2001)))
        #expect(failure(.packedRing) { $0.driverArea = GuestAddress(0x2002) } == .misalignedRing(GuestAddress(0x2002)))
        #expect(failure { $0.deviceArea = GuestAddress(0x3002) } == .misalignedRing(GuestAddress(0x3002)))
        for address in [0xfff10, 0x100000, .max - 15, 1 << 63] as [UInt64] {
            #expect(
                failure { $0.descriptorArea = GuestAddress(address) } == .ringOutsideMemory(GuestAddress(address)))
        }
        #expect(failure { $0.deviceArea = GuestAddress(0xffffc) } == .ringOutsideMemory(GuestAddress(0xffffc)))
    }

    @Test("a loop ends, with and without an indirect table")
    func loops() throws {
        let first = try Ring([])
        try first.driver.writeSplit(0, buffer, 1, next, 1)
        try first.driver.writeSplit(1, buffer, 1, next, 0)
        try first.driver.makeAvailable(0)
        #expect(first.failure() == .chainTooLong)

        let second = try Ring(.indirectDescriptors)
        let table = second.machine.allocate(64)
        try second.machine.memory.write(bytes(buffer.rawValue, UInt32(1), next, UInt16(0)), at: table)
        try second.driver.writeSplit(0, table, 64, indirect, 0)
        try second.driver.makeAvailable(0)
        #expect(second.failure() == .chainTooLong)

        // In a packed ring: every descriptor goes on.
        let third = try Ring(.packedRing, size: 4)
        try third.driver.writePacked((0..<4).map { _ in (buffer, 1, next) }, 0)
        #expect(third.failure() == .chainTooLong)
    }

    @Test("links and heads past the table, and indices that jump, are noticed")
    func indices() throws {
        let link = try Ring([])
        try link.driver.writeSplit(0, buffer, 1, next, 8)
        try link.driver.makeAvailable(0)
        #expect(link.failure() == .descriptorIndex(8))

        let head = try Ring([])
        try head.driver.makeAvailable(.max)
        #expect(head.failure() == .descriptorIndex(.max))

        let jump = try Ring([])
        try jump.machine.memory.store(UInt16(9), at: GuestAddress(jump.driver.driver.rawValue + 2))
        #expect(jump.failure() == .availableIndexJump(from: 0, to: 9))

        let back = try Ring([])
        try back.driver.add(back.machine.room(1))
        #expect(try back.take())
        try back.machine.memory.store(UInt16(0), at: GuestAddress(back.driver.driver.rawValue + 2))
        #expect(back.failure() == .availableIndexJump(from: 1, to: 0))
    }

    @Test("a buffer made available twice is noticed before there are more than the ring has")
    func twice() throws {
        let split = try Ring([], size: 4)
        try split.driver.writeSplit(0, buffer, 1, write, 0)
        for _ in 0..<4 {
            try split.driver.makeAvailable(0)
            #expect(try split.queue.next(into: DescriptorChain()))
        }
        try split.driver.makeAvailable(0)
        #expect(split.failure() == .tooManyInFlight)

        let packed = try Ring(.packedRing, size: 4)
        try packed.driver.writePacked((0..<4).map { ($0.isMultiple(of: 4) ? buffer : buffer, 1, write) }, 0)
        #expect(try packed.queue.next(into: DescriptorChain()))
        try packed.driver.writePacked([(buffer, 1, write)], 0)
        #expect(packed.failure() == .tooManyInFlight)
    }

    @Test("lengths and places are checked without overflow")
    func lengths() throws {
        let end = try GuestMemory(size: 32 << 20).size
        for (address, count) in [
            (end - 1, 2), (end, 1), (0, UInt32.max), (.max, 1), (.max, 2), (.max - 3, .max), (1 << 63, 16),
        ] as [(UInt64, UInt32)] {
            for layout in [Features(), .packedRing] {
                let ring = try Ring(layout)
                try ring.driver.add(FakeBuffer(address: GuestAddress(address), count: count, isWritable: true))
                #expect(ring.failure() == .bufferOutsideMemory(GuestAddress(address), count))
            }
        }
        let empty = try Ring([])
        try empty.driver.add(FakeBuffer(address: GuestAddress(.max), count: 0, isWritable: true))
        #expect(try empty.take())
        #expect(empty.chain.writableCount == 0)
    }

    @Test("more than 2^32 bytes in a chain are too many; section 2.7.5")
    func total() throws {
        let memory = try GuestMemory(size: 2 << 30)
        let ring = try Ring([], memory: memory)
        let large = FakeBuffer(address: GuestAddress(0), count: 2 << 30, isWritable: true)
        try ring.driver.add(large, large)
        #expect(try ring.take())
        #expect(ring.chain.writableCount == 1 << 32)
        try ring.driver.add(large, large, FakeBuffer(address: GuestAddress(0), count: 1, isWritable: true))
        #expect(ring.failure() == .tooManyBytes)
    }

    @Test("readable bytes come before writable ones; section 2.7.4.2", arguments: [Features(), .packedRing])
    func direction(_ layout: Features) throws {
        let ring = try Ring(layout)
        try ring.driver.add(ring.machine.room(1), ring.machine.place([1]))
        #expect(ring.failure() == .readableAfterWritable)
    }

    @Test("an indirect table is one, whole, small enough and the end of its chain; section 2.7.5.3")
    func indirectTables() throws {
        func failure(_ features: Features = .indirectDescriptors, _ build: (Ring) throws -> Void) throws -> QueueError?
        {
            let ring = try Ring(features)
            try build(ring)
            return ring.failure()
        }
        #expect(
            try failure([]) {
                try $0.driver.add($0.machine.room(1), indirect: true)
            } == .indirectNotNegotiated)
        #expect(
            try failure {
                try $0.driver.writeSplit(0, buffer, 16, indirect | next, 1)
                try $0.driver.makeAvailable(0)
            } == .indirectWithNext)
        for size in [0, 8, 17] as [UInt32] {
            #expect(
                try failure {
                    try $0.driver.writeSplit(0, buffer, size, indirect, 0)
                    try $0.driver.makeAvailable(0)
                } == .indirectTableSize(size))
        }
        #expect(
            try failure {
                try $0.driver.writeSplit(0, buffer, 16 * 9, indirect, 0)
                try $0.driver.makeAvailable(0)
            } == .chainTooLong)
        #expect(
            try failure {
                try $0.machine.memory.write(bytes(buffer.rawValue, UInt32(16), indirect, UInt16(0)), at: buffer)
                try $0.driver.writeSplit(0, buffer, 16, indirect, 0)
                try $0.driver.makeAvailable(0)
            } == .nestedIndirect)
        #expect(
            try failure {
                try $0.machine.memory.write(bytes(buffer.rawValue, UInt32(16), next, UInt16(1)), at: buffer)
                try $0.driver.writeSplit(0, buffer, 16, indirect, 0)
                try $0.driver.makeAvailable(0)
            } == .descriptorIndex(1))
        #expect(
            try failure {
                try $0.driver.writeSplit(0, GuestAddress((32 << 20) - 8), 16, indirect, 0)
                try $0.driver.makeAvailable(0)
            } == .bufferOutsideMemory(GuestAddress((32 << 20) - 8), 16))
        // A table after direct descriptors is allowed, and counts with them.
        let mixed = try Ring(.indirectDescriptors)
        try mixed.machine.memory.write(bytes(buffer.rawValue, UInt32(8), write, UInt16(0)), at: buffer)
        try mixed.driver.writeSplit(0, buffer, 4, next, 1)
        try mixed.driver.writeSplit(1, buffer, 16, indirect, 0)
        try mixed.driver.makeAvailable(0)
        #expect(try mixed.take())
        #expect(mixed.chain.readableCount == 4 && mixed.chain.writableCount == 8)
    }

    @Test("a chain of an earlier life of the queue is nobody's")
    func epochs() throws {
        let ring = try Ring([])
        try ring.driver.add(ring.machine.room(1))
        #expect(try ring.take())
        ring.queue.stop()
        try ring.queue.complete(ring.chain, written: 1)
        ring.queue.giveBack(ring.chain)
        #expect(try ring.driver.takeUsed() == nil)
    }

    @Test("nothing is allocated between taking a buffer and giving it back")
    func allocations() throws {
        let ring = try Ring([.eventIndex, .indirectDescriptors])
        let room = ring.machine.room(64)
        try ring.driver.add(room)
        #expect(try ring.take())
        let before = ring.chain.segments.capacity
        try ring.queue.complete(ring.chain, written: 0)
        for _ in 0..<100 {
            _ = try ring.driver.takeUsed()
            try ring.driver.add(room)
            #expect(try ring.take())
            try ring.queue.complete(ring.chain, written: 64)
        }
        #expect(ring.chain.segments.capacity == before)
    }

    @Test("saved positions that are none are refused")
    func badState() throws {
        let ring = try Ring(.packedRing)
        var state = QueueState()
        state.available = 8
        #expect(throws: QueueError.self) { try ring.queue.restore(state) }
        state.available = 0
        state.used = 0x8000 | 9
        #expect(throws: QueueError.self) { try ring.queue.restore(state) }
    }
}
