import GuestMemory
import Linux
import Testing

@testable import Virtio

@Suite struct TransportTests {
    private func machine() throws -> FakeMachine { try FakeMachine(try Entropy(queueSize: 32)) }

    @Test("the registers that tell what the device is; section 4.2.2")
    func identity() throws {
        let machine = try machine()
        #expect(machine.read(.magicValue) == 0x7472_6976)
        #expect(machine.read(.version) == 2)
        #expect(machine.read(.deviceID) == 4)
        #expect(machine.read(.vendorID) != 0)
        #expect(machine.read(.queueSizeMax) == 32)
        machine.write(.queueSelect, 1)
        #expect(machine.read(.queueSizeMax) == 0 && machine.read(.queueReady) == 0)
        for (select, expected) in [(0, Features.queue.rawValue & 0xffff_ffff), (1, 0x0d), (2, 0), (.max, 0)]
            as [(UInt32, UInt64)]
        {
            machine.write(.deviceFeaturesSelect, select)
            #expect(UInt64(machine.read(.deviceFeatures)) == expected)
        }
        // No region of shared memory: a length of all ones; section 4.2.2.1.
        machine.write(.sharedMemorySelect, 0)
        #expect(machine.read(.sharedMemoryLengthLow) == .max && machine.read(.sharedMemoryLengthHigh) == .max)
        #expect(machine.read(MMIORegister(rawValue: 0x1f0)) == 0)
    }

    @Test("registers are written whole, and what is read otherwise are their bytes; section 4.2.2.2")
    func widths() throws {
        let machine = try machine()
        let bytes = "virt".utf8.map { UInt64($0) } + [2, 0, 0, 0]
        for width in [1, 2, 4, 8] {
            for offset in 0...8 - width {
                let expected = (0..<width).reduce(UInt64(0)) { $0 | bytes[offset + $1] << UInt64(8 * $1) }
                #expect(machine.transport.read(UInt64(offset), width: width) == expected, "\(offset) \(width)")
            }
        }
        for (offset, width) in [
            (0, 3), (0, 16), (0, 0), (0, -1), (0xffd, 4), (0xfff, 2), (0x1000, 1), (.max, 4), (.max, 8),
        ]
            as [(UInt64, Int)]
        {
            #expect(machine.transport.read(offset, width: width) == 0)
        }
        for (offset, width) in [
            (0x70, 1), (0x70, 2), (0x70, 8), (0x71, 4), (0x6f, 4), (0x1000, 4), (.max, 4), (.max, 8),
        ]
            as [(UInt64, Int)]
        {
            machine.transport.write(offset, 0x0101_0101, width: width)
        }
        #expect(machine.status == [])
    }

    @Test("features are agreed on once, and only what was offered; section 3.1.1")
    func features() throws {
        let machine = try machine()
        machine.negotiate([.version1, .eventIndex])
        #expect(machine.status.contains(.featuresOK))
        #expect(machine.transport.negotiatedFeatures == [.version1, .eventIndex])
        machine.write(.driverFeaturesSelect, 0)
        machine.write(.driverFeatures, 0)
        #expect(machine.transport.negotiatedFeatures == [.version1, .eventIndex], "too late")
        machine.negotiate([.eventIndex])
        #expect(!machine.status.contains(.featuresOK), "no VERSION_1")
        machine.negotiate([.version1, Features(rawValue: 1 << 5)])
        #expect(!machine.status.contains(.featuresOK), "not offered")
        machine.negotiate([.version1, .ringReset])
        #expect(!machine.status.contains(.featuresOK))
    }

    @Test("the status goes forwards only, in order, and back to zero by a reset; section 2.1")
    func status() throws {
        let machine = try machine()
        machine.write(.status, 4)
        #expect(machine.status == [], "DRIVER_OK out of order")
        machine.write(.status, 8)
        #expect(machine.status == [], "FEATURES_OK before DRIVER")
        machine.write(.status, 64)
        #expect(machine.status == [], "NEEDS_RESET is the device's")
        try machine.boot()
        #expect(machine.status == [.acknowledge, .driver, .featuresOK, .driverOK])
        machine.write(.status, 1)
        #expect(machine.status == [.acknowledge, .driver, .featuresOK, .driverOK], "bits are not taken back")
        machine.write(.status, 15 | 128)
        #expect(machine.status.contains(.failed))
        try machine.queues[0].submit(machine.room(4))
        #expect(try machine.queues[0].takeUsed() == nil, "a driver that gave up is left alone")
        machine.write(.status, 0)
        #expect(machine.status == [])
        #expect(machine.read(.interruptStatus) == 0)
        machine.write(.queueSelect, 0)
        #expect(machine.read(.queueReady) == 0)
    }

