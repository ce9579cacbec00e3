import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

@Suite struct FileSystemTests {
    private let folder = SharedFolder()

    /// A machine whose driver has mounted the share.
    private func machine(_ options: ShareOptions = ShareOptions(), layout: Features = []) throws -> FakeMachine {
        let machine = try FakeMachine(try folder.share(options))
        try machine.boot(layout)
        try machine.mount()
        return machine
    }

    private func server(_ machine: FakeMachine) throws -> FUSEServer {
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

    // MARK: - Names

    @Test("a name is found, told of, and forgotten; a count never falls below zero")
    func lookups() throws {
        try folder.write("file", "hello")
        let machine = try machine()
        let server = try server(machine)
        let entry = try machine.lookUp("file")
        #expect(entry.node > 1 && entry.size == 5 && entry.mode == UInt32(S_IFREG) | 0o644 && entry.links == 1)
        #expect(entry.inode == UInt64(try folder.status("file").st_ino))
        #expect(try machine.lookUp("file").node == entry.node)
        #expect(server.nodes.count == 2)
        _ = try machine.fuse(Fuse.forget, node: entry.node, bytes(UInt64(1)))
        #expect(try machine.attributes(entry.node).size == 5)
        _ = try machine.fuse(Fuse.forget, node: entry.node, bytes(UInt64.max))
        #expect(try machine.error(Fuse.getattr, node: entry.node, bytes(UInt64(0), UInt64(0))) == .stale)
        #expect(server.nodes.count == 1)
        _ = try machine.fuse(Fuse.forget, node: entry.node, bytes(UInt64(1)))
        // The root is never forgotten.
        _ = try machine.fuse(Fuse.forget, node: 1, bytes(UInt64.max))
        #expect(try machine.attributes(1).mode & UInt32(S_IFMT) == UInt32(S_IFDIR))
        // Many at once, and more than there are.
        let (one, two) = (try machine.lookUp("file").node, try machine.lookUp("file").node)
        #expect(one == two && one > entry.node)
        _ = try machine.fuse(
            Fuse.batchForget, bytes(UInt32(1000), UInt32(0), one, UInt64(1), UInt64(99), UInt64(5), one, UInt64(1)))
        #expect(server.nodes.count == 1)
    }

    @Test("a name is one entry of a directory, and nothing else")
    func names() throws {
        try folder.write("file", "")
        let machine = try machine()
        let file = try machine.lookUp("file").node
        let long = String(repeating: "n", count: 256)
        for (name, expected) in [
            ("", Errno.invalidArgument), (".", .invalidArgument), ("..", .invalidArgument), ("a/b", .invalidArgument),
            ("/etc", .invalidArgument), ("../x", .invalidArgument), (long, .nameTooLong),
        ] {
            let name = name.utf8z
            #expect(try machine.error(Fuse.lookup, name) == expected)
            #expect(try machine.error(Fuse.unlink, name) == expected)
            #expect(try machine.error(Fuse.rmdir, name) == expected)
            #expect(try machine.error(Fuse.mkdir, bytes(UInt32(0o755), UInt32(0)) + name) == expected)
            #expect(
                try machine.error(Fuse.mknod, bytes(UInt32(S_IFREG), UInt32(0), UInt32(0), UInt32(0)) + name)
                    == expected)
            #expect(try machine.error(Fuse.symlink, name + "target".utf8z) == expected)
            #expect(try machine.error(Fuse.link, bytes(file) + name) == expected)
            #expect(try machine.error(Fuse.rename, bytes(UInt64(1)) + "file".utf8z + name) == expected)
            #expect(try machine.error(Fuse.rename, bytes(UInt64(1)) + name + "file".utf8z) == expected)
            #expect(
                try machine.error(Fuse.create, bytes(O_RDWR | O_CREAT, UInt32(0o644), UInt32(0), UInt32(0)) + name)
                    == expected)
        }
        // Without its end.
        #expect(try machine.error(Fuse.lookup, Array("file".utf8)) == .invalidArgument)
        // A file has no names in it.
        #expect(try machine.error(Fuse.lookup, node: file, "x".utf8z) == .notADirectory)
        #expect(try machine.error(Fuse.lookup, node: 99, "x".utf8z) == .stale)
        let longest = String(repeating: "n", count: 255)
        try machine.good(Fuse.mkdir, bytes(UInt32(0o755), UInt32(0)) + longest.utf8z)
        #expect(folder.exists(longest))
    }

    @Test("directories are made, listed in pieces, and removed")
    func directories() throws {
        let machine = try machine()
        let made = FuseEntry(entry: try machine.good(Fuse.mkdir, bytes(UInt32(0o750), UInt32(0)) + "dir".utf8z))
        #expect(made.mode == UInt32(S_IFDIR) | 0o750)
        #expect(try folder.status("dir").st_mode & 0o777 == 0o750)
        for number in 0..<60 { try folder.write("dir/\(number)", "") }
        for room in [128, 500, 4096, 100_000] {
            let names = try machine.list(made.node, room: room)
            #expect(Set(names.map(\.name)) == Set((0..<60).map(String.init) + [".", ".."]))
            #expect(names.count == 62)
            #expect(names.first { $0.name == "7" }?.type == UInt32(DT_REG))
            #expect(names.first { $0.name == "." }?.type == UInt32(DT_DIR))
        }
        // With lookups: all but "." and "..".
        let server = try server(machine)
        #expect(server.nodes.count == 2)
        let names = try machine.list(made.node, room: 1000, isPlus: true)
        #expect(Set(names.map(\.name)).count == 62 && names.count == 62)
        #expect(names.allSatisfy { ($0.node == 0) == [".", ".."].contains($0.name) })
        #expect(server.nodes.count == 62)
        #expect(try machine.lookUp("7", in: made.node).node == names.first { $0.name == "7" }?.node)
        // Too small for even one.
        let file: UInt64 = try machine.good(Fuse.opendir, node: made.node, bytes(UInt64(0))).integer(0)
        let small = bytes(file, UInt64(0), UInt32(20), UInt32(0), UInt64(0), UInt64(0))
        #expect(try machine.error(Fuse.readdir, node: made.node, small) == .invalidArgument)
        try machine.good(Fuse.fsyncdir, node: made.node, bytes(file, UInt64(0)))
        #expect(try machine.error(Fuse.read, node: made.node, small) == .badDescriptor)

        #expect(try machine.error(Fuse.rmdir, "dir".utf8z) == .directoryNotEmpty)
        #expect(try machine.error(Fuse.unlink, "dir".utf8z) == .isADirectory)
        for number in 0..<60 { try machine.good(Fuse.unlink, node: made.node, "\(number)".utf8z) }
        try machine.good(Fuse.rmdir, "dir".utf8z)
        #expect(!folder.exists("dir"))
    }

    @Test("the root's parent is the root")
    func above() throws {
        let machine = try machine()
        let file: UInt64 = try machine.good(Fuse.opendir, bytes(UInt64(0))).integer(0)
        let answer = try machine.good(
            Fuse.readdir, bytes(file, UInt64(0), UInt32(500), UInt32(0), UInt64(0), UInt64(0)), room: 500)
        var place = 0
        for name in FuseName.all(answer, isPlus: false) {
            #expect(answer.integer(place, as: UInt64.self) == UInt64(try folder.status(".").st_ino))
            place += (24 + name.name.utf8.count + 7) / 8 * 8
        }
    }

    @Test("links are made and read, and followed by nobody on the host")
    func links() throws {
        let outside = SharedFolder()
        try outside.write("secret", "secret")
        let machine = try machine()
        let link = FuseEntry(
            entry: try machine.good(Fuse.symlink, "link".utf8z + "\(outside.path)/secret".utf8z))
        #expect(link.mode & UInt32(S_IFMT) == UInt32(S_IFLNK))
        #expect(
            String(decoding: try machine.good(Fuse.readlink, node: link.node, room: 4096), as: UTF8.self)
                == "\(outside.path)/secret")
        #expect(try machine.error(Fuse.open, node: link.node, bytes(O_RDONLY, UInt32(0))) == .notPermitted)
        #expect(try machine.error(Fuse.opendir, node: link.node, bytes(UInt64(0))) == .notADirectory)
        #expect(try machine.error(Fuse.lookup, node: link.node, "x".utf8z) == .notADirectory)
        // Neither its size nor its permissions lead to the other file's.
        for valid in [1 << 0, 1 << 3] as [UInt32] {
            #expect(
                try machine.error(Fuse.setattr, node: link.node, change(valid, size: 0, mode: 0o777))
                    != Errno(rawValue: 0))
        }
        try machine.good(Fuse.setattr, node: link.node, change(1 << 5, modified: 1000))
        #expect(try folder.status("link").st_mtim.tv_sec == 1000)
        #expect(try outside.status("secret").st_mtim.tv_sec != 1000)
        #expect(try outside.status("secret").st_mode & 0o777 == 0o644)
        // A create that finds a link does not go through it.
        let create = bytes(O_RDWR | O_CREAT | O_TRUNC, UInt32(0o644), UInt32(0), UInt32(0))
        #expect(try machine.error(Fuse.create, create + "link".utf8z) == .fileExists)
        #expect(try outside.text("secret") == "secret")
        // A second name of the link, not of what it leads to.
        let second = FuseEntry(entry: try machine.good(Fuse.link, bytes(link.node) + "second".utf8z))
        #expect(second.node == link.node && second.links == 2)
        #expect(try outside.status("secret").st_nlink == 1)
        #expect(try machine.error(Fuse.readlink, node: 1) == .invalidArgument)
    }

    @Test("what was swapped for something else on the way is not taken for what it was")
    func swapped() throws {
        let outside = SharedFolder()
        try outside.write("file", "secret")
        mkdir("\(folder.path)/dir", 0o755)
        try folder.write("dir/file", "mine")
        try folder.write("other", "other")
        var options = ShareOptions()
        options.placeLimit = 0
        let machine = try machine(options)
        let server = try server(machine)
        let dir = try machine.lookUp("dir").node
        let file = try machine.lookUp("file", in: dir).node
        let other = try machine.lookUp("other").node
        // No descriptor holds the directory any more.
        server.nodes.closeAll()
        rename("\(folder.path)/dir", "\(folder.path)/gone")
        symlink(outside.path, "\(folder.path)/dir")
        #expect(try machine.error(Fuse.getattr, node: file, bytes(UInt64(0), UInt64(0))) == .stale)
        #expect(try machine.error(Fuse.open, node: file, bytes(O_RDONLY, UInt32(0))) == .stale)
        #expect(try machine.error(Fuse.lookup, node: dir, "file".utf8z) == .stale)
        #expect(try machine.error(Fuse.mkdir, node: dir, bytes(UInt32(0o755), UInt32(0)) + "x".utf8z) == .stale)
        #expect(!outside.exists("x"))
        // A pipe where a file was: whoever opened it would wait.
        unlink("\(folder.path)/other")
        mkfifo("\(folder.path)/other", 0o644)
        #expect(try machine.error(Fuse.open, node: other, bytes(O_WRONLY, UInt32(0))) == .stale)
        let pipe = try machine.lookUp("other").node
        #expect(pipe != other)
        #expect(try machine.error(Fuse.open, node: pipe, bytes(O_WRONLY, UInt32(0))) == .notPermitted)
        let create = bytes(O_RDWR | O_CREAT, UInt32(0o644), UInt32(0), UInt32(0))
        #expect(try machine.error(Fuse.create, create + "other".utf8z) == .fileExists)
        // Found again by its new name.
        #expect(try machine.lookUp("file", in: machine.lookUp("gone").node).node == file)
        #expect(try machine.attributes(file).size == 4)
    }

    @Test("a link that comes and goes where a directory is leads nobody outside")
    func race() throws {
        let outside = SharedFolder()
        try outside.write("file", "secret")
        mkdir("\(folder.path)/dir", 0o755)
        try folder.write("dir/file", "mine")
        symlink(outside.path, "\(folder.path)/link")
        let machine = try machine()
        let server = try server(machine)
        let swapper = Swapper("\(folder.path)/dir", "\(folder.path)/link")
        defer { swapper.stop() }
        var found = 0
        let create = bytes(O_RDWR | O_CREAT, UInt32(0o644), UInt32(0), UInt32(0)) + "made".utf8z
        for round in 0..<3000 {
            if round % 3 == 0 { server.nodes.closeAll() }
            let dir = try machine.fuse(Fuse.lookup, "dir".utf8z)
            guard dir.error == 0 else { continue }
            let node = FuseEntry(entry: dir.body).node
            let made = try machine.fuse(Fuse.create, node: node, create)
            if made.error == 0 {
                try machine.good(Fuse.release, bytes(made.body.integer(128, as: UInt64.self), UInt64(0)))
            }
            let file = try machine.fuse(Fuse.lookup, node: node, "file".utf8z)
            guard file.error == 0 else { continue }
            let opened = try machine.fuse(
                Fuse.open, node: FuseEntry(entry: file.body).node, bytes(O_RDONLY, UInt32(0)))
            guard opened.error == 0 else { continue }
            let handle: UInt64 = opened.body.integer(0)
            #expect(try machine.read(node, handle, size: 10) == "mine")
            try machine.good(Fuse.release, bytes(handle, UInt64(0)))
            found += 1
        }
        #expect(found > 0)
        #expect(!outside.exists("made"))
    }

    @Test("a file that is not where it was is found by who looks it up; ancestors that change places make no circle")
    func circles() throws {
        mkdir("\(folder.path)/a", 0o755)
        mkdir("\(folder.path)/a/b", 0o755)
        let machine = try machine()
        let server = try server(machine)
        let a = try machine.lookUp("a").node
        let b = try machine.lookUp("b", in: a).node
        // So that it is held, wherever it goes.
        _ = try machine.list(b)
        rename("\(folder.path)/a/b", "\(folder.path)/b")
        rename("\(folder.path)/a", "\(folder.path)/b/a")
        #expect(try machine.lookUp("a", in: b).node == a)
        server.nodes.closeAll()
        #expect(try machine.error(Fuse.opendir, node: a, bytes(UInt64(0))) == .stale)
        #expect(try machine.lookUp("b").node == b)
        #expect(try machine.lookUp("a", in: b).node == a)
        server.nodes.closeAll()
        _ = try machine.list(a)
        for node in [a, b] { _ = try machine.fuse(Fuse.forget, node: node, bytes(UInt64.max)) }
        #expect(server.nodes.count == 1)
    }

    @Test("files are moved, swapped and replaced, and their nodes go with them")
    func renames() throws {
        try folder.write("one", "1")
        try folder.write("two", "22")
        mkdir("\(folder.path)/dir", 0o755)
        let machine = try machine()
        let server = try server(machine)
        let (one, two, dir) = (
            try machine.lookUp("one").node, try machine.lookUp("two").node, try machine.lookUp("dir").node
        )
        try machine.good(Fuse.rename, bytes(dir) + "one".utf8z + "moved".utf8z)
        #expect(try folder.text("dir/moved") == "1")
        server.nodes.closeAll()
        #expect(try machine.attributes(one).size == 1)
        // RENAME_NOREPLACE, RENAME_EXCHANGE, and RENAME_WHITEOUT, which would make a device.
        func rename(_ flags: UInt32) throws -> Errno {
            try machine.error(Fuse.rename2, bytes(dir, flags, UInt32(0)) + "two".utf8z + "moved".utf8z)
        }
        #expect(try rename(1) == .fileExists)
        #expect(try rename(4) == .invalidArgument)
        #expect(try rename(1 << 31) == .invalidArgument)
        #expect(try rename(2) == Errno(rawValue: 0))
        server.nodes.closeAll()
        #expect(try (machine.attributes(one).size, machine.attributes(two).size) == (1, 2))
        #expect(try folder.text("two") == "1")
        #expect(try rename(0) == Errno(rawValue: 0))
        server.nodes.closeAll()
        #expect(try machine.attributes(one).size == 1)
        #expect(try machine.error(Fuse.getattr, node: two, bytes(UInt64(0), UInt64(0))) == .stale)
        // Into itself.
        #expect(try machine.error(Fuse.rename, bytes(dir) + "dir".utf8z + "x".utf8z) == .invalidArgument)
    }

    @Test("a second name of a file is the same node; a file without names is there while it is open")
    func unlinked() throws {
        let machine = try machine()
        let server = try server(machine)
        let (node, file) = try machine.create("file")
        let second = FuseEntry(entry: try machine.good(Fuse.link, bytes(node) + "second".utf8z))
        #expect(second.node == node && second.links == 2)
        try machine.good(Fuse.unlink, "second".utf8z)
        try machine.good(Fuse.unlink, "file".utf8z)
        server.nodes.closeAll()
        #expect(try machine.write(node, file, "still there") == 11)
        #expect(try machine.attributes(node).size == 11)
        #expect(try machine.attributes(node).links == 0)
        #expect(try machine.read(node, try machine.open(node), size: 100) == "still there")
        try machine.good(Fuse.setattr, node: node, change(1 << 0, mode: 0o600))
        #expect(try machine.attributes(node).mode & 0o777 == 0o600)
        #expect(try machine.error(Fuse.link, bytes(1) + "x".utf8z) == .notPermitted)
    }

    @Test("pipes and sockets are made, devices are not, and none is opened")
    func specialFiles() throws {
        let machine = try machine()
        func make(_ type: mode_t, _ name: String) throws -> FuseAnswer {
            try machine.fuse(
                Fuse.mknod, bytes(UInt32(type) | 0o640, UInt32(0x103), UInt32(0), UInt32(0)) + name.utf8z)
        }
        for (type, name) in [(S_IFREG, "file"), (S_IFIFO, "pipe"), (S_IFSOCK, "socket")] {
            let entry = FuseEntry(entry: try make(mode_t(type), name).body)
            #expect(entry.mode == UInt32(type) | 0o640)
            #expect(try folder.status(name).st_mode == mode_t(type) | 0o640)
            guard type != S_IFREG else { continue }
            #expect(try machine.error(Fuse.open, node: entry.node, bytes(O_RDONLY, UInt32(0))) == .notPermitted)
        }
        for type in [S_IFCHR, S_IFBLK, S_IFDIR, S_IFLNK, 0] {
            #expect(try make(mode_t(type), "device").error == EPERM)
        }
        #expect(!folder.exists("device"))
    }

    // MARK: - Files

    @Test("a file is made, written, read, flushed and released")
    func contents() throws {
        let machine = try machine()
        let server = try server(machine)
        let (node, file) = try machine.create("file", mode: 0o640)
        #expect(try folder.status("file").st_mode & 0o777 == 0o640)
        #expect(try machine.write(node, file, "hello world") == 11)
        #expect(try machine.write(node, file, offset: 6, "there") == 5)
        #expect(try folder.text("file") == "hello there")
        #expect(try machine.read(node, file, size: 100) == "hello there")
        #expect(try machine.read(node, file, offset: 6, size: 100) == "there")
        // No more than was asked for, wherever there is room.
        #expect(try machine.read(node, file, size: 5, room: 4096) == "hello")
        #expect(try machine.read(node, file, offset: 11, size: 10) == "")
        try machine.good(Fuse.flush, node: node, bytes(file, UInt64(0), UInt64(0)))
        for flags in [0, 1] as [UInt32] { try machine.good(Fuse.fsync, node: node, bytes(file, flags, UInt32(0))) }
        // Places that no file has.
        for offset in [UInt64(1) << 63, .max, UInt64(Int64.max)] {
            let read = bytes(file, offset, UInt32(8), UInt32(0), UInt64(0), UInt64(0))
            #expect(try machine.error(Fuse.read, node: node, read) == .invalidArgument)
            #expect(try machine.error(Fuse.write, node: node, read + bytes(UInt64(0))) == .invalidArgument)
        }
        // Only what it was opened for.
        let readable = try machine.open(node, O_RDONLY)
        #expect(
            try machine.error(
                Fuse.write, node: node, bytes(readable, UInt64(0), UInt32(1), UInt32(0), UInt64(0), UInt64(0)) + [65])
                == .badDescriptor)
        try machine.good(Fuse.release, node: node, bytes(file, UInt64(0), UInt64(0)))
        #expect(try machine.error(Fuse.release, node: node, bytes(file, UInt64(0), UInt64(0))) == .badDescriptor)
        #expect(try machine.error(Fuse.flush, node: node, bytes(file, UInt64(0), UInt64(0))) == .badDescriptor)
        #expect(server.nodes.openFiles.count == 1)
        // A flush is only for what may have been written.
        let flags: UInt32 = try machine.good(Fuse.open, node: node, bytes(O_RDONLY, UInt32(0))).integer(8)
        #expect(flags == 1 << 5)
        // An open that empties it; a create of what is there.
        _ = try machine.open(node, O_WRONLY | O_TRUNC)
        #expect(try folder.text("file") == "")
        let create = bytes(O_RDWR | O_CREAT, UInt32(0o600), UInt32(0), UInt32(0))
        #expect(try machine.good(Fuse.create, create + "file".utf8z).integer(0, as: UInt64.self) == node)
        #expect(try folder.status("file").st_mode & 0o777 == 0o640)
        let exclusive = bytes(O_RDWR | O_CREAT | O_EXCL, UInt32(0o600), UInt32(0), UInt32(0))
        #expect(try machine.error(Fuse.create, exclusive + "file".utf8z) == .fileExists)
        #expect(try machine.error(Fuse.open, node: node, bytes(O_ACCMODE, UInt32(0))) == .invalidArgument)
        #expect(try machine.error(Fuse.open, node: 1, bytes(O_RDONLY, UInt32(0))) == .isADirectory)
    }

    @Test("what is appended goes to the end, wherever the guest thinks it is")
    func appends() throws {
        try folder.write("log", "one\n")
        let machine = try machine()
        let node = try machine.lookUp("log").node
        #expect(try machine.write(node, try machine.open(node, O_WRONLY | O_APPEND), "two\n") == 4)
        #expect(try folder.text("log") == "one\ntwo\n")
    }

    @Test("more pieces than one call of the host takes are read and written all the same")
    func manyPieces() throws {
        let text = String(repeating: "0123456789abcdef", count: 128)
        let machine = try FakeMachine(try FileSystem.open(folder.path, tag: "t", largeQueues))
        try machine.boot(.indirectDescriptors, queueSize: 512)
        try machine.mount()
        let (node, file) = try machine.create("file")
        #expect(try machine.write(node, file, text) == UInt32(text.utf8.count))
        let request =
            bytes(UInt32(80), Fuse.read, UInt64(9), node, UInt64(0), UInt64(0))
            + bytes(file, UInt64(0), UInt32(2048), UInt32(0), UInt64(0), UInt64(0))
        let rooms = (0..<400).map { _ in machine.room(5) }
        try machine.queues[1].submit(pieces: [try machine.place(request), machine.room(16)] + rooms, indirect: true)
        #expect(try machine.queues[1].takeAllUsed() == [2016])
        #expect(try String(decoding: rooms.flatMap { try machine.contents($0) }, as: UTF8.self) == text.prefix(2000))
    }

    private var largeQueues: FileSystem.Options {
        var options = FileSystem.Options()
        options.queueSize = 512
        return options
    }

    @Test("attributes are changed one by one")
    func attributes() throws {
        try folder.write("file", "0123456789")
        let machine = try machine()
        let node = try machine.lookUp("file").node
        func set(_ arguments: [UInt8]) throws -> FuseEntry {
            FuseEntry(attributes: try machine.good(Fuse.setattr, node: node, arguments))
        }
        #expect(try set(change(1 << 0, mode: 0o4711)).mode == UInt32(S_IFREG) | 0o4711)
        #expect(try set(change(1 << 3, size: 4)).size == 4)
        #expect(try folder.text("file") == "0123")
        #expect(try set(change(1 << 5, modified: 1234)).modified == 1234)
        #expect(try set(change(1 << 5 | 1 << 8)).modified > 1_000_000_000)
        // Before 1970.
        #expect(try Int64(bitPattern: set(change(1 << 4 | 1 << 5, modified: UInt64(bitPattern: -5))).modified) == -5)
        // By an open file, also one that is only read.
        for flags in [O_RDWR, O_RDONLY] {
            let file = try machine.open(node, flags)
            #expect(try set(change(1 << 3 | 1 << 6, file: file, size: 7)).size == 7)
            #expect(try set(change(1 << 3 | 1 << 6, file: file, size: 0)).size == 0)
        }
        #expect(try machine.error(Fuse.setattr, node: node, change(1 << 3 | 1 << 6, file: 99)) == .badDescriptor)
        #expect(try machine.error(Fuse.setattr, node: node, change(1 << 3, size: .max)) == .invalidArgument)
        #expect(try machine.error(Fuse.setattr, node: 1, change(1 << 3, size: 0)) == .isADirectory)
        // An open file of another node's.
        let (other, file) = try machine.create("other")
        #expect(other != node)
        #expect(try machine.error(Fuse.setattr, node: node, change(1 << 3 | 1 << 6, file: file)) == .badDescriptor)
        let answer = try machine.good(Fuse.getattr, node: node, bytes(UInt32(1), UInt32(0), file))
        #expect(FuseEntry(attributes: answer).inode == UInt64(try folder.status("file").st_ino))
    }

    @Test("a write by another user takes set-id bits away, where the guest asks for that")
    func privileges() throws {
        let machine = try machine()
        let (node, file) = try machine.create("file", mode: 0o755)
        func reset(_ mode: UInt32) throws { try machine.good(Fuse.setattr, node: node, change(1 << 0, mode: mode)) }
        try reset(0o6755)
        #expect(try machine.write(node, file, "x", flags: 1 << 2) == 1)
        #expect(try folder.status("file").st_mode & 0o7777 == 0o755)
        // A bit that is about locks stays.
        try reset(0o6745)
        try machine.good(Fuse.setattr, node: node, change(1 << 3 | 1 << 11, size: 0))
        #expect(try folder.status("file").st_mode & 0o7777 == 0o2745)
        try reset(0o4755)
        try machine.good(Fuse.open, node: node, bytes(O_WRONLY | O_TRUNC, UInt32(1)))
        #expect(try folder.status("file").st_mode & 0o7777 == 0o755)
    }

    @Test("new files belong to the guest's user, with the permissions that it gave them", .needs(.root))
    func owners() throws {
        chmod(folder.path, 0o777)
        let machine = try machine()
        func made(_ operation: UInt32, _ arguments: [UInt8]) throws -> FuseEntry {
            FuseEntry(entry: try machine.fuse(operation, arguments, user: 1234, group: 567).body)
        }
        let create = bytes(O_RDWR | O_CREAT | O_EXCL, UInt32(S_IFREG) | 0o666, UInt32(0), UInt32(0))
        let all = [
            try made(Fuse.create, create + "a".utf8z),
            try made(Fuse.mkdir, bytes(UInt32(0o777), UInt32(0)) + "b".utf8z),
            try made(Fuse.mknod, bytes(UInt32(S_IFREG) | 0o4777, UInt32(0), UInt32(0), UInt32(0)) + "c".utf8z),
            try made(Fuse.symlink, "d".utf8z + "target".utf8z),
        ]
        #expect(all.allSatisfy { $0.user == 1234 && $0.group == 567 })
        // The guest's kernel took its umask away already; this process's has no say.
        #expect(all.map { $0.mode & 0o7777 } == [0o666, 0o777, 0o4777, 0o777])
        for (name, entry) in zip(["a", "b", "c"], all) {
            let status = try folder.status(name)
            #expect(status.st_uid == 1234 && status.st_gid == 567 && status.st_mode == mode_t(entry.mode))
        }
        // A directory with the bit gives its group.
        chmod(folder.path, 0o2777)
        chown(folder.path, 0, 99)
        _ = try machine.attributes(1)
        let inner = try made(Fuse.mkdir, bytes(UInt32(0o755), UInt32(0)) + "e".utf8z)
        #expect(inner.user == 1234 && inner.group == 99 && inner.mode & 0o7777 == 0o2755)
        #expect(try made(Fuse.create, create + "f".utf8z).group == 99)
        try machine.good(Fuse.setattr, node: inner.node, change(1 << 1, user: 42))
        #expect(try folder.status("e").st_uid == 42 && folder.status("e").st_gid == 99)
    }

    @Test("holes are made, found and filled; ranges are copied within the host")
    func ranges() throws {
        let machine = try machine()
        let (node, file) = try machine.create("file")
        func allocate(_ offset: UInt64, _ length: UInt64, _ mode: UInt32) throws -> Errno {
            try machine.error(Fuse.fallocate, node: node, bytes(file, offset, length, mode, UInt32(0)))
        }
        #expect(try allocate(0, 1 << 20, 0) == Errno(rawValue: 0))
        #expect(try machine.attributes(node).size == 1 << 20)
        #expect(try machine.write(node, file, offset: 512 << 10, "data") == 4)
        #expect(try allocate(0, 256 << 10, 3) == Errno(rawValue: 0))
        #expect(try allocate(1 << 63, 1, 0) == .invalidArgument)
        #expect(try allocate(1, .max, 0) == .invalidArgument)
        #expect(try allocate(1, UInt64(Int64.max), 0) == .invalidArgument)
        func seek(_ offset: UInt64, _ whence: CInt) throws -> FuseAnswer {
            try machine.fuse(Fuse.lseek, node: node, bytes(file, offset, whence, UInt32(0)))
        }
        let data: UInt64 = try seek(0, seekData).body.integer(0)
        #expect(data > 0 && data <= 512 << 10)
        #expect(try seek(0, seekHole).body.integer(0, as: UInt64.self) == 0)
        #expect(try seek(2 << 20, seekData).error == ENXIO)
        #expect(try seek(0, SEEK_END).error == EINVAL)
        #expect(try seek(.max, seekData).error == EINVAL)

        let (other, target) = try machine.create("other")
        func copy(_ from: UInt64, _ length: UInt64) throws -> FuseAnswer {
            try machine.fuse(
                Fuse.copyFileRange, node: node, bytes(file, from, other, target, UInt64(3), length, UInt64(0)))
        }
        #expect(try copy(512 << 10, 4).body.integer(0, as: UInt32.self) == 4)
        #expect(try machine.read(other, target, offset: 3, size: 10) == "data")
        #expect(try copy(.max, 4).error == EINVAL)
        // So much at a time as does not keep others waiting.
        #expect(try copy(0, .max).body.integer(0, as: UInt32.self) <= 1 << 20)
    }

    @Test("extended attributes of users are kept, others are not the guest's")
    func extended() throws {
        try folder.write("file", "")
        let machine = try machine()
        let node = try machine.lookUp("file").node
        func set(_ name: String, _ value: String, flags: UInt32 = 0) throws -> Errno {
            try machine.error(
                Fuse.setxattr, node: node,
                bytes(UInt32(value.utf8.count), flags, UInt32(0), UInt32(0)) + name.utf8z + Array(value.utf8))
        }
        func get(_ name: String, size: UInt32) throws -> FuseAnswer {
            try machine.fuse(Fuse.getxattr, node: node, bytes(size, UInt32(0)) + name.utf8z)
        }
        let isKept = try set("user.colour", "blue") == Errno(rawValue: 0)
        // A file system may have none of them, as tmpfs of older kernels.
        guard isKept else {
            #expect(try set("user.colour", "blue") == .notSupported)
            return
        }
        #expect(try String(decoding: get("user.colour", size: 100).body, as: UTF8.self) == "blue")
        #expect(try get("user.colour", size: 0).body.integer(0, as: UInt32.self) == 4)
        #expect(try get("user.colour", size: 3).error == ERANGE)
        #expect(try get("user.none", size: 100).error == ENODATA)
        #expect(try set("user.colour", "red", flags: 1) == .fileExists)
        #expect(try set("user.none", "red", flags: 2) == Errno(rawValue: ENODATA))
        try #require(try set("user.shape", "round") == Errno(rawValue: 0))
        func list(_ size: UInt32) throws -> FuseAnswer {
            try machine.fuse(Fuse.listxattr, node: node, bytes(size, UInt32(0)))
        }
        let names = try String(decoding: list(100).body, as: UTF8.self).split(separator: "\0")
        #expect(Set(names) == ["user.colour", "user.shape"])
        #expect(try list(0).body.integer(0, as: UInt32.self) == 23)
        #expect(try list(22).error == ERANGE)
        try machine.good(Fuse.removexattr, node: node, "user.colour".utf8z)
        #expect(try get("user.colour", size: 100).error == ENODATA)
        for name in ["security.capability", "trusted.overlay.opaque", "system.posix_acl_access", "user.", "user", ""] {
            #expect(try set(name, "x") == .notSupported)
            #expect(try get(name, size: 100).error == EOPNOTSUPP)
            #expect(try machine.error(Fuse.removexattr, node: node, name.utf8z) == .notSupported)
        }
        // A value that is longer than the request.
        let short = bytes(UInt32(100), UInt32(0), UInt32(0), UInt32(0)) + "user.long".utf8z + [1, 2]
        #expect(try machine.error(Fuse.setxattr, node: node, short) == .invalidArgument)
    }

    @Test("the file system tells its space, and is written out")
    func statistics() throws {
        let machine = try machine()
        let answer = try machine.good(Fuse.statfs)
        var expected = statvfs()
        statvfs(folder.path, &expected)
        #expect(answer.count == 80)
        #expect(answer.integer(0, as: UInt64.self) == UInt64(expected.f_blocks))
        #expect(answer.integer(40, as: UInt32.self) == UInt32(expected.f_bsize))
        #expect(answer.integer(44, as: UInt32.self) == 255)
        try machine.good(Fuse.syncfs, bytes(UInt64(0)))
        #expect(try machine.error(Fuse.syncfs, node: 9, bytes(UInt64(0))) == .stale)
    }

    @Test("who may do what is told by owner, group and others")
    func access() throws {
        try folder.write("file", "")
        chmod("\(folder.path)/file", 0o640)
        let machine = try machine()
        let node = try machine.lookUp("file").node
        func may(_ mask: UInt32, user: UInt32, group: UInt32) throws -> Bool {
            try machine.fuse(Fuse.access, node: node, bytes(mask, UInt32(0)), user: user, group: group).error == 0
        }
        let (user, group) = (getuid(), getgid())
        #expect(try may(6, user: user, group: group))
        #expect(try !may(1, user: user, group: group))
        #expect(try may(4, user: user + 1, group: group))
        #expect(try !may(2, user: user + 1, group: group))
        #expect(try !may(4, user: user + 1, group: group + 1))
        #expect(try may(0, user: user + 1, group: group + 1))
        #expect(try may(6, user: 0, group: 0))
        #expect(try !may(1, user: 0, group: 0))
    }

    // MARK: - Bounds

    @Test("a share that is read-only is not written to")
    func readOnly() throws {
        try folder.write("file", "text")
        mkdir("\(folder.path)/dir", 0o755)
        var options = ShareOptions()
        options.isReadOnly = true
        let machine = try machine(options)
        let (node, dir) = (try machine.lookUp("file").node, try machine.lookUp("dir").node)
        for flags in [O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC] {
            #expect(try machine.error(Fuse.open, node: node, bytes(flags, UInt32(0))) == .readOnlyFileSystem)
        }
        let file = try machine.open(node, O_RDONLY)
        #expect(try machine.read(node, file, size: 10) == "text")
        let create = bytes(O_RDONLY | O_CREAT, UInt32(0o644), UInt32(0), UInt32(0))
        let requests: [(UInt32, [UInt8])] = [
            (Fuse.setattr, change(1 << 0, mode: 0)), (Fuse.symlink, "a".utf8z + "b".utf8z),
            (Fuse.mknod, bytes(UInt32(S_IFREG), UInt32(0), UInt32(0), UInt32(0)) + "a".utf8z),
            (Fuse.mkdir, bytes(UInt32(0o755), UInt32(0)) + "a".utf8z), (Fuse.unlink, "file".utf8z),
            (Fuse.rmdir, "dir".utf8z), (Fuse.rename, bytes(dir) + "file".utf8z + "file".utf8z),
            (Fuse.rename2, bytes(dir, UInt64(0)) + "file".utf8z + "file".utf8z),
            (Fuse.link, bytes(node) + "a".utf8z), (Fuse.create, create + "a".utf8z),
            (Fuse.create, create + "file".utf8z),
            (Fuse.write, bytes(file, UInt64(0), UInt32(1), UInt32(0), UInt64(0), UInt64(0)) + [65]),
            (Fuse.setxattr, bytes(UInt32(1), UInt32(0), UInt64(0)) + "user.a".utf8z + [65]),
            (Fuse.removexattr, "user.a".utf8z),
            (Fuse.fallocate, bytes(file, UInt64(0), UInt64(1), UInt32(0), UInt32(0))),
            (Fuse.copyFileRange, bytes(file, UInt64(0), node, file, UInt64(9), UInt64(1), UInt64(0))),
        ]
        for (operation, arguments) in requests {
            #expect(try machine.error(operation, arguments) == .readOnlyFileSystem, "\(operation)")
        }
        #expect(try machine.error(Fuse.access, node: node, bytes(UInt32(2), UInt32(0))) == .readOnlyFileSystem)
        try machine.good(Fuse.syncfs, bytes(UInt64(0)))
        #expect(try machine.list(isPlus: true).count == 4)
        #expect(try folder.text("file") == "text")
    }

    @Test("a guest that knows or opens more than it may hears so, and goes on when it has forgotten")
    func limits() throws {
        for number in 0..<10 { try folder.write("\(number)", "\(number)") }
        var options = ShareOptions()
        options.nodeLimit = 6
        options.openLimit = 3
        let machine = try machine(options)
        let nodes = try (0..<5).map { try machine.lookUp("\($0)").node }
        #expect(try machine.error(Fuse.lookup, "5".utf8z) == .tooManyFiles)
        #expect(try machine.lookUp("4").node == nodes[4])
        // A list has names all the same, and no lookups.
        let names = try machine.list(isPlus: true)
        #expect(names.count == 12 && Set(names.map(\.node).filter { $0 != 0 }) == Set(nodes))
        #expect(
            try machine.error(Fuse.create, bytes(O_RDWR | O_CREAT, UInt32(0o644), UInt64(0)) + "new".utf8z)
                == .tooManyFiles)
        #expect(try machine.error(Fuse.mkdir, bytes(UInt32(0o755), UInt32(0)) + "new".utf8z) == .tooManyFiles)
        #expect(!folder.exists("new"))
        let files = try nodes[..<3].map { try machine.open($0) }
        #expect(try machine.error(Fuse.open, node: nodes[3], bytes(O_RDONLY, UInt32(0))) == .tooManyFiles)
        #expect(try machine.error(Fuse.opendir, bytes(UInt64(0))) == .tooManyFiles)
        try machine.good(Fuse.release, node: nodes[0], bytes(files[0], UInt64(0), UInt64(0)))
        _ = try machine.open(nodes[3])
        _ = try machine.fuse(Fuse.forget, node: nodes[4], bytes(UInt64.max))
        #expect(try machine.lookUp("5").node > nodes[4])
    }

    @Test("a guest that knows many files takes few descriptors, and finds all of them again")
    func manyFiles() throws {
        var options = ShareOptions()
        options.placeLimit = NodeTable.fewestPlaces
        let machine = try machine(options)
        let server = try server(machine)
        let before = try folder.openDescriptors()
        var nodes: [UInt64] = []
        for number in 0..<400 {
            let made = try machine.good(Fuse.mkdir, bytes(UInt32(0o755), UInt32(0)) + "\(number)".utf8z)
            nodes.append(made.integer(0))
            try machine.good(
                Fuse.symlink, node: nodes[number], "link".utf8z + "\(number)".utf8z)
        }
        for (number, node) in nodes.enumerated().shuffled() {
            let link = try machine.lookUp("link", in: node).node
            #expect(String(decoding: try machine.good(Fuse.readlink, node: link), as: UTF8.self) == "\(number)")
        }
        #expect(server.nodes.count == 801)
        #expect(server.nodes.placeCount <= NodeTable.fewestPlaces)
        #expect(try folder.openDescriptors() <= before + NodeTable.fewestPlaces)
        // A path that is deeper than the descriptors that are kept.
        var deep: UInt64 = nodes[0]
        for _ in 0..<200 {
            deep = try machine.good(Fuse.mkdir, node: deep, bytes(UInt32(0o755), UInt32(0)) + "d".utf8z).integer(0)
        }
        server.nodes.closeAll()
        #expect(try machine.list(deep).count == 2)
        // All of it goes with the guest.
        machine.write(.status, 0)
        #expect(server.nodes.count == 1 && server.nodes.placeCount == 0)
        #expect(try folder.openDescriptors() == before)
    }

    @Test("a hostile driver gets nowhere, and the device works after a reset", arguments: 1...6 as ClosedRange<UInt64>)
    func hostile(_ seed: UInt64) throws {
        let outside = SharedFolder()
        try outside.write("file", "mine")
        for name in ["a", "b", "c"] { try folder.write(name, name) }
        mkdir("\(folder.path)/d", 0o755)
        symlink(outside.path, "\(folder.path)/out")
        let device = try folder.share()
        let machine = try FakeMachine(device)
        var random = SeededGenerator(seed: seed)
        let start =
            bytes(UInt32(56), Fuse.initialize, UInt64(1), UInt64(0), UInt64(0), UInt64(0))
            + bytes(UInt32(7), UInt32(37), UInt32(0), UInt32.max)
        var headers = [start, start, start]
        for _ in 0..<600 {
            let operation = random.one(of: Array(Fuse.all))
            // Small numbers, so that nodes and files are met that are there.
            let numbers = (0..<5).flatMap { _ in bytes(UInt64(random.below(6))) }
            let names = ["a", "d", "out", "file", "x", "../file", "."].map(\.utf8z)
            let body = numbers.prefix(random.below(6) * 8) + random.one(of: names) + random.one(of: names)
            headers.append(
                bytes(UInt32(40 + body.count), operation, UInt64(1), UInt64(1 + random.below(6)), UInt64(0), UInt64(0))
                    + body)
        }
        var hostile = Hostile(seed: seed, machine, headers: headers)
        try hostile.run(rounds: 40) {
            try machine.boot()
            try machine.mount()
            #expect(try machine.attributes(1).mode & UInt32(S_IFMT) == UInt32(S_IFDIR))
        }
        #expect(try outside.text("file") == "mine")
        #expect(try outside.status(".").st_nlink == 2)
    }

    // MARK: - Saved

    @Test("what the guest knows and has open is there in another machine, also with the directory somewhere else")
    func restored() throws {
        mkdir("\(folder.path)/dir", 0o755)
        try folder.write("dir/file", "0123456789")
        let machine = try machine()
        let dir = try machine.lookUp("dir").node
        let file = try machine.lookUp("file", in: dir).node
        let open = try machine.open(file)
        let list: UInt64 = try machine.good(Fuse.opendir, node: dir, bytes(UInt64(0))).integer(0)
        machine.transport.pause()
        let state = try TransportState(machine.transport.save().encoded())
        #expect(state == machine.transport.save())

        // What it was called while it was saved does not count.
        let moved = "\(folder.path).moved"
        try #require(rename(folder.path, moved) == 0)
        defer { rename(moved, folder.path) }
        let other = try FakeMachine(try FileSystem.open(moved, tag: "files"), memory: machine.memory)
        try other.transport.restore(state)
        other.takeOver(machine)
        #expect(try other.attributes(file).size == 10)
        #expect(try other.read(file, open, offset: 5, size: 100) == "56789")
        #expect(try other.write(file, open, offset: 8, "xy") == 2)
        #expect(try readText("\(moved)/dir/file") == "01234567xy")
        let names = try other.good(
            Fuse.readdir, node: dir, bytes(list, UInt64(0), UInt32(500), UInt32(0), UInt64(0), UInt64(0)), room: 500)
        #expect(Set(FuseName.all(names, isPlus: false).map(\.name)) == [".", "..", "file"])
        // Numbers go on where they were.
        let (node, handle) = try other.create("new")
        #expect(node > file && handle > list)
        for handle in [open, list] { try other.good(Fuse.release, node: file, bytes(handle, UInt64(0), UInt64(0))) }
        for node in [file, dir, node] { _ = try other.fuse(Fuse.forget, node: node, bytes(UInt64.max)) }
        #expect(try server(other).nodes.count == 2)
    }

    @Test("a file that is gone or another one is stale afterwards, and nothing else is")
    func goneMeanwhile() throws {
        for name in ["stays", "goes", "changes", "unlinked"] { try folder.write(name, name) }
        let machine = try machine()
        let nodes = try ["stays", "goes", "changes", "unlinked"].map { try machine.lookUp($0).node }
        let files = try nodes.map { try machine.open($0) }
        try machine.good(Fuse.unlink, "unlinked".utf8z)
        #expect(try machine.read(nodes[3], files[3], size: 100) == "unlinked")
        machine.transport.pause()
        let state = machine.transport.save()
        unlink("\(folder.path)/goes")
        // Not the same file, even where its number is: it was born later, or has another number.
        rename("\(folder.path)/changes", "\(folder.path)/kept")
        try folder.write("changes", "changes")

        let other = try FakeMachine(try folder.share(), memory: machine.memory)
        try other.transport.restore(state)
        other.takeOver(machine)
        #expect(try other.read(nodes[0], files[0], size: 100) == "stays")
        for (node, file) in zip(nodes, files).dropFirst() {
            let read = bytes(file, UInt64(0), UInt32(9), UInt32(0), UInt64(0), UInt64(0))
            #expect(try other.error(Fuse.read, node: node, read) == .stale)
            #expect(try other.error(Fuse.getattr, node: node, bytes(UInt64(0), UInt64(0))) == .stale)
            #expect(try other.error(Fuse.open, node: node, bytes(O_RDONLY, UInt32(0))) == .stale)
            try other.good(Fuse.release, node: node, bytes(file, UInt64(0), UInt64(0)))
        }
        // A lookup finds what is there now.
        #expect(try other.lookUp("changes").node > nodes[3])
        #expect(try other.lookUp("kept").node == nodes[2])
        #expect(try other.attributes(nodes[2]).size == 7)
    }

    @Test("a state that was never saved, or of another share, is refused")
    func badState() throws {
        mkdir("\(folder.path)/dir", 0o755)
        try folder.write("dir/file", "")
        let machine = try machine()
        let dir = try machine.lookUp("dir").node
        _ = try machine.open(try machine.lookUp("file", in: dir).node)
        machine.transport.pause()
        let device = try #require(machine.device as? FileSystem)
        let state = device.save()
        let fresh = try folder.share()
        try fresh.restore(state)
        #expect(fresh.save() == state)
        // Another tag, and another promise.
        #expect(throws: StateError.self) { try FileSystem.open(folder.path, tag: "other").restore(state) }
        var options = ShareOptions()
        options.isReadOnly = true
        #expect(throws: StateError.self) { try folder.share(options).restore(state) }
        options = ShareOptions()
        options.nodeLimit = 2
        #expect(throws: StateError.self) { try folder.share(options).restore(state) }
        options = ShareOptions()
        options.openLimit = 0
        #expect(throws: StateError.self) { try folder.share(options).restore(state) }
        for count in state.indices {
            #expect(throws: StateError.self) { try fresh.restore(Array(state[..<count])) }
        }
        #expect(throws: StateError.self) { try fresh.restore(state + [0]) }
        #expect(fresh.server.nodes.count == 1)
        // Whatever a byte becomes, it is refused or it works.
        for index in state.indices {
            for bit in [0x01, 0x80] as [UInt8] {
                var changed = state
                changed[index] ^= bit
                if (try? fresh.restore(changed)) == nil { #expect(fresh.server.nodes.count == 1) }
            }
        }
        // A name that leads elsewhere.
        let place = try #require(state.firstRange(of: Array("dir".utf8))?.lowerBound)
        var changed = state
        changed.replaceSubrange(place..<place + 3, with: Array("../".utf8))
        #expect(throws: StateError.malformed("a name that leads elsewhere")) { try fresh.restore(changed) }
    }
}

/// `struct fuse_setattr_in`.
private func change(
    _ valid: UInt32, file: UInt64 = 0, size: UInt64 = 0, modified: UInt64 = 0, mode: UInt32 = 0, user: UInt32 = 0,
    group: UInt32 = 0
) -> [UInt8] {
    bytes(valid, UInt32(0), file, size, UInt64(0), UInt64(0), modified, UInt64(0))
        + bytes(UInt32(0), UInt32(0), UInt32(0), mode, UInt32(0), user, group, UInt32(0))
}

// `lseek(2)`; behind a definition that the C library's module does not have.
private let seekData: CInt = 3
private let seekHole: CInt = 4
