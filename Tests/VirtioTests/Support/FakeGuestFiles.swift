import Glibc
import GuestMemory
import Linux
import Synchronization
import Testing

@testable import Virtio

/// A folder of the host's that goes with the test.
final class SharedFolder {
    let path: String

    init() {
        var template = Array("/tmp/bulkhead-share.XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
        // What mkdtemp gives to nobody else is for the guest's other users, too.
        chmod(path, 0o755)
    }

    deinit { SharedFolder.remove(path) }

    /// A file, or a folder with all that is in it; deep ones, too, as a guest may make them.
    private static func remove(_ path: String) {
        guard unlink(path) != 0, rmdir(path) != 0, let folder = opendir(path) else { return }
        var names: [String] = []
        while let entry = readdir(folder) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        closedir(folder)
        for name in names where name != "." && name != ".." { remove("\(path)/\(name)") }
        rmdir(path)
    }

    func write(_ name: String, _ text: String) throws {
        try Descriptor.open("\(path)/\(name)", [.writeOnly, .create, .truncate], mode: 0o644).write(text)
    }

    func text(_ name: String) throws -> String { try readText("\(path)/\(name)") }

    func status(_ name: String) throws -> stat {
        var status = stat()
        guard lstat("\(path)/\(name)", &status) == 0 else { throw Errno.current }
        return status
    }

    func exists(_ name: String) -> Bool { (try? status(name)) != nil }

    /// How many descriptors of this process lead here: the tests beside open others all the time.
    func openDescriptors() throws -> Int {
        guard let folder = opendir("/proc/self/fd") else { throw Errno.current }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let length = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    target.withUnsafeMutableBytes { readlinkat(dirfd(folder), name, $0.baseAddress!, $0.count) }
                }
            }
            if length > 0, String(decoding: target[..<length], as: UTF8.self).hasPrefix(path) { count += 1 }
        }
        return count
    }

    func share(_ options: ShareOptions = ShareOptions()) throws -> FileSystem {
        var all = FileSystem.Options()
        all.share = options
        return try FileSystem.open(path, tag: "files", all)
    }
}

/// The numbers of requests, from `linux/fuse.h` and not from the server.
enum Fuse {
    static let lookup: UInt32 = 1
    static let forget: UInt32 = 2
    static let getattr: UInt32 = 3
    static let setattr: UInt32 = 4
    static let readlink: UInt32 = 5
    static let symlink: UInt32 = 6
    static let mknod: UInt32 = 8
    static let mkdir: UInt32 = 9
    static let unlink: UInt32 = 10
    static let rmdir: UInt32 = 11
    static let rename: UInt32 = 12
    static let link: UInt32 = 13
    static let open: UInt32 = 14
    static let read: UInt32 = 15
    static let write: UInt32 = 16
    static let statfs: UInt32 = 17
    static let release: UInt32 = 18
    static let fsync: UInt32 = 20
    static let setxattr: UInt32 = 21
    static let getxattr: UInt32 = 22
    static let listxattr: UInt32 = 23
    static let removexattr: UInt32 = 24
    static let flush: UInt32 = 25
    static let initialize: UInt32 = 26
    static let opendir: UInt32 = 27
    static let readdir: UInt32 = 28
    static let releasedir: UInt32 = 29
    static let fsyncdir: UInt32 = 30
    static let setlk: UInt32 = 32
    static let access: UInt32 = 34
    static let create: UInt32 = 35
    static let interrupt: UInt32 = 36
    static let destroy: UInt32 = 38
    static let batchForget: UInt32 = 42
    static let fallocate: UInt32 = 43
    static let readdirplus: UInt32 = 44
    static let rename2: UInt32 = 45
    static let lseek: UInt32 = 46
    static let copyFileRange: UInt32 = 47
    static let syncfs: UInt32 = 50
    static let all: ClosedRange<UInt32> = 0...55
}

/// An answer of the server.
struct FuseAnswer {
    /// 0, or an errno.
    var error: CInt
    var body: [UInt8]
    /// What the used ring says was written.
    var used: UInt32
}

/// What an answer says of a file: `struct fuse_entry_out` or `fuse_attr_out`.
struct FuseEntry {
    var node: UInt64
    var inode: UInt64
    var size: UInt64
    var mode: UInt32
    var links: UInt32
    var user: UInt32
    var group: UInt32
    var modified: UInt64

