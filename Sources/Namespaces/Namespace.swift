import CLinux
import Linux

/// A handle on a namespace, which lives as long as the handle does, with or without processes in it; `namespaces(7)`.
///
/// ```swift
/// let mine = try Namespace.current(.network)
/// let theirs = try Namespace(.network, ofProcess: 1)
/// print(mine.identity == theirs.identity)
/// ```
public struct Namespace: ~Copyable, Sendable {
    /// An open file of the kernel's nsfs.
    public let descriptor: Descriptor
    /// What the namespace isolates.
    public let kind: NamespaceKind
    /// Which namespace of its kind it is.
    public let identity: NamespaceIdentity

    /// Takes over an open namespace file.
    ///
    /// - Parameters:
    ///   - descriptor: closed with this value.
    ///   - expected: the kind that it has to be of; nil takes any.
    /// - Throws: `EINVAL` when the file is no namespace, or one of another kind.
    public init(owning descriptor: consuming Descriptor, expecting expected: NamespaceKind? = nil) throws(SystemError) {
        let number = descriptor.rawValue
        let magic = try systemCall("fstatfs \(pathForMessage(number))") { bh_file_system_magic(number) }
        guard magic == nsfsMagic else {
            throw SystemError(
                "use \(pathForMessage(number)) as a namespace", .invalidArgument, hint: "it is no namespace")
        }
        let flag = try systemCall("NS_GET_NSTYPE") { bh_ioctl(number, BH_NS_GET_NSTYPE, 0) }
        guard let kind = NamespaceKind(cloneFlag: UInt64(UInt32(bitPattern: flag))) else {
            throw SystemError(
                "use \(pathForMessage(number)) as a namespace", .invalidArgument,
                hint: "its kind, 0x\(String(flag, radix: 16)), is newer than this library")
        }
        if let expected, kind != expected {
            throw SystemError(
                "use \(pathForMessage(number)) as a namespace", .invalidArgument,
                hint: "expected kind \(expected), found \(kind)")
        }
        let status = try descriptor.status()
        self.descriptor = descriptor
        self.kind = kind
        identity = NamespaceIdentity(device: status.device, inode: status.inode)
    }

    /// Opens the namespace that a path leads to: a file in `/proc/PID/ns`, or one that a namespace is bound to.
    ///
    /// - Parameters:
    ///   - path: symbolic links in it are followed.
    ///   - expected: the kind that it has to be of; nil takes any.
    /// - Throws: `EINVAL` when the file is no namespace or one of another kind, whatever `open(2)` refuses with else.
    public init(path: String, expecting expected: NamespaceKind? = nil) throws(SystemError) {
        // A path from a document may lead to a device or a FIFO, whose mere opening has effects: look before opening.
        let place = try Descriptor.open(path, .path)
        let number = place.rawValue
        let magic = try systemCall("fstatfs \(quoted(path))") { bh_file_system_magic(number) }
        guard magic == nsfsMagic else {
            throw SystemError("use \(quoted(path)) as a namespace", .invalidArgument, hint: "it is no namespace")
        }
        do throws(SystemError) {
            try self.init(
                owning: try Descriptor.open("/proc/thread-self/fd/\(number)", .readOnly), expecting: expected)
        } catch {
            throw SystemError("use \(quoted(path)) as a namespace", error.errno, hint: error.hint)
        }
    }

    /// Opens a process's namespace. Where the process may end meanwhile, its number may stand for another one: hold
    /// it by a pidfd then.
    ///
    /// - Throws: `ENOENT` when there is no such process or the kernel lacks the kind, `EACCES` or `EPERM` without
    ///   ptrace access to it.
    public init(_ kind: NamespaceKind, ofProcess pid: pid_t) throws(SystemError) {
        self = try Self.open(kind, "/proc/\(pid)/ns/\(kind.fileName)", "process \(pid)")
    }

