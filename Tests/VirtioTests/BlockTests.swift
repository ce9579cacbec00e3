import CLinux
import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

/// A disk in a file without a name.
final class TestDisk {
    let file: Descriptor

    init(sectors: Int = 2048, pattern: Bool = true) throws {
        file = try Descriptor.open("/tmp", [.temporaryFile, .readWrite], mode: 0o600)
        try file.write(
            (0..<sectors).flatMap {
                [UInt8](repeating: pattern ? UInt8(truncatingIfNeeded: $0 &* 7) : 0, count: 512)
            })
    }

    func disk(isReadOnly: Bool = false) throws -> RawDisk {
        try RawDisk(file.duplicate(), isReadOnly: isReadOnly)
    }

    func bytes(sector: Int, count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        #expect(pread(file.rawValue, &bytes, count, off_t(sector * 512)) == count)
        return bytes
    }

    var blocks: Int {
        var status = stat()
        fstat(file.rawValue, &status)
        return Int(status.st_blocks)
    }
}

extension FakeMachine {
    /// One request of a disk, with its data cut where the test wants.
    func request(
        _ type: UInt32, sector: UInt64 = 0, out: [[UInt8]] = [], in rooms: [Int] = [], queue: Int = 0,
        indirect: Bool = false
    ) throws -> (status: UInt8, data: [UInt8], length: UInt32) {
        let head = try place(bytes(type, UInt32(0), sector))
        let data = rooms.map { room($0) }
        let status = room(1)
        try memory.store(UInt8(0xee), at: status.address)
        try queues[queue].add([head] + out.map { try place($0) } + data + [status], indirect: indirect)
        try queues[queue].kick()
        var used: (UInt16, UInt32)?
        try run {
            used = try queues[queue].takeUsed()
            return used != nil || self.status.contains(.needsReset)
        }
        return (try memory.load(at: status.address), try data.flatMap { try contents($0) }, used?.1 ?? 0)
    }
}

private let read: UInt32 = 0
private let write: UInt32 = 1
private let flush: UInt32 = 4
private let identify: UInt32 = 8
private let discard: UInt32 = 11
private let zero: UInt32 = 13

@Suite struct BlockTests {
    static let engines: [Block.Engine] = [.synchronous, .ioUring]

    private func machine(
        _ disk: TestDisk, engine: Block.Engine = .synchronous, isReadOnly: Bool = false,
        _ change: (inout Block.Options) -> Void = { _ in }
    ) throws -> FakeMachine {
        var options = Block.Options()
        options.engine = engine
        change(&options)
        return try FakeMachine(try Block(try disk.disk(isReadOnly: isReadOnly), options))
    }

    @Test("what is written is read, in every layout and with each engine", arguments: engines, layouts)
    func readsAndWrites(_ engine: Block.Engine, _ layout: Features) throws {
        let disk = try TestDisk()
        let machine = try machine(disk, engine: engine)
        try machine.boot(layout.union(Features(rawValue: 0xff_ffff)))
        let indirect = layout.contains(.indirectDescriptors)
        let first = try machine.request(read, sector: 3, in: [512, 1024], indirect: indirect)
        #expect(first.status == 0 && first.length == 1537)
        #expect(first.data == disk.bytes(sector: 3, count: 1536))
        let data = (0..<2048).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        let second = try machine.request(
            write, sector: 2044, out: [Array(data[..<100]), Array(data[100...])], indirect: indirect)
        #expect(second.status == 0 && second.length == 1)
        #expect(disk.bytes(sector: 2044, count: 2048) == data)
        #expect(try machine.request(flush).status == 0)
        // A driver that notifies of nothing.
        let device = try #require(machine.device as? Block)
        let missing = device.counts.missingRequests
        machine.write(.queueNotify, 0)
        machine.run()
        #expect(device.counts.missingRequests == missing + 1)
        #expect(machine.status.isDisjoint(with: .needsReset))
    }

