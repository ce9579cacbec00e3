import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

extension FileSystemTests {
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
}
