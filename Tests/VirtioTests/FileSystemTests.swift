import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

@Suite struct FileSystemTests {
    let folder = SharedFolder()

    /// A machine whose driver has mounted the share.
    func machine(_ options: ShareOptions = ShareOptions(), layout: Features = []) throws -> FakeMachine {
        let machine = try FakeMachine(try folder.share(options))
        try machine.boot(layout)
        try machine.mount()
        return machine
    }

    func server(_ machine: FakeMachine) throws -> FUSEServer {
        try #require(machine.device as? FileSystem).server
    }

    // MARK: - The device

    @Test("the driver reads the tag and the number of queues; section 5.11.4")
    func configuration() throws {
        var options = FileSystem.Options()
        options.requestQueues = 3
        let machine = try FakeMachine(try FileSystem.open(folder.path, tag: "my files", options))
        #expect(machine.read(.deviceID) == 26)
        let tag = (0..<36).map { machine.configuration($0, as: UInt8.self) }
        #expect(tag == Array("my files".utf8) + [UInt8](repeating: 0, count: 28))
        #expect(machine.configuration(36, as: UInt32.self) == 3)
        #expect(machine.transport.queues.count == 4)
        #expect(machine.configuration(40, as: UInt32.self) == 0)
        // Room for a NUL is no part of it.
        let longest = String(repeating: "t", count: 36)
        #expect(try FileSystem.open(folder.path, tag: longest).configuration().prefix(36) == ArraySlice(longest.utf8))
        for tag in ["", longest + "t", "a\0b"] {
            #expect(throws: SystemError.self) { try FileSystem.open(folder.path, tag: tag) }
        }
    }

    @Test("what is shared is a directory")
    func directoryAlone() throws {
        try folder.write("file", "")
        #expect(throws: SystemError.self) { try FileSystem.open("\(folder.path)/file", tag: "t") }
        #expect(throws: SystemError.self) { try FileSystem.open("\(folder.path)/none", tag: "t") }
    }

    @Test("requests are answered in every queue and layout, with buffers cut anywhere", arguments: layouts)
    func buffers(_ layout: Features) throws {
        try folder.write("file", "0123456789")
        let machine = try machine(layout: layout)
        for queue in 0...1 {
            #expect(try machine.fuse(Fuse.lookup, "file".utf8z, queue: queue).error == 0)
        }
        let node = try machine.lookUp("file").node
        let file = try machine.open(node)
        // Header and arguments in three pieces of which none ends where they do; the answer in four.
        let request =
            bytes(UInt32(80), Fuse.read, UInt64(9), node, UInt64(0), UInt64(0))
            + bytes(file, UInt64(1), UInt32(7), UInt32(0), UInt64(0), UInt64(0))
        let pieces = [machine.room(3), machine.room(15), machine.room(2), machine.room(20)]
        for piece in pieces {
            try machine.memory.write([UInt8](repeating: 0, count: Int(piece.count)), at: piece.address)
        }
        try machine.queues[1].submit(
            pieces: [
                try machine.place(Array(request[..<5])), try machine.place(Array(request[5..<71])),
                try machine.place(Array(request[71...])),
            ] + pieces, indirect: layout.contains(.indirectDescriptors))
        #expect(try machine.queues[1].takeAllUsed() == [23])
        let answer = try pieces.flatMap { try machine.contents($0) }
        #expect(answer[..<16] == bytes(UInt32(23), UInt32(0), UInt64(9))[...])
        #expect(String(decoding: answer[16..<23], as: UTF8.self) == "1234567")
        // What was not asked for is not touched.
        #expect(answer[23...].allSatisfy { $0 == 0 })
    }

