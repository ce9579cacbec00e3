import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

extension FileSystemTests {
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
