import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

@Suite struct PersistentMemoryTests {
    private static let mebibyte: UInt64 = 1 << 20
    private static let limits: UInt64 = 1 << 33

    /// A file of so many bytes that nobody else has a name for.
    private static func file(_ size: UInt64) throws -> Descriptor {
        var template = Array("/tmp/bulkhead-pmem.XXXXXX".utf8CString)
        let file = Descriptor(owning: mkstemp(&template))
        unlink(template)
        try #require(ftruncate(file.rawValue, off_t(size)) == 0)
        return file
    }

    private static func device(
        _ size: UInt64 = 5 << 20, isReadOnly: Bool = false, _ limit: RateLimiter = RateLimiter()
    ) throws -> PersistentMemory {
        let device = try PersistentMemory(try MappedFile(try file(size), isReadOnly: isReadOnly), limit: limit)
        device.address = limits
        return device
    }

    /// Flushes; how many bytes came back, and what they say.
    private static func flush(_ machine: FakeMachine, kind: UInt32 = 0, indirect: Bool = false) throws -> [UInt32] {
        let status = machine.room(4)
        try machine.memory.write([0xff, 0xff, 0xff, 0xff], at: status.address)
        try machine.queues[0].submit(try machine.place(bytes(kind)), status, indirect: indirect)
        return try machine.queues[0].takeAllUsed().map { UInt32($0) } + [machine.contents(status).integer(0)]
    }

    @Test("the configuration has the place and a size of whole 2 MiB; section 5.19.4")
    func configuration() throws {
        for (size, mapped) in [(1, 2), (2 << 20, 2), ((2 << 20) + 1, 4), (5 << 20, 6)] as [(UInt64, UInt64)] {
            let device = try Self.device(size)
            let machine = try FakeMachine(device)
            #expect(machine.read(.deviceID) == 27)
            #expect(machine.configuration(0, as: UInt64.self) == Self.limits)
            #expect(machine.configuration(8, as: UInt64.self) == mapped * Self.mebibyte)
            #expect(machine.configuration(16, as: UInt64.self) == 0)
            #expect(UInt(bitPattern: device.file.base) % UInt(MappedFile.alignment) == 0)
            // Nobody writes it.
            machine.transport.write(0x100, .max, width: 8)
            #expect(machine.configuration(0, as: UInt64.self) == Self.limits)
        }
    }

    @Test("what was written is in the file, and a flush says so; sections 5.19.7.2 and 5.19.7.3", arguments: layouts)
    func flushes(_ layout: Features) throws {
        let file = try Self.file(5000)
        let device = try PersistentMemory(try MappedFile(try file.duplicate(), isReadOnly: false))
        let machine = try FakeMachine(device)
        try machine.boot(layout)
        device.file.base.copyMemory(from: Array("hello".utf8), byteCount: 5)
        #expect(try Self.flush(machine, indirect: layout.contains(.indirectDescriptors)) == [4, 0])
        #expect(try file.read(upTo: 5) == Array("hello".utf8))
        #expect(device.counts.flushes == 1 && device.counts.notifications > 0)
        // Behind the file's end is memory, too, which reaches nobody.
        device.file.base.storeBytes(of: 7, toByteOffset: Int(device.file.size) - 1, as: UInt8.self)
        #expect(try Self.flush(machine) == [4, 0])
        #expect(try file.status().size == 5000)
    }

    @Test("a kind of request that there is not, and a medium that refuses, are errors; section 5.19.7.3")
    func refused() throws {
        let machine = try FakeMachine(try Self.device())
        try machine.boot()
        #expect(try Self.flush(machine, kind: 1) == [4, 1])
        #expect(machine.status.contains(.driverOK) && !machine.status.contains(.needsReset))
        #expect((machine.transport.device as? PersistentMemory)?.counts.failures == 1)
    }

    @Test("a request without a kind, or without room for its status, is a fault")
    func malformed() throws {
        let machine = try FakeMachine(try Self.device())
        for (kind, room) in [(3, 4), (5, 4), (4, 3), (4, 0), (0, 4)] {
            try machine.boot()
            var buffers: [FakeBuffer] = []
            if kind > 0 { buffers.append(try machine.place([UInt8](repeating: 0, count: kind))) }
            if room > 0 { buffers.append(machine.room(room)) }
            try machine.queues[0].add(buffers)
            try machine.queues[0].kick()
            machine.run()
            #expect(machine.status.contains(.needsReset), "\(kind) \(room)")
            machine.write(.status, 0)
        }
        try machine.boot()
        #expect(try Self.flush(machine) == [4, 0])
    }

