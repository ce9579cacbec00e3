import Glibc
import Linux

/// A container's directory below the state root: its record, its document, and the socket on which it waits for its
/// start. Whoever changes the container holds the directory's lock.
struct StateDirectory: ~Copyable {
    let path: String
    let directory: Descriptor

    static let recordName = "state.json"
    static let documentName = "config.json"
    static let startSocketName = "start.sock"

    /// Makes the directory of a new container and locks it. The directory's making is what claims the id.
    ///
    /// - Returns: nil when there is one already.
    static func make(_ id: String, in root: String) throws(ContainerError) -> StateDirectory? {
        let path = "\(root)/\(id)"
        do throws(SystemError) {
            if mkdir(path, 0o711) != 0 {
                let error = Errno.current
                if error == .fileExists { return nil }
                guard error == .noSuchFileOrDirectory else {
                    throw SystemError("make directory \(quoted(path))", error)
                }
                try makeDirectories(root)
                if mkdir(path, 0o711) != 0 {
                    if Errno.current == .fileExists { return nil }
                    throw SystemError("make directory \(quoted(path))", .current)
                }
            }
            let made = StateDirectory(path: path, directory: try .open(path, [.readOnly, .directory]))
            _ = try made.lock()
            return made
        } catch { throw ContainerError(error) }
    }

    /// Opens a container's directory.
    static func open(_ id: String, in root: String) throws(ContainerError) -> StateDirectory {
        let path = "\(root)/\(id)"
        do throws(SystemError) {
            return StateDirectory(path: path, directory: try .open(path, [.readOnly, .directory, .noFollow]))
        } catch {
            if error.errno == .noSuchFileOrDirectory {
                throw ContainerError(.doesNotExist, "container \(quoted(id)) does not exist")
            }
            throw ContainerError(error)
        }
    }

    /// Takes the lock; `flock(2)`.
    ///
    /// - Returns: whether it was free; false only if not asked to wait.
    func lock(waiting: Bool = true) throws(SystemError) -> Bool {
        let number = directory.rawValue
        do throws(SystemError) {
            try systemCall("lock \(quoted(path))") { flock(number, LOCK_EX | (waiting ? 0 : LOCK_NB)) }
            return true
        } catch {
            if !waiting && error.errno == .wouldBlock { return false }
            throw error
        }
    }

    /// Gives the lock up, also for copies of the descriptor that a child has inherited.
    func unlock() { _ = flock(directory.rawValue, LOCK_UN) }

    func read(_ name: String) throws(SystemError) -> [UInt8] {
        try directory.open(name, .readOnly, resolve: .beneath).readToEnd()
    }

    func exists(_ name: String) -> Bool { faccessat(directory.rawValue, name, F_OK, 0) == 0 }

    /// Replaces a file: readers see the old content or the new, never a part.
    func write(_ bytes: [UInt8], to name: String) throws(SystemError) {
        try prepare(bytes, for: name)
        try replace(name)
    }

    /// Writes a file that nobody looks for yet.
    func create(_ name: String, holding bytes: [UInt8]) throws(SystemError) {
        try directory.open(name, [.writeOnly, .create, .truncate, .noFollow], mode: 0o600).write(bytes)
    }

    /// The first half of a ``write(_:to:)``, which nobody sees yet.
    func prepare(_ bytes: [UInt8], for name: String) throws(SystemError) {
        try create(".\(name).new", holding: bytes)
    }

    /// The second half.
    func replace(_ name: String) throws(SystemError) {
        let new = ".\(name).new"
        // Exchanged and then removed, not renamed over: ext4 would write the new file to the disk at that, while the
        // container waits. Where files can't be exchanged, or there is no old one, a rename does.
        if (try? directory.exchange(new, with: name)) != nil { return removeFile(new) }
        let number = directory.rawValue
        try systemCall("rename \(quoted(new)) in \(quoted(path))") { renameat(number, new, number, name) }
    }

    func removeFile(_ name: String) { _ = unlinkat(directory.rawValue, name, 0) }

    /// Removes the directory with all it holds; the only directory in it is the one for ``ReadyNotification``.
    func remove() throws(SystemError) {
        let number = directory.rawValue
        // The record last: what has one can still be deleted.
        removeFile(Self.documentName)
        removeFile(Self.recordName)
        if rmdir(path) == 0 { return }
        _ = unlinkat(number, "\(Self.notifyName)/\(ReadyNotification.socketName)", 0)
        _ = unlinkat(number, Self.notifyName, AT_REMOVEDIR)
        for name in try entries() {
            try systemCall("remove \(quoted("\(path)/\(name)"))") { unlinkat(number, name, 0) }
        }
        if rmdir(path) != 0 && Errno.current != .noSuchFileOrDirectory {
            throw SystemError("remove directory \(quoted(path))", .current)
        }
    }

    private func entries() throws(SystemError) -> [String] { try names(in: path) }
}

/// The names in a directory, without `.` and `..`.
func names(in path: String) throws(SystemError) -> [String] {
    guard let stream = opendir(path) else { throw SystemError("list \(quoted(path))", .current) }
    defer { closedir(stream) }
    var result: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != "." && name != ".." { result.append(name) }
    }
    return result
}

/// Makes a directory and those above it; one that is there is fine.
func makeDirectories(_ path: String, mode: mode_t = 0o700) throws(SystemError) {
    if mkdir(path, mode) == 0 || Errno.current == .fileExists { return }
    let error = Errno.current
    guard error == .noSuchFileOrDirectory, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
        throw SystemError("make directory \(quoted(path))", error)
    }
    try makeDirectories(String(path[..<slash]), mode: mode)
    if mkdir(path, mode) != 0 && Errno.current != .fileExists {
        throw SystemError("make directory \(quoted(path))", .current)
    }
}