    @Test("one turn of the loop takes so many requests and no more; the others have their turn without a kick")
    func turns() throws {
        let machine = try FakeMachine(try folder.share())
        try machine.boot(queueSize: 256)
        try machine.mount()
        let header = bytes(UInt32(40), Fuse.statfs, UInt64(1), UInt64(1), UInt64(0), UInt64(0))
        for _ in 0..<100 { try machine.queues[1].add(try machine.place(header), machine.room(96)) }
        try machine.queues[1].kick()
        try machine.loop.poll(timeoutMilliseconds: 0)
        #expect(try machine.queues[1].takeAllUsed().count == FileSystem.budget)
        machine.run()
        #expect(try machine.queues[1].takeAllUsed().count == 100 - FileSystem.budget)
    }

    @Test("what a read wrote into the guest's memory is marked as written")
    func dirty() throws {
        try folder.write("file", String(repeating: "x", count: 5000))
        let machine = try machine()
        let node = try machine.lookUp("file").node
        let file = try machine.open(node)
        let room = machine.room(8192)
        let head = machine.room(16)
        let request =
            bytes(UInt32(80), Fuse.read, UInt64(9), node, UInt64(0), UInt64(0))
            + bytes(file, UInt64(0), UInt32(8192), UInt32(0), UInt64(0), UInt64(0))
        let out = try machine.place(request)
        machine.memory.startDirtyTracking()
        try machine.queues[1].submit(pieces: [out, head, room])
        let words = machine.memory.takeDirtyPages(region: 0)
        let first = Int(room.address.rawValue / 4096)
        #expect((first...first + 2).map { words[$0 / 64] >> UInt64($0 % 64) & 1 } == [1, 1, 0])
    }

    // MARK: - The session

    @Test("version and features are agreed on; nothing is answered before")
    func negotiation() throws {
        let machine = try FakeMachine(try folder.share())
        try machine.boot()
        #expect(try machine.error(Fuse.lookup, "x".utf8z) == .ioError)
        func ask(_ major: UInt32, _ minor: UInt32, _ flags: UInt32) throws -> FuseAnswer {
            try machine.fuse(Fuse.initialize, bytes(major, minor, UInt32(1 << 20), flags))
        }
        #expect(try ask(6, 31, 0).error == EPROTO)
        #expect(try ask(7, 30, 0).error == EPROTO)
        // A newer guest hears which version to ask for.
        #expect(try ask(8, 0, 0).body.integer(0, as: UInt32.self) == 7)
        #expect(try machine.error(Fuse.lookup, "x".utf8z) == .ioError)
        let answer = try ask(7, 99, .max)
        #expect(answer.body.count == 64)
        #expect(answer.body.integer(4, as: UInt32.self) == 38)
        let features: UInt32 = answer.body.integer(12)
        #expect(features == FUSEFeatures.wanted.rawValue)
        // Locks, the guest's cache of writes, and lookups of ".." are not offered.
        #expect(features & (1 << 1 | 1 << 4 | 1 << 10 | 1 << 16) == 0)
        #expect(answer.body.integer(20, as: UInt32.self) == 1 << 20)
        #expect(answer.body.integer(28, as: UInt16.self) == 256)
        #expect(try machine.error(Fuse.lookup, "x".utf8z) == .noSuchFileOrDirectory)
        // Only what was asked for.
        #expect(try ask(7, 31, 1).body.integer(12, as: UInt32.self) == 1)
        try machine.good(Fuse.destroy)
        #expect(try machine.error(Fuse.lookup, "x".utf8z) == .ioError)
    }

    @Test("what is not known is answered so, and what needs no answer has none")
    func others() throws {
        let machine = try machine()
        for operation in [0, 7, Fuse.setlk, 37, 39, 40, 51, 52, 4096, .max] as [UInt32] {
            #expect(try machine.error(operation, [UInt8](repeating: 0, count: 64)) == .noSystemCall)
        }
        #expect(try machine.fuse(Fuse.interrupt, bytes(UInt64(1))).used == 0)
        #expect(try machine.fuse(Fuse.forget, node: 77, bytes(UInt64(1)), queue: 0).used == 0)
        #expect(try machine.fuse(Fuse.batchForget, bytes(UInt32(0), UInt32(0)), queue: 0).used == 0)
        // Nor a place for one.
        let forget = bytes(UInt32(48), Fuse.forget, UInt64(1), UInt64(5), UInt64(0), UInt64(0), UInt64(1))
        try machine.queues[0].submit(try machine.place(forget))
        #expect(try machine.queues[0].takeAllUsed() == [0])
        #expect(!machine.status.contains(.needsReset))
    }