    @Test("what is read-only is read, and has nothing to flush")
    func readOnly() throws {
        let file = try Self.file(4096)
        try file.write(Array("fixed".utf8))
        let mapped = try MappedFile(try file.duplicate(), isReadOnly: true)
        #expect(mapped.isReadOnly && mapped.base.load(as: UInt8.self) == UInt8(ascii: "f"))
        let machine = try FakeMachine(try PersistentMemory(mapped))
        try machine.boot()
        #expect(try Self.flush(machine) == [4, 0])
    }

    @Test("a limit holds for flushes, each of which counts as the whole file")
    func limited() throws {
        let limit = RateLimiter(bandwidth: TokenBucket(size: 5 << 20, refillTime: 3_600_000_000_000))
        let device = try Self.device(5 << 20, limit)
        let machine = try FakeMachine(device)
        try machine.boot()
        for _ in 0..<3 { try machine.queues[0].add(try machine.place(bytes(UInt32(0))), machine.room(4)) }
        try machine.queues[0].kick()
        machine.run()
        #expect(try machine.queues[0].takeAllUsed() == [4])
        #expect(device.counts.throttles == 1)
        device.setLimit(RateLimiter())
        var count = 1
        try machine.run {
            count += try machine.queues[0].takeAllUsed().count
            return count == 3
        }
        #expect(device.counts.throttleEvents == 1 && device.counts.flushes == 3)
    }

    @Test("one turn of the loop flushes so often and no more")
    func turns() throws {
        let machine = try FakeMachine(try Self.device())
        try machine.boot()
        for _ in 0..<10 { try machine.queues[0].add(try machine.place(bytes(UInt32(0))), machine.room(4)) }
        try machine.queues[0].kick()
        try machine.loop.poll(timeoutMilliseconds: 0)
        #expect(try machine.queues[0].takeAllUsed().count == PersistentMemory.budget)
        machine.run()
        #expect(try machine.queues[0].takeAllUsed().count == 10 - PersistentMemory.budget)
    }

    @Test("a saved device has its place again, and answers what waited")
    func restored() throws {
        for layout in layouts {
            let machine = try FakeMachine(try Self.device())
            try machine.boot(layout, queueSize: 4)
            for _ in 0..<6 { #expect(try Self.flush(machine) == [4, 0]) }
            machine.transport.pause()
            try machine.queues[0].add(try machine.place(bytes(UInt32(0))), machine.room(4))
            try machine.queues[0].kick()
            machine.run()
            #expect(try machine.queues[0].takeUsed() == nil)
            let state = try TransportState(machine.transport.save().encoded())

            let device = try Self.device()
            device.address = 0
            let other = try FakeMachine(device, memory: machine.memory)
            try other.transport.restore(state)
            other.run()
            #expect(device.address == Self.limits)
            #expect(try machine.queues[0].takeUsed()?.length == 4)
            // A file of another size is none that the guest knows.
            let wrong = try FakeMachine(try Self.device(7 << 20), memory: machine.memory)
            #expect(throws: StateError.self) { try wrong.transport.restore(state) }
            var crooked = state
            crooked.deviceState[4] = 1
            #expect(throws: StateError.self) { try other.transport.restore(crooked) }
        }
    }

    @Test("a hostile driver is survived")
    func hostile() throws {
        let machine = try FakeMachine(try Self.device(4096))
        var hostile = Hostile(seed: 7, machine, headers: [bytes(UInt32(0)), bytes(UInt32(1)), [0]])
        for _ in 0..<20 { try hostile.run(rounds: 10) {} }
        try machine.boot()
        #expect(try Self.flush(machine) == [4, 0])
        #expect(hostile.resets > 5)
    }

    @Test("what can't be mapped is named, and nothing is left of it")
    func badFiles() throws {
        func refusal(_ path: String, isReadOnly: Bool = false) -> String {
            do throws(SystemError) { _ = try MappedFile.open(path, isReadOnly: isReadOnly) } catch {
                return error.description
            }
            return "none"
        }
        var template = Array("/tmp/bulkhead-pmem.XXXXXX".utf8CString)
        let file = Descriptor(owning: mkstemp(&template))
        let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer { unlink(path) }
        #expect(refusal("/nonexistent").contains("ENOENT"))
        #expect(refusal(path).contains("it is empty") && refusal(path).contains(path))
        #expect(refusal("/dev/null").contains("it is no regular file"))
        #expect(refusal("/tmp", isReadOnly: true).contains("it is no regular file"))
        try #require(ftruncate(file.rawValue, off_t(1) << 40 + 1) == 0)
        #expect(refusal(path).contains("more than 1 TiB"))
        try #require(ftruncate(file.rawValue, 1) == 0)
        #expect(refusal(path) == "none" && refusal(path, isReadOnly: true) == "none")
    }
}
