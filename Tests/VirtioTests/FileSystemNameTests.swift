import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

extension FileSystemTests {
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
}
