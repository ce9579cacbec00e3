import Glibc
import Linux
import Namespaces

/// A program started for a test, ended and waited for with the value.
final class Child {
    let pid: pid_t
    private var ended = false

    /// Starts a program found on PATH.
    init(_ arguments: String...) throws {
        var pid: pid_t = 0
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        let failure = posix_spawnp(&pid, arguments[0], nil, nil, &pointers, environ)
        if failure != 0 { throw SystemError("spawn \(arguments[0])", Errno(rawValue: failure)) }
        self.pid = pid
    }

    /// Waits until the program has a namespace of this kind that is not the caller's.
    func waitUntilUnshared(_ kind: NamespaceKind) throws {
        let own = try Namespace.current(kind).identity
        for _ in 0..<500 {
            if try Namespace(kind, ofProcess: pid).identity != own { return }
            usleep(10_000)
        }
        throw SystemError("wait for \(kind) namespace of process \(pid)", .timedOut)
    }

    /// The first child of the program, once it has one.
    func firstChild() throws -> pid_t {
        for _ in 0..<500 {
            let text = try readText("/proc/\(pid)/task/\(pid)/children")
            if let child = text.split(separator: " ").first.flatMap({ pid_t($0) }) { return child }
            usleep(10_000)
        }
        throw SystemError("wait for a child of process \(pid)", .timedOut)
    }

    /// Waits for the end; the exit code, 128 + n after signal n.
    func wait() -> CInt {
        var status: CInt = 0
        while waitpid(pid, &status, 0) == -1 && errno == EINTR {}
        ended = true
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }

    deinit {
        if ended { return }
        kill(pid, SIGKILL)
        _ = wait()
    }
}
