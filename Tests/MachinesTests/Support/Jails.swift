#if arch(x86_64)
    import Glibc
    import Linux
    import Testing

    /// A folder for jails, which goes with all that is in it.
    final class Jails {
        let path: String

        init() throws {
            path = "/tmp/jails.\(getpid()).\(UInt32.random(in: 0...9999))"
            guard mkdir(path, 0o755) == 0 else { throw Errno.current }
        }

        deinit { _ = run("rm", "-rf", path) }

        /// The root of a jail, made by whoever puts files into it before there is a jail.
        func root(_ id: String) throws -> String {
            let root = "\(path)/bulkhead-vm/\(id)/root"
            guard run("mkdir", "-p", root) == 0 else { throw Errno.noSuchFileOrDirectory }
            return root
        }

        var isEmpty: Bool { names(in: path)?.isEmpty == true }
    }

    /// The first child of a process.
    func child(of pid: pid_t) throws -> pid_t {
        let text = try readText("/proc/\(pid)/task/\(pid)/children")
        return try #require(text.split(separator: " ").first.flatMap { pid_t($0) })
    }

    /// A line of `/proc/PID/status`: its words.
    func status(_ pid: pid_t, _ name: String) throws -> [String] {
        let lines = try readText("/proc/\(pid)/status").split(separator: "\n")
        let line = try #require(lines.first { $0.hasPrefix("\(name):") })
        return line.dropFirst(name.count + 1).split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// Where a symbolic link leads.
    func link(_ path: String) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        guard count >= 0 else { throw SystemError("readlink \(path)", .current) }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    /// Runs a program of the host's to its end.
    ///
    /// - Returns: its exit status.
    @discardableResult
    func run(_ words: String...) -> CInt {
        let copies = words.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var pid = pid_t()
        guard posix_spawnp(&pid, words[0], nil, nil, copies + [nil], environ) == 0 else { return -1 }
        var status: CInt = 0
        waitpid(pid, &status, 0)
        return status >> 8
    }
#endif