    /// Opens the namespace of a process that is held by a pidfd: by an ioctl since Linux 6.11, before through `/proc`
    /// with a check that the process is still the same.
    ///
    /// - Throws: `ESRCH` when the process has ended, `EACCES` or `EPERM` without ptrace access to it.
    public init(_ kind: NamespaceKind, of process: borrowing ProcessDescriptor) throws(SystemError) {
        let number = process.descriptor.rawValue
        do throws(SystemError) {
            let descriptor = try systemCall("open \(kind) namespace of process") {
                bh_ioctl(number, kind.pidfdRequest, 0)
            }
            try self.init(owning: Descriptor(owning: descriptor), expecting: kind)
            return
        } catch {
            guard Self.lacksRequest(error.errno) else { throw error }
        }
        self = try Self.throughProc(kind, of: process)
    }

    /// The way before Linux 6.11.
    static func throughProc(
        _ kind: NamespaceKind, of process: borrowing ProcessDescriptor
    ) throws(SystemError) -> Namespace {
        let pid = try process.currentPID()
        let namespace = try open(kind, "/proc/\(pid)/ns/\(kind.fileName)", "process \(pid)")
        // Alive after the opening, so the number meant this process all the while.
        try process.send(signal: 0)
        return namespace
    }

    /// The calling thread's namespace.
    public static func current(_ kind: NamespaceKind) throws(SystemError) -> Namespace {
        try open(kind, "/proc/thread-self/ns/\(kind.fileName)", "this thread")
    }

    /// The namespace that the calling thread's next child gets: another than its own after `unshare` of
    /// ``NamespaceKind/pid`` or ``NamespaceKind/time``.
    public static func currentForChildren(_ kind: NamespaceKind) throws(SystemError) -> Namespace {
        try open(kind, "/proc/thread-self/ns/\(kind.forChildrenFileName ?? kind.fileName)", "this thread's children")
    }

    private static func open(_ kind: NamespaceKind, _ path: String, _ whose: String) throws(SystemError) -> Namespace {
        do throws(SystemError) {
            return try Namespace(owning: try Descriptor.open(path, .readOnly), expecting: kind)
        } catch {
            let hint =
                error.errno == .permissionDenied || error.errno == .notPermitted
                ? "it is another user's or has a capability that the caller lacks" : error.hint
            throw SystemError("open \(kind) namespace of \(whose)", error.errno, hint: hint)
        }
    }

    /// Whether an error says that the kernel is older than a request.
    static func lacksRequest(_ errno: Errno) -> Bool {
        errno == Errno(rawValue: ENOTTY) || errno == .invalidArgument || errno == .notSupported
    }
}

/// Which namespace of its kind one is: equal identities mean the same namespace, as long as a handle on either is held.
public struct NamespaceIdentity: Hashable, Sendable {
    /// nsfs' device number.
    public var device: UInt64
    /// The number that `readlink /proc/PID/ns/…` shows.
    public var inode: UInt64

    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

extension Namespace {
    /// What `readlink /proc/PID/ns/…` shows, as `mnt:[4026531841]`.
    public var description: String { "\(kind.fileName):[\(identity.inode)]" }
}

/// `NSFS_MAGIC`: "nsfs".
private let nsfsMagic: Int64 = 0x6e73_6673

extension ProcessDescriptor {
    /// The process's id as this process's `/proc` has it.
    ///
    /// - Throws: `ESRCH` when it has ended.
    func currentPID() throws(SystemError) -> pid_t {
        let text = try readText("/proc/thread-self/fdinfo/\(descriptor.rawValue)")
        for line in text.split(separator: "\n") where line.hasPrefix("Pid:") {
            let pid = pid_t(line.dropFirst(4).drop { $0 == " " || $0 == "\t" }) ?? -1
            if pid > 0 { return pid }
        }
        throw SystemError("look up process of pidfd", .noSuchProcess)
    }
}
