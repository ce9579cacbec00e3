import CLinux
import Linux

/// The two maps of a user namespace: user ids and group ids; `user_namespaces(7)`.
public struct IDMaps: Hashable, Sendable {
    public var users: IDMap
    public var groups: IDMap

    public init(users: IDMap, groups: IDMap) {
        self.users = users
        self.groups = groups
    }

    /// The maps of a process's user namespace, with the outside ids as the caller's own has them.
    ///
    /// - Throws: `ENOENT` when there is no such process.
    public static func ofProcess(_ pid: pid_t) throws(SystemError) -> IDMaps {
        func read(_ name: String) throws(SystemError) -> IDMap {
            let path = "/proc/\(pid)/\(name)"
            let text = try readText(path)
            do throws(IDMapError) { return try IDMap(parsing: text) } catch {
                throw SystemError("read \(quoted(path))", .invalidArgument, hint: "\(error)")
            }
        }
        return IDMaps(users: try read("uid_map"), groups: try read("gid_map"))
    }

    /// Gives a process's user namespace its maps, which can be done once.
    ///
    /// A caller with `CAP_SETUID` and `CAP_SETGID` in the parent user namespace may map any ids it has itself. Any other
    /// may map its own user and group id alone, the latter after `setgroups(2)` is denied; for more it needs the
    /// set-user-id programs of ``helperCommands(for:)``.
    ///
    /// - Parameters:
    ///   - process: a process in the user namespace.
    ///   - denyingSetgroups: whether processes in the namespace may never call `setgroups(2)`.
    /// - Throws: ``IDMapsError/invalid(_:)`` for maps that the kernel would refuse, nothing having been written;
    ///   ``IDMapsError/system(_:)`` with `EPERM` when the caller may not or a map was written before, and `ESRCH`
    ///   when the process has ended.
    public func write(
        to process: borrowing ProcessDescriptor, denyingSetgroups: Bool = false
    ) throws(IDMapsError) {
        do throws(IDMapError) {
            try users.validate()
            try groups.validate()
        } catch { throw .invalid(error) }
        do throws(SystemError) {
            let pid = try process.currentPID()
            let directory = try Descriptor.open("/proc/\(pid)", [.path, .directory])
            // Alive after the opening, so the directory is this process's.
            try process.send(signal: 0)
            if denyingSetgroups { try Self.write("deny", "setgroups", in: directory, pid) }
            try Self.write(groups.text, "gid_map", in: directory, pid)
            try Self.write(users.text, "uid_map", in: directory, pid)
        } catch { throw .system(error) }
    }

    /// The commands by which an unprivileged user has ids of `/etc/subuid` and `/etc/subgid` mapped, from Debian's
    /// package uidmap: program and arguments, to be run in any order; `newuidmap(1)`, `newgidmap(1)`.
    public func helperCommands(for pid: pid_t) -> [[String]] {
        func command(_ program: String, _ map: IDMap) -> [String] {
            [program, "\(pid)"] + map.entries.flatMap { ["\($0.inside)", "\($0.outside)", "\($0.count)"] }
        }
        return [command("newuidmap", users), command("newgidmap", groups)]
    }

    private static func write(
        _ text: String, _ name: String, in directory: borrowing Descriptor, _ pid: pid_t
    ) throws(SystemError) {
        do throws(SystemError) {
            try directory.open(name, .writeOnly).write(text)
        } catch {
            let shown = text.split(separator: "\n").joined(separator: "; ")
            throw SystemError(
                "write \(quoted(shown)) to \"/proc/\(pid)/\(name)\"", error.errno, hint: mapHint(error.errno, name))
        }
    }
}

private func mapHint(_ errno: Errno, _ name: String) -> String? {
    switch (errno, name) {
    case (.notPermitted, "setgroups"): "the group map is written already"
    case (.notPermitted, "gid_map"):
        "it was written before, or, without CAP_SETGID in the parent user namespace, maps more than the caller's own "
            + "group id or comes before setgroups is denied"
    case (.notPermitted, _):
        "it was written before, or, without CAP_SETUID in the parent user namespace, maps more than the caller's own "
            + "user id"
    case (.invalidArgument, _): "the map is not in the kernel's form"
    default: nil
    }
}

/// Why a user namespace could not be given its maps.
public enum IDMapsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kernel would refuse the map.
    case invalid(IDMapError)
    /// The kernel refused.
    case system(SystemError)

    public var description: String {
        switch self {
        case .invalid(let error): "\(error)"
        case .system(let error): "\(error)"
        }
    }
}
