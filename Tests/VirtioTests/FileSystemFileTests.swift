import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

extension FileSystemTests {
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
}

// `lseek(2)`; behind a definition that the C library's module does not have.
private let seekData: CInt = 3
private let seekHole: CInt = 4
