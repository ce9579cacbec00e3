import CLinux
import CVirtio
import Linux

/// A file server for one directory of the host, with the protocol of FUSE: `fuse(4)`, `linux/fuse.h`, 7.31 and newer.
///
/// It answers one request after the other and knows nothing of how they come. The guest is not trusted: a name leads to
/// an entry of a directory and nowhere else, links are the guest's to follow, only regular files and directories are
/// ever opened, and what the guest may have of the host's memory and descriptors ends at ``ShareOptions``.
///
/// The guest's kernel checks permissions, as for any file system of its own. The server acts as the process it is in:
/// as root it gives new files to the guest's user, else all files are its own user's.
@safe
final class FUSEServer {
    let options: ShareOptions
    let nodes: NodeTable
    /// `/proc/self/fd`, by which a file that is held as a place is opened.
    let links: Descriptor
    /// What was agreed on; nil before the guest's INIT and after its DESTROY.
    @safe @exclusivity(unchecked) var session: Session?
    @safe @exclusivity(unchecked) var nextFile: UInt64 = 1
    /// Where the kernel puts a directory's entries.
    let scratch: UnsafeMutableRawBufferPointer

    struct Session: Hashable {
        var minor: UInt32
        var features: UInt32

        func has(_ feature: FUSEFeatures) -> Bool { features & feature.rawValue != 0 }
    }

    /// Protocol versions: the major one, the oldest and the newest minor one.
    static let major: UInt32 = 7
    static let oldestMinor: UInt32 = 31
    static let newestMinor: UInt32 = 38
    /// The most bytes of one WRITE and one READ.
    static let mostData = 1 << 20

    /// - Parameter root: the directory, open as a place.
    /// - Throws: also where there is no `/proc`, without which no file can be opened safely.
    init(_ root: consuming Descriptor, _ options: ShareOptions) throws(SystemError) {
        self.options = options
        do throws(SystemError) {
            links = try Descriptor.open("/proc/self/fd", [.path, .directory])
        } catch {
            throw SystemError("share a directory", error.errno, hint: "it takes /proc to open what is in it")
        }
        nodes = try NodeTable(root, nodeLimit: options.nodeLimit, placeLimit: options.placeLimit)
        unsafe scratch = .allocate(byteCount: FUSEServer.mostRead, alignment: 8)
    }

    deinit { unsafe scratch.deallocate() }

    /// Forgets the guest: its files are closed.
    func reset() {
        session = nil
        nodes.openFiles = [:]
        nodes.reset()
    }

    /// Does what a request says.
    func handle(_ message: FUSEMessage) -> FUSEOutcome {
        message.reply.clear()
        nodes.beginRequest()
        guard let operation = FUSEOperation(rawValue: message.header.operation) else { return .failed(.noSystemCall) }
        do throws(Errno) {
            guard operation.isAnswered else {
                if session != nil { forget(operation, message) }
                return .silent
            }
            guard session != nil || operation == .initialize else { throw .ioError }
            guard message.room >= operation.leastAnswer else { throw .invalidArgument }
            if options.isReadOnly && operation.isChange { throw .readOnlyFileSystem }
            if operation == .read { return .done(direct: try read(message)) }
            try answer(operation, message)
            guard message.reply.count <= message.room else { throw .outOfRange }
            return .done(direct: 0)
        } catch { return .failed(error) }
    }

    private func answer(_ operation: FUSEOperation, _ message: FUSEMessage) throws(Errno) {
        switch operation {
        case .initialize: try initialize(message)
        case .destroy: reset()
        case .lookUp: try lookUp(message)
        case .getAttributes: try getAttributes(message)
        case .setAttributes: try setAttributes(message)
        case .access: try access(message)
        case .statistics: try statistics(message)
        case .readLink: try readLink(message)
        case .makeSymbolicLink: try makeSymbolicLink(message)
        case .makeNode: try makeNode(message)
        case .makeDirectory: try makeDirectory(message)
        case .unlink: try remove(message, isDirectory: false)
        case .removeDirectory: try remove(message, isDirectory: true)
        case .rename: try rename(message, hasFlags: false)
        case .renameWithFlags: try rename(message, hasFlags: true)
        case .link: try link(message)
        case .open: try open(message)
        case .create: try create(message)
        case .write: try write(message)
        case .flush: try flush(message)
        case .release, .releaseDirectory: try release(message)
        case .synchronize, .synchronizeDirectory: try synchronize(message)
        case .synchronizeFileSystem: try synchronizeFileSystem(message)
        case .allocate: try allocate(message)
        case .seek: try seek(message)
        case .copyRange: try copyRange(message)
        case .openDirectory: try openDirectory(message)
        case .readDirectory: try readDirectory(message, isPlus: false)
        case .readDirectoryPlus: try readDirectory(message, isPlus: true)
        case .getExtended: try getExtended(message)
        case .listExtended: try listExtended(message)
        case .setExtended: try setExtended(message)
        case .removeExtended: try removeExtended(message)
        case .read, .forget, .forgetMany, .interrupt: break
        }
    }