    init(entry bytes: [UInt8]) {
        node = bytes.integer(0)
        (inode, size, modified) = (bytes.integer(40), bytes.integer(48), bytes.integer(72))
        (mode, links, user, group) = (bytes.integer(100), bytes.integer(104), bytes.integer(108), bytes.integer(112))
    }

    init(attributes bytes: [UInt8]) {
        self.init(entry: [UInt8](repeating: 0, count: 24) + bytes)
    }
}

/// A name of a directory, as READDIR gives it.
struct FuseName: Equatable {
    var name: String
    var offset: UInt64
    var type: UInt32
    /// The node of the lookup that came with it.
    var node: UInt64 = 0
}

extension FakeMachine {
    /// One request in pieces as Linux cuts them: header, arguments, data; room for a header and for the rest.
    func fuse(
        _ operation: UInt32, node: UInt64 = 1, _ arguments: [UInt8] = [], data: [UInt8] = [], room: Int = 256,
        queue: Int = 1, user: UInt32 = getuid(), group: UInt32 = getgid(), length: Int? = nil
    ) throws -> FuseAnswer {
        let total = length ?? 40 + arguments.count + data.count
        let header =
            bytes(UInt32(truncatingIfNeeded: total), operation, UInt64(operation) << 8 | 7, node)
            + bytes(user, group, UInt32(1), UInt32(0))
        var pieces = [try place(header)]
        if !arguments.isEmpty { pieces.append(try place(arguments)) }
        if !data.isEmpty { pieces.append(try place(data)) }
        let head = self.room(16)
        let rest = self.room(max(1, room))
        pieces.append(head)
        if room > 0 { pieces.append(rest) }
        try queues[queue].submit(pieces: pieces)
        guard let used = try queues[queue].takeUsed() else {
            return FuseAnswer(error: -1, body: [], used: 0)
        }
        forgetBuffers()
        guard used.length >= 16 else { return FuseAnswer(error: 0, body: [], used: used.length) }
        let answer = try contents(head)
        #expect(answer.integer(0, as: UInt32.self) == used.length)
        #expect(answer.integer(8, as: UInt64.self) == UInt64(operation) << 8 | 7)
        let body = room > 0 ? Array(try contents(rest).prefix(Int(used.length) - 16)) : []
        return FuseAnswer(error: -answer.integer(4, as: CInt.self), body: body, used: used.length)
    }