    @Test("nothing is used and nobody interrupted before DRIVER_OK; section 3.1.1")
    func beforeReady() throws {
        let machine = try machine()
        machine.negotiate(.version1)
        let queue = try FakeQueue(machine, index: 0, size: 8, features: .version1)
        queue.announce()
        #expect(machine.read(.queueReady) == 1)
        try queue.submit(machine.room(4))
        #expect(try queue.takeUsed() == nil && machine.line.count == 0)
        machine.write(.status, 15)
        machine.run()
        #expect(try queue.takeUsed()?.length == 4, "what was kicked before is found")
        #expect(machine.line.count == 1)
    }

    @Test("a queue is not changed while it is ready, and one taken away stops; section 4.2.2.2")
    func queueSetup() throws {
        let machine = try machine()
        try machine.boot()
        machine.write(.queueSelect, 0)
        machine.write(.queueDescriptorLow, 0)
        try machine.queues[0].submit(machine.room(4))
        #expect(try machine.queues[0].takeUsed() != nil)
        machine.write(.queueReady, 0)
        #expect(machine.read(.queueReady) == 0)
        try machine.queues[0].submit(machine.room(4))
        #expect(try machine.queues[0].takeUsed() == nil)
        #expect(machine.status.isDisjoint(with: .needsReset))
        // A kick at a queue that is not there.
        for index in [1, 7, .max] as [UInt32] { machine.write(.queueNotify, index) }
        machine.run()
    }

    @Test("a broken ring asks for a reset, once, with an interrupt; section 2.1.2")
    func needsReset() throws {
        let machine = try machine()
        try machine.boot([])
        try machine.queues[0].makeAvailable(99)
        try machine.queues[0].kick()
        machine.run()
        #expect(machine.status.contains([.needsReset, .driverOK]))
        #expect(machine.read(.interruptStatus) == 2)
        #expect(machine.line.take() == 1)
        #expect(machine.transport.fault == .queue(index: 0, .descriptorIndex(99)))
        #expect(machine.transport.counts.faults == 1 && machine.transport.counts.failedStarts == 0)
        machine.write(.queueNotify, 0)
        machine.run()
        machine.write(.status, 15)
        #expect(machine.line.count == 0)
        try machine.boot([])
        try machine.queues[0].submit(machine.room(4))
        #expect(try machine.queues[0].takeUsed() != nil)
        #expect(machine.transport.counts.faults == 1, "a reset takes none away")
    }

    @Test("a ring outside memory asks for a reset when the driver is ready")
    func badRing() throws {
        let machine = try machine()
        machine.negotiate(.version1)
        machine.write(.queueSize, 8)
        machine.write(.queueDescriptorHigh, 1)
        machine.write(.queueReady, 1)
        machine.write(.status, 15)
        #expect(machine.status.contains(.needsReset))
        #expect(machine.transport.fault == .queue(index: 0, .ringOutsideMemory(GuestAddress(1 << 32))))
        #expect(machine.transport.counts.faults == 0 && machine.transport.counts.failedStarts == 1)
    }

    @Test("interrupts are acknowledged bit by bit; section 4.2.2.1")
    func acknowledge() throws {
        let machine = try machine()
        try machine.boot()
        try machine.queues[0].submit(machine.room(4))
        machine.transport.configurationChanged()
        #expect(machine.read(.interruptStatus) == 3)
        machine.write(.interruptAcknowledge, 1)
        #expect(machine.read(.interruptStatus) == 2)
        machine.write(.interruptAcknowledge, .max)
        #expect(machine.read(.interruptStatus) == 0)
    }

    @Test("a paused device does nothing, and goes on where it was", arguments: layouts)
    func pauses(_ layout: Features) throws {
        let machine = try machine()
        try machine.boot(layout)
        machine.transport.pause()
        machine.transport.pause()
        try machine.queues[0].submit(machine.room(4))
        #expect(try machine.queues[0].takeUsed() == nil)
        machine.transport.resume()
        machine.transport.resume()
        machine.run()
        #expect(try machine.queues[0].takeUsed() != nil)
        machine.transport.pause()
        machine.write(.status, 0)
        machine.transport.resume()
        #expect(machine.status == [])
    }