    // MARK: - Begin and end

    private func initialize(_ message: FUSEMessage) throws(Errno) {
        let (major, minor, readAhead, flags): (UInt32, UInt32, UInt32, UInt32)
        major = try message.arguments.read()
        minor = try message.arguments.read()
        readAhead = try message.arguments.read()
        flags = try message.arguments.read()
        guard major >= FUSEServer.major else { throw Errno(rawValue: EPROTO) }
        // The guest begins anew: it knows nothing.
        reset()
        let reply = message.reply
        reply.put(FUSEServer.major)
        guard major == FUSEServer.major else {
            // It asks again with our version.
            reply.put(FUSEServer.newestMinor)
            reply.putZeros(56)
            return
        }
        guard minor >= FUSEServer.oldestMinor else { throw Errno(rawValue: EPROTO) }
        let features = FUSEFeatures.wanted.rawValue & flags
        session = Session(minor: min(minor, FUSEServer.newestMinor), features: features)
        reply.put(min(minor, FUSEServer.newestMinor))
        reply.put(min(readAhead, UInt32(FUSEServer.mostData)))
        reply.put(features)
        // Requests in the background, and when there are so many that others should wait.
        reply.put(UInt16(64))
        reply.put(UInt16(48))
        reply.put(UInt32(FUSEServer.mostData))
        // Times are exact to the nanosecond.
        reply.put(UInt32(1))
        reply.put(UInt16(FUSEServer.mostData / 4096))
        reply.putZeros(64 - reply.count)
    }

    private func forget(_ operation: FUSEOperation, _ message: FUSEMessage) {
        let arguments = message.arguments
        // Nobody is told of what is wrong here.
        switch operation {
        case .forget:
            if let count = try? arguments.read(UInt64.self) { nodes.forget(message.header.node, count) }
        case .forgetMany:
            guard let count = try? arguments.read(UInt32.self), (try? arguments.skip(4)) != nil else { return }
            for _ in 0..<count {
                guard let node = try? arguments.read(UInt64.self), let times = try? arguments.read(UInt64.self) else {
                    return
                }
                nodes.forget(node, times)
            }
        // What an INTERRUPT is about was answered before it came.
        default: break
        }
    }

    // MARK: - Open files

    /// - Throws: `EBADF` for a number that the guest has not, or of the other kind.
    func file(_ id: UInt64, isDirectory: Bool) throws(Errno) -> OpenFile {
        guard let file = nodes.openFiles[id], file.isDirectory == isDirectory else { throw .badDescriptor }
        return file
    }

    /// - Throws: `ENFILE` where the guest has as many as it may.
    func checkRoomForFile() throws(Errno) {
        if nodes.openFiles.count >= options.openLimit { throw .tooManyFiles }
    }

    func add(_ descriptor: consuming Descriptor, of node: FileNode, isDirectory: Bool, flags: CInt) -> OpenFile {
        let file = OpenFile(
            id: nextFile, node: node.id, isDirectory: isDirectory, flags: flags, descriptor: descriptor)
        nextFile += 1
        nodes.openFiles[file.id] = file
        node.files.append(file.id)
        return file
    }

    private func release(_ message: FUSEMessage) throws(Errno) {
        let id: UInt64 = try message.arguments.read()
        guard let file = nodes.openFiles.removeValue(forKey: id) else { throw .badDescriptor }
        guard let node = nodes.nodes[file.node] else { return }
        node.files.removeAll { $0 == id }
        nodes.release(node)
    }

    private func flush(_ message: FUSEMessage) throws(Errno) {
        let number = try file(try message.arguments.read(), isDirectory: false).number
        // What a file system says only at the end, as one over a network does, it says at the end of any descriptor.
        let copy = try attempt { bh_fcntl(number, F_DUPFD_CLOEXEC, 0) }
        try attempt { CLinux.close(copy) }
    }

    private func synchronize(_ message: FUSEMessage) throws(Errno) {
        let id: UInt64 = try message.arguments.read()
        let flags: UInt32 = try message.arguments.read()
        let isDirectory = message.header.operation == FUSEOperation.synchronizeDirectory.rawValue
        let number = try file(id, isDirectory: isDirectory).number
        try attempt { flags & 1 != 0 ? fdatasync(number) : fsync(number) }
    }

    private func synchronizeFileSystem(_ message: FUSEMessage) throws(Errno) {
        let directory = try nodes.reach(try nodes.directory(message.header.node))
        if options.isReadOnly { return }
        let opened = Descriptor(
            owning: try attempt { unsafe bh_openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) })
        let number = opened.rawValue
        try attempt { syncfs(number) }
    }
}
