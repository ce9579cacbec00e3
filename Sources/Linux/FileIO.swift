import CLinux

extension Descriptor {
    /// Reads up to `count` bytes from the current offset; empty at the end of the file; `read(2)`.
    public func read(upTo count: Int) throws(SystemError) -> [UInt8] {
        let number = rawValue
        var failure: SystemError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(SystemError) {
                initialized = try systemCall("read descriptor \(number)") {
                    unsafe CLinux.read(number, buffer.baseAddress, count)
                }
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Reads to the end of the file.
    ///
    /// - Parameter limit: the most bytes accepted.
    /// - Throws: `EFBIG` when the file holds more than `limit` bytes.
    public func readToEnd(limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
        precondition(limit >= 0, "a limit is never negative")
        // One byte more than the limit tells a file that is too long from one that just fits.
        let room = limit == .max ? limit : limit + 1
        var all = try read(upTo: Swift.min(4096, room))
        var more = all
        while !more.isEmpty {
            if all.count > limit {
                throw SystemError(
                    "read descriptor \(rawValue)", Errno(rawValue: EFBIG), hint: "more than \(limit) bytes")
            }
            more = try read(upTo: Swift.min(Swift.max(all.count, 4096), room - all.count))
            all += more
        }
        return all
    }

    /// Writes every byte; `write(2)` until done.
    public func write(_ bytes: [UInt8]) throws(SystemError) {
        let number = rawValue
        var offset = 0
        let count = bytes.count
        while offset < count {
            let written = try systemCall("write descriptor \(number)") {
                unsafe bytes.withUnsafeBytes { buffer in
                    unsafe CLinux.write(number, buffer.baseAddress?.advanced(by: offset), count - offset)
                }
            }
            offset += written
        }
    }

    /// Writes the text's UTF-8 bytes, in one `write(2)` where the kernel takes them whole: what files in `/proc`,
    /// `/sys` and cgroup file systems want.
    public func write(_ text: String) throws(SystemError) {
        try write(Array(text.utf8))
    }

    /// What `fstat(2)` says of the open file.
    public func status() throws(SystemError) -> FileStatus {
        let number = rawValue
        var raw = stat()
        try systemCall("fstat descriptor \(number)") { unsafe fstat(number, &raw) }
        return FileStatus(raw)
    }
}

/// The part of `stat(2)` by which a file is recognised.
public struct FileStatus: Hashable, Sendable {
    /// The device that holds the file, `st_dev`.
    public var device: UInt64
    /// The file's number on that device, `st_ino`.
    public var inode: UInt64
    /// Type and permission bits, `st_mode`.
    public var mode: mode_t
    /// The owner's user id.
    public var owner: uid_t
    /// The owning group's id.
    public var group: gid_t
    /// For a device node, the device it stands for, `st_rdev`.
    public var representedDevice: UInt64
    /// Bytes.
    public var size: Int64

    init(_ raw: stat) {
        device = UInt64(raw.st_dev)
        inode = UInt64(raw.st_ino)
        mode = raw.st_mode
        owner = raw.st_uid
        group = raw.st_gid
        representedDevice = UInt64(raw.st_rdev)
        size = Int64(raw.st_size)
    }

    /// The file's type, the `S_IFMT` part of the mode.
    public var type: mode_t { mode & mode_t(S_IFMT) }
    public var isDirectory: Bool { type == mode_t(S_IFDIR) }
    public var isRegularFile: Bool { type == mode_t(S_IFREG) }
    public var isCharacterDevice: Bool { type == mode_t(S_IFCHR) }
    public var isSymbolicLink: Bool { type == mode_t(S_IFLNK) }
}

/// Reads a whole small file, such as one in `/proc`.
public func readFile(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
    let file = try Descriptor.open(path, .readOnly)
    do throws(SystemError) { return try file.readToEnd(limit: limit) } catch {
        throw SystemError("read \(quoted(path))", error.errno, hint: error.hint)
    }
}

/// Reads a whole small file as text; bytes that are not UTF-8 are replaced.
public func readText(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> String {
    String(decoding: try readFile(path, limit: limit), as: UTF8.self)
}

/// Writes text to a file that exists, in one `write(2)`: for `/proc`, `/sys` and cgroup files.
public func writeText(_ text: String, to path: String) throws(SystemError) {
    let file = try Descriptor.open(path, .writeOnly)
    do throws(SystemError) { try file.write(text) } catch {
        throw SystemError("write \(quoted(text)) to \(quoted(path))", error.errno, hint: error.hint)
    }
}
