import Glibc
import Linux
import TestSupport
import Testing

/// A run of the built `bulkhead-vm`, as a user starts it. What it writes goes to files, which go with the value; so does
/// the program, if it still runs.
final class Monitor {
    struct Outcome {
        /// The exit status; 128 + N by signal N.
        let status: CInt
        /// The signal that ended it.
        let signal: CInt?
        let out: String
        let err: String
    }

    let pid: pid_t
    private let scratch = Scratch()
    private let out: String
    private let err: String
    private var status: CInt?
    private var endingSignal: CInt?

    /// - Parameters:
    ///   - terminal: where its standard input and output are instead of nothing and a file.
    ///   - prefix: a program that starts it, with its arguments.
    ///   - program: another one of this package's.
    init(_ words: [String], terminal: CInt? = nil, prefix: [String] = [], program: String = "bulkhead-vm") throws {
        out = try scratch.file("out", [])
        err = try scratch.file("err", [])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let terminal {
            posix_spawn_file_actions_adddup2(&actions, terminal, 0)
            posix_spawn_file_actions_adddup2(&actions, terminal, 1)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY, 0)
        // A shell lets what it starts beside itself ignore some.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGHUP, SIGINT, SIGTERM] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        let line = prefix + [try builtProgram(program)] + words
        let copies = line.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var pid = pid_t()
        let error = posix_spawnp(&pid, line[0], &actions, &attributes, copies + [nil], environ)
        guard error == 0 else { throw SystemError("start \(line[0])", Errno(rawValue: error)) }
        self.pid = pid
    }

    deinit { if status == nil { end(SIGKILL) } }

    func signal(_ number: CInt) { kill(pid, number) }

    /// Waits for its end.
    func finish(sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        // Far above what a boot takes in an emulated machine.
        let isOver = eventually(150) {
            var raw: CInt = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return false }
            if raw & 0x7f != 0 { endingSignal = raw & 0x7f }
            status = endingSignal.map { 128 + $0 } ?? raw >> 8 & 0xff
            return true
        }
        if !isOver {
            Issue.record("the program does not end: \(said)", sourceLocation: sourceLocation)
            end(SIGKILL)
        }
        return Outcome(status: status ?? -1, signal: endingSignal, out: try readText(out), err: try readText(err))
    }

    /// Whether it has ended, without waiting for it.
    var hasEnded: Bool {
        var information = siginfo_t()
        return status != nil
            || (waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0
                && information._sifields._sigchld.si_pid == pid)
    }

    /// What it has complained of so far, and what its threads are at.
    var complaints: String {
        let threads = "cd /proc/\(pid)/task && for t in *; do cut -d ' ' -f 2-3,14-15 $t/stat; cat $t/wchan; echo; done"
        let path = scratch.path + "/threads"
        system("(\(threads)) >\(path) 2>&1")
        defer { unlink(path) }
        return ((try? readText(err)) ?? "") + ((try? readText(path)) ?? "")
    }

    /// What it has written to standard output so far.
    var said: String { (try? readText(out)) ?? "" }

    /// Waits until its output holds a text.
    func wait(for text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(eventually(150) { said.contains(text) }, "\(text) in \(said)", sourceLocation: sourceLocation)
    }

    private func end(_ number: CInt) {
        kill(pid, number)
        var raw: CInt = 0
        waitpid(pid, &raw, 0)
        status = 128 + number
    }
}

/// Runs `bulkhead-vm run` to its end.
func runMonitor(
    _ words: String..., prefix: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
) throws -> Monitor.Outcome {
    try Monitor(["run"] + words, prefix: prefix).finish(sourceLocation: sourceLocation)
}

extension Descriptor {
    /// Waits until there is something to read, or somebody to accept: not for ever, as what it waits for may have died.
    func waitReadable() throws {
        var polled = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, 150_000) > 0 else { throw SystemError("wait for descriptor \(rawValue)", .timedOut) }
    }

    /// What comes next; nothing at the end.
    func next(upTo count: Int = 256) throws -> [UInt8] {
        try waitReadable()
        return try read(upTo: count)
    }
}

/// Asks again and again, for so many seconds.
func eventually(_ seconds: Int, _ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<seconds * 50 {
        if try condition() { return true }
        usleep(20_000)
    }
    return try condition()
}

/// A program that was built along with this test, or the one that ships: $BULKHEAD_BIN says where that is.
func builtProgram(_ name: String) throws -> String {
    if let folder = getenv("BULKHEAD_BIN") { return "\(String(cString: folder))/\(name)" }
    let own = try #require(realpath("/proc/self/exe", nil))
    defer { free(own) }
    let path = String(cString: own)
    return "\(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])/\(name)"
}

/// What `scripts/vm-demo` boots: an initramfs and a disk; nil where it can't be made.
let demoFiles: String? = {
    let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    return system("\(root)/scripts/vm-demo --prepare") == 0 ? "\(root)/.build/vm-demo" : nil
}()
