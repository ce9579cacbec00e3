import CLinux
import Linux

/// The root of a file tree that is not to be trusted: whatever links it holds, no path leads out of it.
///
/// Each operation resolves its path inside the tree, as a process with this root directory would, and ends with a
/// descriptor. Go on with the descriptor and never with the path: between two resolutions the tree may change.
/// Magic links, as `/proc/self/exe`, are refused: they lead wherever they please.
public struct RootDirectory: ~Copyable, Sendable {
    /// The directory, opened with `OpenFlags.path`.
    public let descriptor: Descriptor

    /// Holds the directory at a path, which itself is trusted.
    public init(path: String) throws(SystemError) {
        try refuseNul(path)
        descriptor = try Descriptor.open(path, [.path, .directory])
    }

    /// Takes over an open directory, as the root of a detached mount.
    public init(owning descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Opens a path inside the tree; `openat2(2)`, `RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS`.
    ///
    /// Without `OpenFlags.path` among the flags, what the tree's owner put there is opened, be it a device or
    /// a FIFO that blocks.
    ///
    /// - Throws: `ELOOP` for a magic link and for too many links, `EINVAL` for a path with a NUL in it.
    public func open(_ path: String, _ flags: OpenFlags, mode: mode_t = 0) throws(SystemError) -> Descriptor {
        try refuseNul(path)
        // An empty path is the root itself; openat2 would say ENOENT.
        return try descriptor.open(
            path.isEmpty ? "." : path, flags, mode: mode, resolve: [.inRoot, .noMagicLinks])
    }

    /// The directory at a path. It, and every directory on the way to it, is made where it is missing, also where a
    /// link inside the tree leads to nothing yet.
    ///
    /// - Parameters:
    ///   - path: inside the tree.
    ///   - mode: for new directories, less the umask.
    /// - Returns: the directory, opened with `OpenFlags.path`.
    /// - Throws: `ENOTDIR` when something else is in the way, `ELOOP` for more than 40 links.
    public func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            return try open(path, [.path, .directory])
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
        }
        return try make(path, directoryMode: mode, fileMode: nil)
    }

    /// The file at a path, be it of any type but a directory. Where nothing is, an empty regular file is made, with
    /// the directories on the way to it: what a file is to be mounted on.
    ///
    /// - Returns: the file, opened with `OpenFlags.path`.
    /// - Throws: `EISDIR` when it is a directory; else as ``makeDirectory(_:mode:)``.
    public func makeFile(
        _ path: String, mode: mode_t = 0o644, directoryMode: mode_t = 0o755
    ) throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            let file = try open(path, .path)
            if try file.status().isDirectory { throw SystemError("make file \(quoted(path))", .isADirectory) }
            return file
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
        }
        return try make(path, directoryMode: directoryMode, fileMode: mode)
    }

    /// The directory in which a path's last part is to be made, with what is missing on the way to it.
    ///
    /// - Throws: `EINVAL` when the path has no last part, or it is `.` or `..`.
    public func makeParent(of path: String, mode: mode_t = 0o755) throws(SystemError) -> ParentDirectory {
        try refuseNul(path)
        var parts = components(path)
        guard let name = parts.popLast(), name != ".", name != ".." else {
            throw SystemError("make parent of \(quoted(path))", .invalidArgument, hint: "it names no entry")
        }
        return ParentDirectory(
            directory: try makeDirectory(parts.joined(separator: "/"), mode: mode), name: name)
    }

    /// A directory inside the tree and the name of an entry to make in it.
    public struct ParentDirectory: ~Copyable, Sendable {
        public let directory: Descriptor
        public let name: String
    }

    /// Makes a symbolic link, whose text is taken as it is.
    ///
    /// - Throws: `EEXIST` when something is there.
    public func makeSymbolicLink(_ path: String, to text: String) throws(SystemError) {
        try refuseNul(text)
        let parent = try makeParent(of: path)
        let number = parent.directory.rawValue
        let name = parent.name
        try systemCall("make symbolic link \(quoted(path))") { unsafe symlinkat(text, number, name) }
    }

    /// Makes a device node, FIFO or socket node.
    ///
    /// - Parameters:
    ///   - path: inside the tree.
    ///   - mode: the type, as `S_IFCHR`, and the permissions, less the umask.
    ///   - device: the numbers of a device; 0:0 for a FIFO.
    /// - Returns: the node, opened with `OpenFlags.path`.
    /// - Throws: `EEXIST` when something is there, `EPERM` without `CAP_MKNOD` in the first user namespace.
    @discardableResult
    public func makeNode(
        _ path: String, mode: mode_t, device: (major: UInt32, minor: UInt32) = (0, 0)
    ) throws(SystemError) -> Descriptor {
        let parent = try makeParent(of: path)
        let number = parent.directory.rawValue
        let name = parent.name
        try systemCall("make node \(quoted(path))") {
            unsafe mknodat(number, name, mode, dev_t(bh_makedev(device.major, device.minor)))
        }
        return try parent.directory.open(name, [.path, .noFollow], resolve: .beneath)
    }

    /// Walks the path part by part as the kernel would, and makes what is missing. Each step starts from the
    /// descriptor of the step before and follows no link by itself, so at no time is anything made outside.
    private func make(_ path: String, directoryMode: mode_t, fileMode: mode_t?) throws(SystemError) -> Descriptor {
        let operation = "make \(quoted(path))"
        var pending = Array(components(path).reversed())
        let wantsDirectory = fileMode == nil || path.hasSuffix("/")
        // The real directories walked through so far, none a link: what ".." is taken from.
        var walked: [String] = []
        var current = try descriptor.duplicate()
        var links = 0
        var failures = 0
        while let name = pending.popLast() {
            if name == "." { continue }
            if name == ".." {
                _ = walked.popLast()
                current = try descriptor.open(
                    walked.isEmpty ? "." : walked.joined(separator: "/"), [.path, .directory],
                    resolve: [.inRoot, .noSymbolicLinks])
                continue
            }
            let isFile = pending.isEmpty && !wantsDirectory
            let entry: Descriptor
            do throws(SystemError) {
                entry = try current.open(name, [.path, .noFollow], resolve: .beneath)
            } catch {
                guard error.errno == .noSuchFileOrDirectory, failures < 128 else { throw error.during(operation) }
                failures += 1
                try Self.create(name, in: current, isFile ? fileMode : nil, directoryMode, operation)
                // Looked at again: another process may have been faster, and may have made a link.
                pending.append(name)
                continue
            }
            let status = try entry.status()
            if status.isSymbolicLink {
                links += 1
                if links > 40 { throw SystemError(operation, .tooManySymbolicLinks) }
                let text = try linkText(entry, operation)
                if text.hasPrefix("/") {
                    walked = []
                    current = try descriptor.duplicate()
                }
                pending += components(text).reversed()
            } else if isFile {
                if status.isDirectory { throw SystemError(operation, .isADirectory) }
                return entry
            } else if status.isDirectory {
                current = entry
                walked.append(name)
            } else {
                throw SystemError(operation, .notADirectory, hint: "\(quoted(name)) is in the way")
            }
        }
        // A link or ".." may have ended a file's path at a directory.
        if !wantsDirectory { throw SystemError(operation, .isADirectory) }
        return current
    }

    private static func create(
        _ name: String, in directory: borrowing Descriptor, _ fileMode: mode_t?, _ directoryMode: mode_t,
        _ operation: String
    ) throws(SystemError) {
        let number = directory.rawValue
        do throws(SystemError) {
            try systemCall(operation) {
                if let fileMode { return unsafe mknodat(number, name, mode_t(S_IFREG) | fileMode, 0) }
                return unsafe mkdirat(number, name, directoryMode)
            }
        } catch {
            if error.errno != .fileExists { throw error }
        }
    }
}

/// The parts between a path's slashes.
private func components(_ path: String) -> [String] { path.split(separator: "/").map(String.init) }

/// `PROC_SUPER_MAGIC`.
private let procMagic: Int64 = 0x9fa0

/// The text of a symbolic link that was opened itself.
private func linkText(_ link: borrowing Descriptor, _ operation: String) throws(SystemError) -> String {
    let number = link.rawValue
    // The links of procfs have a text, but what they lead to is something else.
    if try systemCall(operation, { bh_file_system_magic(number) }) == procMagic {
        throw SystemError(operation, .tooManySymbolicLinks, hint: "a link of procfs is not followed")
    }
    var length = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
        length = unsafe readlinkat(number, "", buffer.baseAddress!, buffer.count)
        count = max(0, length)
    }
    if length < 0 { throw SystemError(operation, .current) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw SystemError(operation, Errno(rawValue: EILSEQ), hint: "a link's text is not UTF-8")
    }
    return text
}