    /// The same, where nothing else than success is expected.
    @discardableResult
    func good(
        _ operation: UInt32, node: UInt64 = 1, _ arguments: [UInt8] = [], data: [UInt8] = [], room: Int = 256,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [UInt8] {
        let answer = try fuse(operation, node: node, arguments, data: data, room: room)
        try #require(answer.error == 0, "\(Errno(rawValue: answer.error))", sourceLocation: sourceLocation)
        return answer.body
    }

    /// Begins a session: everything that Linux 6.1 offers.
    @discardableResult
    func mount(features: UInt32 = 0x73ff_fffb) throws -> [UInt8] {
        try good(
            Fuse.initialize, bytes(UInt32(7), UInt32(37), UInt32(131072), features) + [UInt8](repeating: 0, count: 48))
    }

    func lookUp(_ name: String, in node: UInt64 = 1) throws -> FuseEntry {
        FuseEntry(entry: try good(Fuse.lookup, node: node, name.utf8z))
    }

    func attributes(_ node: UInt64) throws -> FuseEntry {
        FuseEntry(attributes: try good(Fuse.getattr, node: node, bytes(UInt64(0), UInt64(0))))
    }

    func open(_ node: UInt64, _ flags: CInt = O_RDWR) throws -> UInt64 {
        try good(Fuse.open, node: node, bytes(flags, UInt32(0))).integer(0)
    }

    func create(_ name: String, in node: UInt64 = 1, mode: UInt32 = 0o644) throws -> (node: UInt64, file: UInt64) {
        let answer = try good(
            Fuse.create, node: node,
            bytes(O_RDWR | O_CREAT | O_EXCL, mode | UInt32(S_IFREG), UInt32(0), UInt32(0))
                + name.utf8z)
        return (answer.integer(0), answer.integer(128))
    }

    func read(_ node: UInt64, _ file: UInt64, offset: UInt64 = 0, size: UInt32, room: Int? = nil) throws -> String {
        let answer = try good(
            Fuse.read, node: node, bytes(file, offset, size, UInt32(0), UInt64(0), UInt64(0)), room: room ?? Int(size))
        return String(decoding: answer, as: UTF8.self)
    }

    func write(_ node: UInt64, _ file: UInt64, offset: UInt64 = 0, _ text: String, flags: UInt32 = 0) throws -> UInt32 {
        try good(
            Fuse.write, node: node, bytes(file, offset, UInt32(text.utf8.count), flags, UInt64(0), UInt64(0)),
            data: Array(text.utf8)
        ).integer(0)
    }

    /// The errno of a request.
    func error(_ operation: UInt32, node: UInt64 = 1, _ arguments: [UInt8] = [], room: Int = 256) throws -> Errno {
        Errno(rawValue: try fuse(operation, node: node, arguments, room: room).error)
    }

    /// All of a directory, in answers of so many bytes.
    func list(_ node: UInt64 = 1, room: Int = 512, isPlus: Bool = false) throws -> [FuseName] {
        let file: UInt64 = try good(Fuse.opendir, node: node, bytes(UInt64(0))).integer(0)
        var names: [FuseName] = []
        while true {
            let answer = try good(
                isPlus ? Fuse.readdirplus : Fuse.readdir, node: node,
                bytes(file, names.last?.offset ?? 0, UInt32(room), UInt32(0), UInt64(0), UInt64(0)), room: room)
            if answer.isEmpty { break }
            names += FuseName.all(answer, isPlus: isPlus)
        }
        try good(Fuse.releasedir, node: node, bytes(file, UInt64(0), UInt64(0)))
        return names
    }
}

extension FuseName {
    static func all(_ answer: [UInt8], isPlus: Bool) -> [FuseName] {
        var names: [FuseName] = []
        var place = 0
        while place < answer.count {
            let entry = Array(answer[place...])
            let record = isPlus ? Array(entry.dropFirst(128)) : entry
            let count = Int(record.integer(16, as: UInt32.self))
            names.append(
                FuseName(
                    name: String(decoding: record[24..<24 + count], as: UTF8.self), offset: record.integer(8),
                    type: record.integer(20), node: isPlus ? entry.integer(0) : 0))
            place += (isPlus ? 128 : 0) + (24 + count + 7) / 8 * 8
        }
        return names
    }
}

extension FakeMachine {
    /// The driver goes on here, after its device was restored here.
    func takeOver(_ machine: FakeMachine) {
        queues = machine.queues
        for queue in queues { queue.machine = self }
    }
}

extension FakeQueue {
    func submit(pieces: [FakeBuffer], indirect: Bool = false) throws {
        try add(pieces, indirect: indirect)
        try kick()
        machine.run()
    }
}

extension String {
    /// With a NUL behind it.
    var utf8z: [UInt8] { Array(utf8) + [0] }
}

/// Somebody else on the host, who puts a link where a directory was and takes it away again, until he is stopped.
final class Swapper: Sendable {
    private let directory: String
    private let link: String
    private let isStopped = Atomic<Bool>(false)
    private let thread = Mutex<pthread_t?>(nil)

    /// - Parameters:
    ///   - directory: a directory that is there.
    ///   - link: a link that is there.
    init(_ directory: String, _ link: String) {
        self.directory = directory
        self.link = link
        thread.withLock { thread in
            var new = pthread_t()
            let result = pthread_create(
                &new, nil,
                { argument in
                    Unmanaged<Swapper>.fromOpaque(argument!).takeRetainedValue().run()
                    return nil
                }, Unmanaged.passRetained(self).toOpaque())
            precondition(result == 0, "no thread")
            thread = new
        }
    }

    private func run() {
        let aside = "\(directory).aside"
        while !isStopped.load(ordering: .acquiring) {
            rename(directory, aside)
            rename(link, directory)
            rename(directory, link)
            rename(aside, directory)
        }
    }

    /// Everything is in its place when it returns.
    func stop() {
        isStopped.store(true, ordering: .releasing)
        thread.withLock { if let thread = $0 { pthread_join(thread, nil) } }
    }
}