    @Test("a request that has no header or no place for its answer is a fault")
    func faults() throws {
        for (header, room) in [(39, 16), (0, 16), (40, 15), (40, 0)] {
            let machine = try machine()
            var pieces: [FakeBuffer] = []
            if header > 0 {
                pieces.append(
                    try machine.place(
                        Array(bytes(UInt32(40), Fuse.statfs, UInt64(1), UInt64(1), UInt64(0), UInt64(0)).prefix(header))
                    )
                )
            }
            if room > 0 { pieces.append(machine.room(room)) }
            try machine.queues[1].submit(pieces: pieces)
            #expect(machine.status.contains(.needsReset), "\(header) \(room)")
            machine.write(.status, 0)
            try machine.boot()
            try machine.mount()
        }
    }

    @Test("lengths that are not true are refused, and every request that ends too early")
    func lengths() throws {
        try folder.write("file", "text")
        let machine = try machine()
        for length in [0, 39, 46, 1 << 20, Int(UInt32.max)] {
            #expect(try machine.fuse(Fuse.lookup, "file".utf8z, length: length).error == EINVAL, "\(length)")
        }
        let node = try machine.lookUp("file").node
        let file = try machine.open(node)
        for operation in Fuse.all where FUSEOperation(rawValue: operation) != nil {
            for count in [0, 1, 3, 4, 7, 8, 12, 15, 16, 24, 39] {
                // No requests end in success with bytes that are missing; a few need none.
                let arguments = Array(
                    (bytes(file, UInt64.max, UInt64.max) + bytes(UInt64.max, UInt64.max)).prefix(count))
                let answer = try machine.fuse(operation, node: node, arguments, room: 8192)
                #expect(answer.error >= 0 && answer.error != EFAULT, "\(operation) \(count)")
            }
            if operation == Fuse.destroy || operation == Fuse.initialize { try machine.mount() }
        }
        #expect(!machine.status.contains(.needsReset))
        // What is larger than any good request is not even copied.
        let large = [UInt8](repeating: 65, count: FUSEArguments.capacity + 1)
        #expect(try machine.error(Fuse.lookup, large) == .invalidArgument)
        // Nothing is done of what could not be answered.
        let count = try server(machine).nodes.count
        #expect(try machine.error(Fuse.lookup, "file".utf8z, room: 127) == .invalidArgument)
        #expect(try machine.error(Fuse.mkdir, bytes(UInt32(0o755), UInt32(0)) + "d".utf8z, room: 0) == .invalidArgument)
        #expect(try server(machine).nodes.count == count)
        #expect(!folder.exists("d"))
        // More data than there is.
        try machine.mount()
        let (new, handle) = try machine.create("new")
        let write = bytes(handle, UInt64(0), UInt32(5), UInt32(0), UInt64(0), UInt64(0)) + Array("1234".utf8)
        #expect(try machine.error(Fuse.write, node: new, write) == .invalidArgument)
        #expect(try folder.text("new") == "")
    }
}

/// `struct fuse_setattr_in`.
func change(
    _ valid: UInt32, file: UInt64 = 0, size: UInt64 = 0, modified: UInt64 = 0, mode: UInt32 = 0, user: UInt32 = 0,
    group: UInt32 = 0
) -> [UInt8] {
    bytes(valid, UInt32(0), file, size, UInt64(0), UInt64(0), modified, UInt64(0))
        + bytes(UInt32(0), UInt32(0), UInt32(0), mode, UInt32(0), user, group, UInt32(0))
}
