import CLinux
import Linux

/// The mounts of a mount namespace, as far as a process's root reaches; `/proc/PID/mountinfo`.
public struct MountTable: Hashable, Sendable {
    /// The mounts in the kernel's order: what was mounted earlier comes first.
    public var mounts: [MountInfo]

    /// The calling thread's mounts.
    public static func current() throws(SystemError) -> MountTable { try read("/proc/thread-self/mountinfo") }

    /// A process's mounts.
    ///
    /// - Throws: `ENOENT` when there is no such process, `EACCES` without ptrace access to it.
    public static func ofProcess(_ pid: pid_t) throws(SystemError) -> MountTable { try read("/proc/\(pid)/mountinfo") }

    /// Reads the file's form.
    ///
    /// - Throws: ``MalformedMountTable`` with the first line that is not of it.
    public init(parsing bytes: [UInt8]) throws(MalformedMountTable) {
        mounts = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty { continue }
            guard let mount = MountInfo(line: line) else { throw MalformedMountTable(line: index + 1) }
            mounts.append(mount)
        }
    }

    private static func read(_ path: String) throws(SystemError) -> MountTable {
        let bytes = try readFile(path, limit: 64 << 20)
        do throws(MalformedMountTable) { return try MountTable(parsing: bytes) } catch {
            throw SystemError("read \(quoted(path))", .invalidArgument, hint: "\(error)")
        }
    }

    /// The topmost mount at a path: the one that is seen there. The path is taken as it is, without following links.
    public func mount(at path: String) -> MountInfo? {
        let bytes = Array(path.utf8)
        let candidates = mounts.filter { $0.mountPoint == bytes }
        let covered = Set(candidates.map { $0.parentID })
        // Of mounts stacked on one point each is the parent of the next.
        return candidates.last { !covered.contains($0.id) || $0.id == $0.parentID } ?? candidates.last
    }

    /// The mounts at a path and below it, in the kernel's order.
    public func mounts(below path: String) -> [MountInfo] {
        let bytes = Array(path.utf8)
        return mounts.filter {
            $0.mountPoint == bytes || path == "/"
                || ($0.mountPoint.starts(with: bytes) && $0.mountPoint[bytes.count] == UInt8(ascii: "/"))
        }
    }
}

/// A mount table in which a line can't be read.
public struct MalformedMountTable: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line's number, from 1.
    public var line: Int

    public init(line: Int) { self.line = line }

    public var description: String { "mountinfo, line \(line): not in the kernel's form" }
}
