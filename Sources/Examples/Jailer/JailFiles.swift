import Glibc
import Linux

/// The jail's directories and the monitor's copy, and the way back: what was made here goes again when a later step fails,
/// and what was there before is as it was.
///
/// The path down to the jail is the host's own. What is in the jail may be the work of an earlier monitor: it is reached
/// from the root's descriptor, and never by a link.
final class JailFiles {
    private let jail: Jail
    private let root: Descriptor
    private var undo: [Change]

    /// What was done, as it is undone.
    private enum Change {
        /// A directory on the way to the jail.
        case made(String)
        /// A file or directory in the jail.
        case added(String, isDirectory: Bool)
        /// A directory in the jail, or its root (empty), that was somebody else's.
        case owned(String, FileStatus)
    }

    /// Makes them. The monitor's copy is the claim: whoever makes it has the id.
    init(_ jail: Jail) throws(Failure) {
        self.jail = jail
        var made: [Change] = []
        do throws(Failure) {
            try Self.makePath(jail.root, &made)
            root = try attempt { () throws(SystemError) in
                try Descriptor.open(jail.root, [.readOnly, .directory, .noFollow])
            }
        } catch {
            Self.removePaths(made)
            throw error
        }
        undo = made
        do throws(Failure) {
            try copyMonitor()
            try own("")
            for directory in Jail.directories { try makeDirectory(directory) }
            // The child makes them, and may fail behind some.
            for device in jail.devices where !exists(device.path) {
                undo.append(.added(device.path, isDirectory: false))
            }
        } catch {
            rollBack()
            throw error
        }
    }

    /// Leaves the process's id where those look who did not start it.
    func writePid(_ pid: pid_t) throws(Failure) {
        let file = "\(jail.name).pid"
        try attempt("write \(quoted("/" + file)) in the jail") { () throws(SystemError) in
            let opened = try root.open(
                file, [.writeOnly, .create, .exclusive, .noFollow], mode: 0o644, resolve: [.beneath, .noSymbolicLinks])
            undo.append(.added(file, isDirectory: false))
            try opened.write("\(pid)")
        }
    }

    /// Undoes all, last first. What can't be undone stays.
    func rollBack() {
        for change in undo.reversed() {
            switch change {
            case .made(let path): rmdir(path)
            case .added(let path, let isDirectory):
                do throws(SystemError) {
                    let place = try parent(of: path)
                    unlinkat(place.directory.rawValue, place.name, isDirectory ? AT_REMOVEDIR : 0)
                } catch { continue }
            case .owned(let path, let before):
                do throws(SystemError) {
                    let directory = try open(path)
                    fchown(directory.rawValue, before.owner, before.group)
                    fchmod(directory.rawValue, before.mode & 0o7777)
                } catch { continue }
            }
        }
        undo = []
    }

    // MARK: - Steps

    private static func makePath(_ path: String, _ made: inout [Change]) throws(Failure) {
        var missing = [path]
        while let next = missing.last {
            if mkdir(next, next == path ? 0o700 : 0o755) == 0 {
                made.append(.made(next))
                missing.removeLast()
                continue
            }
            switch Errno.current {
            case .fileExists: missing.removeLast()
            case .noSuchFileOrDirectory where next.count > 1 && made.isEmpty:
                missing.append(String(next[..<next.lastIndex(of: "/")!]))
            case let errno: throw Failure("make directory \(quoted(next)): \(errno)")
            }
        }
    }

    private static func removePaths(_ made: [Change]) {
        for case .made(let path) in made.reversed() { rmdir(path) }
    }

    private func copyMonitor() throws(Failure) {
        do throws(SystemError) {
            let source = try Descriptor.open(jail.executable, .readOnly)
            let target = try root.open(
                jail.name, [.writeOnly, .create, .exclusive, .noFollow], mode: 0o755,
                resolve: [.beneath, .noSymbolicLinks])
            undo.append(.added(jail.name, isDirectory: false))
            while true {
                let bytes = try source.read(upTo: 1 << 20)
                if bytes.isEmpty { break }
                try target.write(bytes)
            }
            // Whatever the umask is.
            fchmod(target.rawValue, 0o755)
        } catch {
            if error.errno == .fileExists {
                throw Failure(
                    "--id: \(quoted(jail.arguments.id)) is in use: \(quoted(jail.root)) has a monitor already")
            }
            throw Failure("copy the monitor: \(error)")
        }
    }

    private func makeDirectory(_ path: String) throws(Failure) {
        try attempt("make \(quoted(path)) in the jail") { () throws(SystemError) in
            let place = try parent(of: path)
            if mkdirat(place.directory.rawValue, place.name, 0o700) == 0 {
                undo.append(.added(path, isDirectory: true))
            } else if Errno.current != .fileExists {
                throw SystemError("mkdirat", .current)
            }
        }
        try own(path)
    }

    /// Makes a directory the monitor's, and nobody else's.
    private func own(_ path: String) throws(Failure) {
        try attempt("own \(quoted("/" + path)) in the jail") { () throws(SystemError) in
            let directory = try open(path)
            undo.append(.owned(path, try directory.status()))
            guard fchown(directory.rawValue, jail.arguments.user, jail.arguments.group) == 0,
                fchmod(directory.rawValue, 0o700) == 0
            else { throw SystemError("fchown", .current) }
        }
    }

    // MARK: - Places in the jail

    private func open(_ path: String) throws(SystemError) -> Descriptor {
        try root.open(
            path.isEmpty ? "." : path, [.readOnly, .directory, .noFollow], resolve: [.beneath, .noSymbolicLinks])
    }

    private func parent(of path: String) throws(SystemError) -> Place {
        guard let slash = path.lastIndex(of: "/") else { return Place(directory: try open(""), name: path) }
        return Place(
            directory: try open(String(path[..<slash])), name: String(path[path.index(after: slash)...]))
    }

    private func exists(_ path: String) -> Bool {
        do throws(SystemError) {
            let place = try parent(of: path)
            var status = stat()
            return fstatat(place.directory.rawValue, place.name, &status, AT_SYMLINK_NOFOLLOW) == 0
        } catch { return false }
    }
}

/// A name in a directory that is held.
private struct Place: ~Copyable {
    var directory: Descriptor
    var name: String
}
