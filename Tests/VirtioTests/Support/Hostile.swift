import GuestMemory
import Testing

@testable import Virtio

/// A driver that means harm: random and crafted rings, registers written in any order, kicks at any time.
///
/// It passes when the process lives, every call returns, and the device works again after a reset.
struct Hostile {
    var random: SeededGenerator
    let machine: FakeMachine
    /// Bytes with which requests of this device may start: a random request alone would go no further than its header.
    let headers: [[UInt8]]
    /// How often the device asked for a reset.
    private(set) var resets = 0

    init(seed: UInt64, _ machine: FakeMachine, headers: [[UInt8]] = []) {
        random = SeededGenerator(seed: seed)
        self.machine = machine
        self.headers = headers
    }

    /// Rounds of mischief; `isWorking` proves at their end that the device does what it should.
    mutating func run(rounds: Int, _ isWorking: () throws -> Void) throws {
        for _ in 0..<rounds {
            try boot()
            for _ in 0..<8 {
                switch random.below(12) {
                case 0: registers()
                case 1: configuration()
                case 2: try rubbish()
                case 3: try jump()
                default: try chains()
                }
                if random.chance(3) { machine.write(.queueNotify, UInt32(random.below(machine.queues.count + 1))) }
                machine.run()
                if machine.status.contains(.needsReset) {
                    resets += 1
                    break
                }
            }
            // A kick in reset is a kick at nothing.
            machine.write(.status, 0)
            machine.write(.queueNotify, UInt32(random.below(machine.queues.count)))
            machine.run()
            machine.forgetBuffers()
        }
        try isWorking()
    }

    private mutating func boot() throws {
        let size = random.one(of: [4, 8, 64] as [UInt16])
        let features = random.one(of: layouts).union(Features(rawValue: random.next() & 0xff_ffff))
        if random.chance(8) {
            // A driver that lies about where its rings are.
            machine.negotiate(features.intersection(machine.offered).union(.version1))
            for index in machine.transport.queues.indices {
                machine.write(.queueSelect, UInt32(index))
                machine.write(.queueSize, random.one(of: [0, 1, 3, 64, 256, 65535, .max]))
                for register: MMIORegister in [.queueDescriptorLow, .queueDriverLow, .queueDeviceLow] {
                    machine.write(register, UInt32(truncatingIfNeeded: address().rawValue))
                }
                if random.chance(3) { machine.write(.queueDescriptorHigh, .max) }
                machine.write(.queueReady, 1)
            }
            machine.write(.status, 15)
            machine.run()
        }
        try? machine.boot(features, queueSize: size)
        // Not every choice of features is one that a device accepts.
        if !machine.status.contains(.driverOK) || machine.queues.isEmpty {
            try machine.boot(random.one(of: layouts).union(Features(rawValue: 0xff_ffff)), queueSize: size)
        }
    }

    private mutating func address() -> GuestAddress {
        let end = machine.memory.size
        return GuestAddress(
            random.one(of: [
                0, FakeMachine.ringBase, FakeMachine.ringBase + 0x2000, FakeMachine.ringBase + 0x3000,
                FakeMachine.bufferBase, FakeMachine.bufferBase + 0x1000, end - 1, end - 16, end, end + 4096, .max,
                .max - 15,
                1 << 63, random.next() % end, random.next(),
            ]))
    }

    private mutating func length() -> UInt32 {
        random.one(of: [
            0, 1, 4, 8, 12, 16, 17, 44, 511, 512, 513, 1024, 4096, 65536, 1 << 20, .max, .max - 15, 1 << 31,
        ])
    }

    private mutating func registers() {
        for _ in 0..<random.below(20) {
            let offset = random.chance(4) ? random.next() >> UInt64(random.below(64)) : UInt64(random.below(64) * 4)
            // The status is written too, and queues are taken away from a device at work.
            machine.transport.write(
                offset, random.chance(2) ? random.next() : UInt64(random.below(16)),
                width: [1, 2, 4, 8][random.below(4)])
            _ = machine.transport.read(offset, width: [1, 2, 4, 8][random.below(4)])
            if random.chance(4) { machine.run() }
        }
    }

    private mutating func configuration() {
        for _ in 0..<4 {
            let offset = 0x100 + UInt64(random.below(80))
            machine.transport.write(
                offset, random.next() >> UInt64(random.below(64)), width: [1, 2, 4, 8][random.below(4)])
            _ = machine.transport.read(offset, width: [1, 2, 4, 8][random.below(4)])
        }
    }

    private mutating func rubbish() throws {
        let queue = random.one(of: machine.queues)
        let bytes = (0..<random.below(2000)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        try machine.memory.write(bytes, at: random.one(of: [queue.descriptors, queue.driver, queue.device]))
    }

    private mutating func jump() throws {
        let queue = random.one(of: machine.queues)
        try machine.memory.store(UInt16(truncatingIfNeeded: random.next()), at: GuestAddress(queue.driver.rawValue + 2))
        if !queue.isPacked { return }
        let slot = UInt64(random.below(Int(queue.size)))
        try machine.memory.store(
            UInt16(truncatingIfNeeded: random.next()), at: GuestAddress(queue.descriptors.rawValue + 16 * slot + 14))
    }

    /// A few chains of well-placed or misplaced buffers, some with sound contents.
    private mutating func chains() throws {
        let queue = random.one(of: machine.queues)
        for _ in 0..<1 + random.below(4) {
            let count = 1 + random.below(5)
            guard queue.freeCount >= count else { break }
            var buffers: [FakeBuffer] = []
            for position in 0..<count {
                if position == 0, !headers.isEmpty, !random.chance(4) {
                    buffers.append(try machine.place(random.one(of: headers)))
                } else if random.chance(12) {
                    buffers.append(FakeBuffer(address: address(), count: length(), isWritable: random.chance(2)))
                } else {
                    let size = Int(min(length(), 70000))
                    let isWritable = random.chance(8) ? random.chance(2) : position * 2 >= count
                    buffers.append(
                        FakeBuffer(address: machine.allocate(size), count: UInt32(size), isWritable: isWritable))
                }
            }
            if random.chance(16), !queue.isPacked {
                // A loop, or a link out of the table.
                let slot = UInt16(random.below(Int(queue.size)))
                try queue.writeSplit(
                    slot, address(), length(), UInt16(random.below(8)),
                    random.chance(2) ? slot : UInt16(truncatingIfNeeded: random.next()))
                try queue.makeAvailable(random.chance(2) ? slot : UInt16(truncatingIfNeeded: random.next()))
            } else {
                try queue.add(buffers, indirect: random.chance(3))
            }
        }
        machine.write(.queueNotify, queue.index)
        machine.run()
        while (try? queue.takeUsed()) != nil {}
    }
}