    @Test("saved state that is cut, lengthened or changed is refused or harmless, never a crash")
    func badState() throws {
        let machine = try machine()
        try machine.boot()
        machine.transport.pause()
        let good = machine.transport.save().encoded()
        for count in 0..<good.count {
            #expect(throws: StateError.self) { _ = try TransportState(Array(good[..<count])) }
        }
        #expect(throws: StateError.self) { _ = try TransportState(good + [0]) }
        var random = SeededGenerator(seed: 9)
        let other = try FakeMachine(try Entropy(queueSize: 32), memory: machine.memory)
        for _ in 0..<2000 {
            var bad = good
            for _ in 0...random.below(3) { bad[random.below(bad.count)] = UInt8(truncatingIfNeeded: random.next()) }
            if let state = try? TransportState(bad) { try? other.transport.restore(state) }
            other.run()
        }
        let state = try TransportState(good)
        let console = try FakeMachine(Console([try ConsolePort(input: nil, output: nil)]))
        #expect(throws: StateError.self) { try console.transport.restore(state) }
        let limited = try FakeMachine(try Entropy(queueSize: 32), queueFeatures: [])
        #expect(throws: StateError.self) { try limited.transport.restore(state) }
        #expect(limited.status == [])
    }

    @Test("a device whose driver broke the rules can be saved, with the buffer that it had and its interrupt")
    func savedAfterFault() throws {
        let machine = try machine()
        try machine.boot()
        try machine.queues[0].submit(machine.place([1]), machine.room(4))
        #expect(machine.status.contains(.needsReset))
        let state = try TransportState(machine.transport.save().encoded())
        let other = try FakeMachine(try Entropy(queueSize: 32), memory: machine.memory)
        try other.transport.restore(state)
        #expect(other.status.contains(.needsReset))
        #expect(other.read(.interruptStatus) == 2 && other.line.take() == 1)
        try other.boot()
        try other.queues[0].submit(other.room(4))
        #expect(try other.queues[0].takeUsed()?.length == 4)
    }

    @Test("a refused state leaves nothing behind, and a reset forgets what was taken up, started or not")
    func forgetsState() throws {
        func machine() throws -> FakeMachine {
            try FakeMachine(Console([try ConsolePort(input: nil, output: nil)]))
        }
        func announcements(_ machine: FakeMachine) throws -> Int {
            try machine.boot()
            for _ in 0..<4 { try machine.queues[2].add(machine.room(16)) }
            try machine.queues[2].kick()
            try machine.queues[3].submit(machine.place(bytes(UInt32(0), UInt16(0), UInt16(1))))
            return try machine.queues[2].takeAllUsed().count
        }
        let first = try machine()
        #expect(try announcements(first) == 1)
        first.transport.pause()
        let good = first.transport.save()

        var bad = good
        bad.deviceState += [0]
        let second = try machine()
        #expect(throws: StateError.self) { try second.transport.restore(bad) }
        #expect(try announcements(second) == 1)

        var broken = good
        broken.status.insert(.needsReset)
        let third = try machine()
        try third.transport.restore(broken)
        #expect(try announcements(third) == 1)
    }

    @Test("a thread's loop runs its device and ends when it is told to")
    func threads() throws {
        let machine = try machine()
        try machine.boot()
        let thread = LoopThread(machine.loop)
        defer { thread.join() }
        try machine.queues[0].add(machine.room(4))
        try machine.queues[0].kick()
        try machine.wait { try machine.queues[0].takeUsed() != nil }
    }

    @Test("a driver that resets, pauses and kicks while the loop works in another thread meets no race")
    func concurrent() throws {
        let disk = try TestDisk(sectors: 64)
        let machine = try FakeMachine(try Block(try disk.disk()))
        let thread = LoopThread(machine.loop)
        defer { thread.join() }
        var random = SeededGenerator(seed: 6)
        for _ in 0..<100 {
            try machine.boot(random.one(of: layouts))
            for _ in 0..<8 {
                try machine.queues[0].add(
                    machine.place(bytes(UInt32(0), UInt32(0), UInt64(random.below(60)))), machine.room(2048),
                    machine.room(1))
                machine.write(.queueNotify, 0)
                if random.chance(4) {
                    machine.transport.pause()
                    machine.transport.resume()
                }
                _ = machine.read(.interruptStatus)
                machine.write(.interruptAcknowledge, 1)
            }
            if random.chance(2) { machine.write(.status, 0) }
            machine.forgetBuffers()
        }
        try machine.boot()
        let room = machine.room(512)
        try machine.queues[0].add(machine.place(bytes(UInt32(0), UInt32(0), UInt64(9))), room, machine.room(1))
        try machine.queues[0].kick()
        try machine.wait { try machine.queues[0].takeUsed() != nil }
        #expect(try machine.contents(room) == disk.bytes(sector: 9, count: 512))
    }

    @Test("an interrupt by eventfd can be read")
    func eventInterrupt() throws {
        let line = try EventInterrupt()
        line.raise()
        line.raise()
        #expect(try line.counter.take() == 2)
    }
}
