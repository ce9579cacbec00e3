import CLinux
import Linux

/// Which ids of a new user namespace stand for which outside; `user_namespaces(7)`.
public struct IdentityMaps: Hashable, Sendable {
    /// A run of ids.
    public struct Range: Hashable, Sendable {
        public var inside: UInt32
        public var outside: UInt32
        public var count: UInt32

        public init(inside: UInt32, outside: UInt32, count: UInt32) {
            self.inside = inside
            self.outside = outside
            self.count = count
        }
    }

    /// Who writes the maps.
    public enum Writer: Hashable, Sendable {
        /// The parent: it has the capabilities over its own user namespace, or maps its own id alone.
        case parent
        /// The set-uid helpers of `newuidmap(1)`, which check `/etc/subuid` and `/etc/subgid`, by absolute paths.
        case helpers(newuidmap: String, newgidmap: String)
    }

    public var users: [Range]
    public var groups: [Range]
    /// `setgroups(2)` stays refused inside: what the kernel demands before an unprivileged process writes a gid map.
    public var deniesSetgroups: Bool
    public var writer: Writer

    public init(users: [Range], groups: [Range], deniesSetgroups: Bool = false, writer: Writer = .parent) {
        self.users = users
        self.groups = groups
        self.deniesSetgroups = deniesSetgroups
        self.writer = writer
    }

    func write(for pid: pid_t) throws(SystemError) {
        if deniesSetgroups { try writeText("deny", to: "/proc/\(pid)/setgroups") }
        switch writer {
        case .parent:
            try writeText(lines(groups), to: "/proc/\(pid)/gid_map")
            try writeText(lines(users), to: "/proc/\(pid)/uid_map")
        case .helpers(let newuidmap, let newgidmap):
            try run(newgidmap, ["newgidmap", "\(pid)"] + words(groups))
            try run(newuidmap, ["newuidmap", "\(pid)"] + words(users))
        }
    }

    private func words(_ ranges: [Range]) -> [String] {
        ranges.flatMap { ["\($0.inside)", "\($0.outside)", "\($0.count)"] }
    }

    private func lines(_ ranges: [Range]) -> String {
        ranges.map { "\($0.inside) \($0.outside) \($0.count)\n" }.joined()
    }

    /// Runs a helper to its end. posix_spawn(3) shares this process's memory until the helper runs: no Swift code runs
    /// in between.
    private func run(_ path: String, _ arguments: [String]) throws(SystemError) {
        let operation = arguments.joined(separator: " ")
        var pid: pid_t = 0
        let status = unsafe withCStrings(arguments) { argv in
            unsafe withCStrings([]) { environment in unsafe posix_spawn(&pid, path, nil, nil, argv, environment) }
        }
        if status != 0 { throw SystemError("run \(quoted(path))", Errno(rawValue: status)) }
        var result: CInt = 0
        while unsafe waitpid(pid, &result, 0) == -1 && Errno.current == .interrupted {}
        if result != 0 {
            throw SystemError(
                operation, .notPermitted, hint: "the helper refused: do /etc/subuid and /etc/subgid grant these ids?")
        }
    }
}

extension IdentityMaps: CustomStringConvertible {
    /// `uids 0→100000 (65536), gids 0→100000 (65536)`.
    public var description: String {
        func text(_ ranges: [Range]) -> String {
            ranges.map { "\($0.inside)→\($0.outside) (\($0.count))" }.joined(separator: " ")
        }
        return "uids \(text(users)), gids \(text(groups))" + (deniesSetgroups ? ", setgroups denied" : "")
    }
}

private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!) }
}