    @Test("many requests at once all come back right", arguments: engines, [Features.eventIndex, .inOrder])
    func many(_ engine: Block.Engine, _ layout: Features) throws {
        let disk = try TestDisk()
        let machine = try machine(disk, engine: engine)
        try machine.boot(layout.union(Features(rawValue: 0xff_ffff)), queueSize: 256)
        for round in 0..<4 {
            var rooms: [FakeBuffer] = []
            for index in 0..<64 {
                let room = machine.room(4096)
                rooms.append(room)
                try machine.queues[0].add(
                    machine.place(bytes(read, UInt32(0), UInt64(index * 8 + round))), room, machine.room(1))
            }
            try machine.queues[0].kick()
            var count = 0
            try machine.run {
                count += try machine.queues[0].takeAllUsed().count
                return count == 64
            }
            for (index, room) in rooms.enumerated() {
                #expect(try machine.contents(room) == disk.bytes(sector: index * 8 + round, count: 4096))
            }
            machine.forgetBuffers()
        }
    }

    @Test("a request outside the disk, or not of whole sectors, is an I/O error; section 5.2.6.2")
    func outside() throws {
        let machine = try machine(try TestDisk(sectors: 16))
        try machine.boot()
        for (sector, count) in [(16, 512), (15, 1024), (1 << 63, 512), (UInt64.max, 512), (0, 100), (0, 9000)] {
            #expect(try machine.request(read, sector: sector, in: [count]).status == 1)
            #expect(
                try machine.request(write, sector: sector, out: [[UInt8](repeating: 0, count: count)]).status == 1)
        }
        #expect(try machine.request(read, sector: 15, in: [512]).status == 0)
        #expect(try machine.request(99).status == 2)
    }

    @Test("a read-only disk says so and refuses writes; section 5.2.5.2")
    func readOnly() throws {
        let disk = try TestDisk()
        let machine = try machine(disk, isReadOnly: true)
        try machine.boot()
        #expect(machine.transport.negotiatedFeatures.contains(Features.Block.readOnly))
        #expect(!machine.offered.contains(Features.Block.discard))
        #expect(try machine.request(write, out: [[UInt8](repeating: 1, count: 512)]).status == 1)
        #expect(try machine.request(read, in: [512]).status == 0)
        #expect(disk.bytes(sector: 0, count: 512) == [UInt8](repeating: 0, count: 512))
    }

    @Test("the serial number is 20 bytes, padded with zeros")
    func serial() throws {
        let machine = try machine(try TestDisk()) { $0.serial = "disk-1" }
        try machine.boot()
        let answer = try machine.request(identify, in: [20])
        #expect(answer.status == 0 && answer.length == 21)
        #expect(answer.data == Array("disk-1".utf8) + [UInt8](repeating: 0, count: 14))
        #expect(try machine.request(identify, in: [10]).status == 1)
    }

    @Test("the configuration space tells size, limits and queues; section 5.2.4")
    func configuration() throws {
        let machine = try machine(try TestDisk()) {
            $0.queueCount = 4
            $0.queueSize = 128
        }
        #expect(machine.configuration(0, as: UInt64.self) == 2048)
        #expect(machine.configuration(12, as: UInt32.self) == 126)
        #expect(machine.configuration(20, as: UInt32.self) == 512)
        #expect(machine.configuration(34, as: UInt16.self) == 4)
        #expect(machine.configuration(36, as: UInt32.self) > 0)
        #expect(machine.configuration(200, as: UInt32.self) == 0)
        machine.write(.queueSelect, 3)
        #expect(machine.read(.queueSizeMax) == 128)
        machine.write(.queueSelect, 4)
        #expect(machine.read(.queueSizeMax) == 0)
    }

    @Test("each of several queues works", arguments: engines)
    func multiQueue(_ engine: Block.Engine) throws {
        let disk = try TestDisk()
        let machine = try machine(disk, engine: engine) { $0.queueCount = 4 }
        try machine.boot()
        for queue in [3, 0, 2, 1] {
            let answer = try machine.request(read, sector: UInt64(queue), in: [512], queue: queue)
            #expect(answer.data == disk.bytes(sector: queue, count: 512))
        }
    }

    @Test("discard frees blocks, write zeroes zeroes them; bad ranges and flags are refused; section 5.2.6.2")
    func discards() throws {
        let disk = try TestDisk(sectors: 4096)
        let machine = try machine(disk)
        try machine.boot()
        func range(_ sector: UInt64, _ count: UInt32, _ flags: UInt32 = 0) -> [UInt8] { bytes(sector, count, flags) }
        let before = disk.blocks
        #expect(try machine.request(discard, out: [range(0, 1024) + range(2048, 1024)]).status == 0)
        #expect(disk.blocks < before)
        #expect(disk.bytes(sector: 5, count: 512) == [UInt8](repeating: 0, count: 512))
        #expect(
            disk.bytes(sector: 1025, count: 512) == [UInt8](repeating: UInt8(truncatingIfNeeded: 1025 * 7), count: 512))
        #expect(try machine.request(zero, out: [range(1025, 2)]).status == 0)
        #expect(try machine.request(zero, out: [range(1030, 2, 1)]).status == 0)
        for sector in [1025, 1026, 1030, 1031] {
            #expect(disk.bytes(sector: sector, count: 512) == [UInt8](repeating: 0, count: 512))
        }
        #expect(disk.bytes(sector: 1027, count: 1)[0] == UInt8(truncatingIfNeeded: 1027 * 7))
        #expect(try machine.request(discard, out: [range(0, 8, 1)]).status == 2, "unmap means nothing to a discard")
        #expect(try machine.request(zero, out: [range(0, 8, 2)]).status == 2)
        #expect(try machine.request(discard, out: [range(4096, 1)]).status == 1)
        #expect(try machine.request(discard, out: [range(.max, 1)]).status == 1)
        #expect(try machine.request(discard, out: [range(0, .max)]).status == 1)
        #expect(try machine.request(discard, out: [[1, 2, 3]]).status == 1)
        #expect(try machine.request(discard).status == 1)
        try machine.boot(Features(rawValue: 0))
        #expect(try machine.request(discard, out: [range(0, 1)]).status == 2, "not negotiated")
    }

    @Test("a disk that becomes shorter gives I/O errors and the device goes on", arguments: engines)
    func shrinks(_ engine: Block.Engine) throws {
        let disk = try TestDisk()
        let machine = try machine(disk, engine: engine)
        try machine.boot()
        #expect(ftruncate(disk.file.rawValue, 512 * 3) == 0)
        #expect(try machine.request(read, sector: 100, in: [512]).status == 1)
        #expect(try machine.request(read, sector: 2, in: [1024]).status == 1)
        #expect(try machine.request(read, sector: 1, in: [512]).status == 0)
        #expect(machine.status.isDisjoint(with: .needsReset))
    }

    @Test("the host's refusal reaches the guest as an I/O error", arguments: engines)
    func refused(_ engine: Block.Engine) throws {
        // Sealed against writes: what is open for writing is refused all the same, as by a full disk.
        let disk = try TestDisk()
        let readable = try Descriptor.open(disk.file.procPath, .readOnly)
        var options = Block.Options()
        options.engine = engine
        let machine = try FakeMachine(try Block(try RawDisk(readable, isReadOnly: false), options))
        try machine.boot()
        #expect(try machine.request(write, out: [[UInt8](repeating: 1, count: 512)]).status == 1)
        #expect(try machine.request(read, in: [512]).status == 0)
    }

    @Test("a full disk is an I/O error, and room again when something is discarded", .needs(.root), arguments: engines)
    func full(_ engine: Block.Engine) throws {
        let place = try smallFileSystem(bytes: 1 << 20)
        let file = try Descriptor.open(place.procPath, [.temporaryFile, .readWrite], mode: 0o600)
        #expect(ftruncate(file.rawValue, 8 << 20) == 0)
        var options = Block.Options()
        options.engine = engine
        let machine = try FakeMachine(try Block(try RawDisk(file.duplicate(), isReadOnly: false), options))
        try machine.boot()
        let data = [UInt8](repeating: 5, count: 256 << 10)
        let results = try (0..<8).map { try machine.request(write, sector: UInt64($0 * 1024), out: [data]).status }
        #expect(results.prefix(3) == [0, 0, 0] && results.suffix(3) == [1, 1, 1])
        let kept = try machine.request(read, sector: 1024, in: [data.count])
        #expect(kept.status == 0 && kept.data == data)
        #expect(try machine.request(discard, out: [bytes(UInt64(0), UInt32(1024), UInt32(0))]).status == 0)
        #expect(try machine.request(write, sector: 7 * 1024, out: [data]).status == 0)
        #expect(machine.status.isDisjoint(with: .needsReset))
    }

    @Test("the cache's mode follows the configuration space, and a driver without FLUSH writes through")
    func writeBack() throws {
        let disk = try TestDisk()
        let machine = try machine(disk)
        try machine.boot()
        #expect(machine.configuration(32, as: UInt8.self) == 1)
        machine.transport.write(0x120, 0, width: 1)
        #expect(machine.configuration(32, as: UInt8.self) == 0)
        machine.transport.write(0x120, 7, width: 1)
        #expect(machine.configuration(32, as: UInt8.self) == 0)
        #expect(try machine.request(write, out: [[UInt8](repeating: 9, count: 512)]).status == 0)
        machine.transport.write(0x120, 1, width: 1)
        #expect(machine.configuration(32, as: UInt8.self) == 1)
        try machine.boot(Features(rawValue: 0))
        #expect(machine.configuration(32, as: UInt8.self) == 0)
        machine.transport.write(0x120, 1, width: 1)
        #expect(machine.configuration(32, as: UInt8.self) == 0)
    }

    @Test("limits hold, and what waited is done in time", arguments: engines)
    func limits(_ engine: Block.Engine) throws {
        let allowance = Allowance(2, per: .milliseconds(20))
        let machine = try machine(try TestDisk(), engine: engine) {
            $0.limit = RateLimiter(operations: TokenBucket(size: 2, refillTime: 20_000_000))
        }
        try machine.boot()
        for _ in 0..<4 {
            try machine.queues[0].add(
                machine.place(bytes(read, UInt32(0), UInt64(0))), machine.room(512), machine.room(1))
        }
        try machine.queues[0].kick()
        machine.run()
        // The kernel may take its time with what was let through.
        var count = 0
        try machine.run {
            count += try machine.queues[0].takeAllUsed().count
            return count >= 2
        }
        #expect(count <= allowance.now)
        try machine.run {
            count += try machine.queues[0].takeAllUsed().count
            return count == 4
        }
    }

    @Test("one turn of the loop takes so many requests and no more; the others have their turn without a kick")
    func turns() throws {
        let machine = try machine(try TestDisk()) { $0.queueSize = 512 }
        try machine.boot(queueSize: 512)
        let chain = [try machine.place(bytes(read, UInt32(0), UInt64(0))), machine.room(512), machine.room(1)]
        for _ in 0..<300 { try machine.queues[0].add(chain, indirect: true) }
        try machine.queues[0].kick()
        try machine.loop.poll(timeoutMilliseconds: 0)
        #expect(try machine.queues[0].takeAllUsed().count == Block.budget)
        machine.run()
        #expect(try machine.queues[0].takeAllUsed().count == 300 - Block.budget)
    }

    @Test("one turn of the loop moves so many bytes and no more", arguments: engines)
    func bytesOfATurn(_ engine: Block.Engine) throws {
        let machine = try machine(try TestDisk(), engine: engine)
        try machine.boot()
        let most = Block.byteBudget >> 20
        let chain = [try machine.place(bytes(read, UInt32(0), UInt64(0))), machine.room(1 << 20), machine.room(1)]
        for _ in 0..<most + 4 { try machine.queues[0].add(chain, indirect: true) }
        try machine.queues[0].kick()
        try machine.loop.poll(timeoutMilliseconds: 0)
        #expect(machine.transport.queues[0].taken == most)
        var count = 0
        try machine.run {
            count += try machine.queues[0].takeAllUsed().count
            return count == most + 4
        }
        // To zero or discard a range takes time as well.
        for operation in [zero, discard] {
            let ranges = [
                try machine.place(bytes(operation, UInt32(0), UInt64(0))),
                try machine.place(bytes(UInt64(0), UInt32(2048), UInt32(0))), machine.room(1),
            ]
            let before = machine.transport.queues[0].taken
            for _ in 0..<most + 4 { try machine.queues[0].add(ranges, indirect: true) }
            try machine.queues[0].kick()
            try machine.loop.poll(timeoutMilliseconds: 0)
            #expect(machine.transport.queues[0].taken - before == most)
            machine.run()
            #expect(try machine.queues[0].takeAllUsed().count == most + 4)
        }
    }

    @Test(
        "a large request takes several turns, in which it can be paused, and nothing overtakes it", arguments: engines)
    func large(_ engine: Block.Engine) throws {
        let disk = try TestDisk(sectors: 16)
        #expect(ftruncate(disk.file.rawValue, 12 << 20) == 0)
        let machine = try machine(disk, engine: engine)
        try machine.boot()
        let queue = machine.queues[0]
        let data = (0..<10).flatMap { [UInt8](repeating: UInt8($0 + 1), count: 1 << 20) }
        let statuses = (0..<3).map { _ in machine.room(1) }
        for status in statuses { try machine.memory.store(UInt8(0xee), at: status.address) }
        func done() throws -> [Bool] { try statuses.map { try machine.memory.load(UInt8.self, at: $0.address) == 0 } }

        try queue.add(
            machine.place(bytes(write, UInt32(0), UInt64(3))), machine.place(Array(data[..<1000])),
            machine.place(Array(data[1000...])), statuses[0])
        let rooms = [machine.room(5 << 20), machine.room((5 << 20) - 512)]
        try queue.add(machine.place(bytes(read, UInt32(0), UInt64(4))), rooms[0], rooms[1], statuses[1])
        let last = machine.room(512)
        try queue.add(machine.place(bytes(read, UInt32(0), UInt64(3))), last, statuses[2])
        try queue.kick()
        for _ in 0..<3 {
            try machine.loop.poll(timeoutMilliseconds: 0)
            #expect(try done() == [false, false, false])
        }
        // Each step was one turn: the last one is to come.
        machine.transport.pause()
        #expect(try done() == [false, false, false])
        #expect(machine.transport.queues[0].inFlight == 0)
        machine.transport.resume()
        try machine.run { try done() == [true, true, true] }
        #expect(disk.bytes(sector: 3, count: data.count) == data)
        #expect(try machine.contents(rooms[0]) + machine.contents(rooms[1]) == Array(data[512...]))
        #expect(try machine.contents(last) == Array(data[..<512]))
        #expect(try queue.takeAllUsed() == [1, UInt32(10 << 20) - 511, 513])
        // The host's refusal half-way is an I/O error, and the device goes on.
        #expect(ftruncate(disk.file.rawValue, 6 << 20) == 0)
        machine.forgetBuffers()
        #expect(try machine.request(read, in: [10 << 20]).status == 1)
        #expect(try machine.request(read, sector: 3, in: [512]).data == Array(data[..<512]))
    }

    @Test("a large request ends on the disk on which it began")
    func largeReplaced() throws {
        let disk = try TestDisk(sectors: 16)
        #expect(ftruncate(disk.file.rawValue, 12 << 20) == 0)
        let machine = try machine(disk)
        try machine.boot()
        let data = [UInt8](repeating: 5, count: 10 << 20)
        try machine.queues[0].add(
            machine.place(bytes(write, UInt32(0), UInt64(0))), machine.place(data), machine.room(1))
        try machine.queues[0].kick()
        try machine.loop.poll(timeoutMilliseconds: 0)
        let other = try TestDisk(sectors: 16)
        try (machine.device as? Block)?.replace(try other.disk())
        #expect(try machine.queues[0].takeAllUsed() == [1])
        #expect(disk.bytes(sector: 0, count: data.count) == data)
        #expect(try machine.request(read, sector: 2, in: [512]).data == other.bytes(sector: 2, count: 512))
    }

    @Test("a request whose thread has ended before it was done is done again")
    func threadEnds() throws {
        let disk = try TestDisk()
        let machine = try machine(disk, engine: .ioUring)
        try machine.boot()
        let block = try #require(machine.device as? Block)
        let file = block.disk.descriptor.rawValue
        // A read that waits; what it waits for comes when its thread is gone, so that io_uring ends it with ECANCELED.
        let pipe = try Pipe()
        #expect(dup2(pipe.readEnd.rawValue, file) == file)
        let room = machine.room(512)
        let status = machine.room(1)
        try machine.queues[0].add(machine.place(bytes(read, UInt32(0), UInt64(7))), room, status)
        let thread = LoopThread(machine.loop)
        try machine.queues[0].kick()
        try machine.wait { block.lock.locked { block.engine.inFlight == 1 } }
        thread.join()
        #expect(dup2(disk.file.rawValue, file) == file)
        try pipe.writeEnd.write([1])
        try machine.run { try machine.queues[0].takeUsed() != nil }
        #expect(try machine.memory.load(UInt8.self, at: status.address) == 0)
        #expect(try machine.contents(room) == disk.bytes(sector: 7, count: 512))
    }

    @Test("a ring that the kernel takes no more from, as under a filter, is done without")
    func refusedRing() throws {
        let disk = try TestDisk()
        let machine = try machine(disk, engine: .ioUring)
        try machine.boot()
        #expect(try machine.request(read, in: [512]).status == 0)
        let engine = try #require((machine.device as? Block)?.engine as? RingEngine)
        // Whatever enters the ring now enters what is none.
        let other = try EventCounter()
        #expect(dup2(other.descriptor.rawValue, engine.ring.rawValue) == engine.ring.rawValue)
        for sector in 0..<3 {
            let answer = try machine.request(read, sector: UInt64(sector), in: [512])
            #expect(answer.status == 0 && answer.data == disk.bytes(sector: sector, count: 512))
        }
        machine.transport.pause()
        machine.transport.resume()
        #expect(try machine.request(write, out: [[UInt8](repeating: 3, count: 512)]).status == 0)
    }

    @Test("a ring is restricted to a disk's operations for good")
    func restrictedRing() throws {
        let engine = try RingEngine(capacity: 8)
        // Under restrictions none of its settings can be asked for or changed: these are IORING_REGISTER_PROBE, _PERSONALITY
        // and, once more, _RESTRICTIONS.
        for request in [8, 9, 11] {
            let answer = bh_syscall6(
                CLong(SYS_io_uring_register), CLong(engine.ring.rawValue), request, 0, 0, 0, 0)
            #expect(answer == -1 && Errno.current == .permissionDenied, "\(request)")
        }
    }

    @Test("a disk that was opened by its path blocks, which io_uring wants")
    func blocking() throws {
        let disk = try TestDisk()
        let raw = try RawDisk.open(disk.file.procPath)
        #expect(fcntl(raw.descriptor.rawValue, F_GETFL) & O_NONBLOCK == 0)
    }

    @Test("by itself io_uring is used only where the file system can tell what would block", .needs(.root))
    func automatic() throws {
        let disk = try TestDisk()
        let place = try smallFileSystem(bytes: 1 << 20)
        let other = try Descriptor.open(place.procPath, [.temporaryFile, .readWrite], mode: 0o600)
        #expect(ftruncate(other.rawValue, 4096) == 0)
        for raw in [disk.file.rawValue, other.rawValue] {
            let copy = try Descriptor.open("/proc/self/fd/\(raw)", .readWrite)
            let disk = try RawDisk(copy, isReadOnly: false)
            let tells = disk.tellsWhatBlocks
            let block = try Block(disk)
            let hasRing = (try? RingEngine(capacity: 8)) != nil
            #expect(block.engineInUse == (tells && hasRing ? .ioUring : .synchronous))
        }
    }

    @Test("a request without room for a status is a fault")
    func noStatus() throws {
        let machine = try machine(try TestDisk())
        for chain in [[16], [8, -1], [16, -0]] as [[Int]] {
            try machine.boot()
            try machine.queues[0].add(
                chain.map { $0 > 0 ? try machine.place([UInt8](repeating: 0, count: $0)) : machine.room(-$0) })
            try machine.queues[0].kick()
            machine.run()
            #expect(machine.status.contains(.needsReset))
            #expect(machine.read(.interruptStatus) & 2 == 2)
        }
    }

    @Test("the driver sees a grown disk and a replaced one")
    func changes() throws {
        let disk = try TestDisk()
        let machine = try machine(disk)
        try machine.boot()
        let block = try #require(machine.device as? Block)
        let generation = machine.read(.configurationGeneration)
        #expect(ftruncate(disk.file.rawValue, 512 * 4096) == 0)
        try block.refreshSize()
        #expect(machine.configuration(0, as: UInt64.self) == 4096)
        #expect(machine.read(.configurationGeneration) != generation)
        #expect(machine.read(.interruptStatus) & 2 == 2)
        let other = try TestDisk(sectors: 8, pattern: false)
        try block.replace(try other.disk())
        #expect(machine.configuration(0, as: UInt64.self) == 8)
        #expect(try machine.request(read, sector: 1, in: [512]).data == [UInt8](repeating: 0, count: 512))
        #expect(throws: SystemError.self) { try block.replace(try other.disk(isReadOnly: true)) }
    }

    @Test("a disk is saved and restored, and only onto one of its size", arguments: engines)
    func restored(_ engine: Block.Engine) throws {
        let disk = try TestDisk()
        let machine = try machine(disk, engine: engine)
        try machine.boot()
        _ = try machine.request(read, in: [512])
        machine.transport.write(0x120, 0, width: 1)
        let head = try machine.place(bytes(read, UInt32(0), UInt64(7)))
        let room = machine.room(512)
        machine.transport.pause()
        try machine.queues[0].submit(head, room, machine.room(1))
        let state = machine.transport.save()
        let other = try FakeMachine(try Block(try disk.disk()), memory: machine.memory)
        try other.transport.restore(state)
        try other.run { try machine.queues[0].takeUsed() != nil }
        #expect(try machine.contents(room) == disk.bytes(sector: 7, count: 512))
        #expect(other.configuration(32, as: UInt8.self) == 0)
        let small = try FakeMachine(try Block(try TestDisk(sectors: 8).disk()), memory: machine.memory)
        #expect(throws: StateError.self) { try small.transport.restore(state) }
        #expect(small.status == [])
    }

    @Test("what is no disk is refused with a reason")
    func noDisk() throws {
        #expect(throws: SystemError.self) { _ = try RawDisk.open("/nonexistent/disk") }
        #expect { _ = try RawDisk.open("/tmp", isReadOnly: true) } throws: {
            "\($0)".contains("neither a file nor a device")
        }
    }

    @Test("a disk without a sector is one: every request behind its end fails", arguments: engines)
    func empty(_ engine: Block.Engine) throws {
        #expect(try RawDisk.open("/dev/null").sectors == 0)
        let file = try Descriptor.open("/tmp", [.temporaryFile, .readWrite], mode: 0o600)
        try file.write([1, 2, 3])
        var options = Block.Options()
        options.engine = engine
        let machine = try FakeMachine(try Block(try RawDisk(file.duplicate(), isReadOnly: false), options))
        try machine.boot()
        #expect(machine.configuration(0, as: UInt64.self) == 0)
        #expect(try machine.request(read, sector: 0, in: [512]).status == 1)
        #expect(try machine.request(write, sector: 0, out: [[UInt8](repeating: 7, count: 512)]).status == 1)
        #expect(try machine.request(flush).status == 0)
        #expect(try file.status().size == 3)
    }

    @Test("a hostile driver is survived", arguments: engines)
    func hostile(_ engine: Block.Engine) throws {
        let disk = try TestDisk()
        let machine = try machine(disk, engine: engine) { $0.queueCount = 2 }
        let headers = [read, write, flush, identify, discard, zero].map { bytes($0, UInt32(0), UInt64(1)) }
        var hostile = Hostile(seed: 1, machine, headers: headers)
        try hostile.run(rounds: 200) {
            try machine.boot()
            #expect(try machine.request(read, sector: 2000, in: [512]).status == 0)
        }
        #expect(hostile.resets > 10)
    }
}
