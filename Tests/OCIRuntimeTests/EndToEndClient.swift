import Glibc
import Linux
import OCI
import Testing

/// A client of the built `bulkhead-oci`: a bundle of Debian's static busybox, a state root and an id of its own, all of
/// which go with the value.
final class Client {
    /// How a program ended, and what it wrote.
    struct Outcome {
        let status: CInt
        let out: String
        let err: String

        var outLines: [String] { lines(out) }
        var errLines: [String] { lines(err) }

        private func lines(_ text: String) -> [String] {
            text.split(separator: "\n", omittingEmptySubsequences: false).dropLast(text.hasSuffix("\n") ? 1 : 0)
                .map(String.init)
        }
    }

    let folder: String
    let id: String
    var configuration: Configuration
    /// Options before the command.
    var globalOptions: [String]

    var stateRoot: String { "\(folder)/state" }
    var bundle: String { "\(folder)/bundle" }
    var logFile: String { "\(folder)/log.json" }
    /// The container's cgroup.
    var cgroup: String { "\(cgroupMount)/\(id)" }

    private static let applets = [
        "sh", "true", "cat", "echo", "id", "ls", "mkdir", "mount", "sleep", "hostname", "readlink", "test", "touch",
        "kill", "pwd", "env", "stty", "tty", "head", "dd", "stat",
    ]

    init(_ arguments: [String] = ["sleep", "1000"]) throws {
        folder = try temporaryFolder()
        // The suffix that mkdtemp made is nobody else's, so the id and with it the cgroup is this value's alone.
        id = "e2e-\(getpid())-\(folder.suffix(6))"
        configuration = Configuration.template()
        configuration.process?.terminal = false
        configuration.process?.args = arguments
        globalOptions = ["--root", "\(folder)/state"]
        for directory in ["", "/rootfs", "/rootfs/bin", "/rootfs/tmp", "/rootfs/proc", "/rootfs/sys", "/rootfs/dev"] {
            mkdir("\(bundle)\(directory)", 0o755)
        }
        try writeFile(readFile("/bin/busybox"), to: "\(bundle)/rootfs/bin/busybox", mode: 0o755)
        for applet in Self.applets { symlink("busybox", "\(bundle)/rootfs/bin/\(applet)") }
    }

    deinit {
        if access(stateRoot, F_OK) == 0 {
            for name in (try? Client.names(in: stateRoot)) ?? [] { _ = try? run("delete", "--force", name) }
        }
        removeTree(folder)
    }

    /// Writes the document into the bundle.
    func write() throws { try write(configuration.json.encodedBytes()) }

    func write(_ document: [UInt8]) throws { try writeFile(document, to: "\(bundle)/config.json") }

    // MARK: Commands

    /// Runs `bulkhead-oci` to its end.
    func run(
        _ words: String..., input: [UInt8] = [], directory: String? = nil, environment: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Outcome {
        try spawn(words, input: input, directory: directory, environment: environment).finish(sourceLocation)
    }

    /// As ``run(_:input:directory:environment:sourceLocation:)``, and records an issue unless it succeeds silently on
    /// standard error.
    @discardableResult func succeed(
        _ words: String..., input: [UInt8] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let outcome = try spawn(words, input: input).finish(sourceLocation)
        #expect(outcome.status == 0, "\(words): \(outcome.err)", sourceLocation: sourceLocation)
        #expect(outcome.err == "", "\(words)", sourceLocation: sourceLocation)
        return outcome.out
    }

    /// Starts `bulkhead-oci` and goes on.
    func spawn(
        _ words: [String], input: [UInt8] = [], directory: String? = nil, environment: [String] = []
    ) throws -> RunningProgram {
        try RunningProgram(
            [try builtProgram("bulkhead-oci")] + globalOptions + words, folder: folder, input: input,
            directory: directory ?? bundle, environment: environment + ["BULKHEAD_E2E=\(id)"])
    }

    /// Writes the document and makes the container.
    func create(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try write()
        try succeed("create", "--bundle", bundle, id, sourceLocation: sourceLocation)
    }

    /// Writes the document, makes the container, and starts its program.
    func start(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try create(sourceLocation: sourceLocation)
        try succeed("start", id, sourceLocation: sourceLocation)
    }

    /// What `state` prints.
    func state() throws -> JSON { try JSON(parsing: try succeed("state", id)) }

    func status() throws -> String? { try state()["status"]?.stringValue }

    /// Waits until `state` shows this status.
    func wait(for status: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        // The container may not be there yet.
        let isReached = try eventually {
            let outcome = try run("state", id)
            guard outcome.status == 0 else { return false }
            return try JSON(parsing: outcome.out)["status"]?.stringValue == status
        }
        #expect(isReached, "not \(status)", sourceLocation: sourceLocation)
    }

    // MARK: What is left

    /// Everything of the container that can still be found on this machine.
    func leftovers() throws -> [String] {
        var found: [String] = []
        if access(stateRoot, F_OK) == 0 { found += try Client.names(in: stateRoot).map { "state \($0)" } }
        if access(cgroup, F_OK) == 0 { found.append("cgroup \(cgroup)") }
        // The state root's and the sockets' folders hold the name of this value's folder.
        found += try readText("/proc/self/mountinfo").split(separator: "\n").filter { $0.contains(folder) }
            .map { "mount \($0)" }
        return found + ownProcesses()
    }

    /// Processes of the container, of its hooks and of the runtime.
    private func ownProcesses() -> [String] {
        let pids = ((try? Client.names(in: "/proc")) ?? []).filter { Int32($0) != nil }
        return pids.compactMap { pid in
            // Kernel threads and zombies have no command line.
            guard let command = try? readText("/proc/\(pid)/cmdline"), !command.isEmpty else { return nil }
            func names(_ text: String) -> Bool { text.contains(id) || text.contains(folder) }
            func file(_ name: String) -> String { (try? readText("/proc/\(pid)/\(name)")) ?? "" }
            guard names(command) || names(file("cgroup")) || names(file("environ")) else { return nil }
            return "process \(pid) \(command)"
        }
    }

    /// Records an issue for all that is left of the container.
    func expectNothingLeft(sourceLocation: SourceLocation = #_sourceLocation) throws {
        var left: [String] = []
        _ = try eventually {
            left = try leftovers()
            return left.isEmpty
        }
        #expect(left == [], sourceLocation: sourceLocation)
    }

    /// Records an issue unless a command fails as runc's callers know it: status 1, one line on standard error, the
    /// same one as the last error in the log, nothing on standard output, and nothing left behind.
    func expectFailure(
        _ words: String..., status: CInt = 1, message: String, leavesNothing: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        unlink(logFile)
        let outcome = try RunningProgram(
            [try builtProgram("bulkhead-oci"), "--log", logFile, "--log-format", "json"] + globalOptions + words,
            folder: folder, directory: bundle, environment: ["BULKHEAD_E2E=\(id)"]
        ).finish(sourceLocation)
        #expect(outcome.status == status, sourceLocation: sourceLocation)
        #expect(outcome.out == "", sourceLocation: sourceLocation)
        #expect(outcome.errLines.count == 1, "\(outcome.err)", sourceLocation: sourceLocation)
        #expect(outcome.err.contains(message), "\(outcome.err)", sourceLocation: sourceLocation)
        let entry = try readText(logFile).split(separator: "\n").last.map { try JSON(parsing: String($0)) }
        #expect(entry?["level"]?.stringValue == "error", sourceLocation: sourceLocation)
        let logged = entry?["msg"]?.stringValue ?? "nothing"
        #expect(outcome.err == "bulkhead-oci: \(logged)\n", sourceLocation: sourceLocation)
        #expect(entry?["time"]?.stringValue?.hasSuffix("Z") == true, sourceLocation: sourceLocation)
        if leavesNothing { try expectNothingLeft(sourceLocation: sourceLocation) }
    }

    static func names(in path: String) throws -> [String] {
        guard let stream = opendir(path) else { throw SystemError("list \(path)", .current) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// A program that was started; its standard output and error go to files, for a container's process may hold them open
/// long after the runtime has ended.
final class RunningProgram {
    let pid: pid_t
    private let outFile: String
    private let errFile: String
    private var isReaped = false

    /// - Parameters:
    ///   - folder: for the files of its output.
    ///   - terminal: a terminal's path: its standard input, output and error, and its controlling terminal.
    init(
        _ words: [String], folder: String, input: [UInt8] = [], directory: String = "/", environment: [String] = [],
        terminal: String? = nil
    ) throws {
        var template = Array("\(folder)/io.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", .current) }
        let place = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        outFile = "\(place)/out"
        errFile = "\(place)/err"
        try writeFile(input, to: "\(place)/in")

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let terminal {
            for number: CInt in 0...2 { posix_spawn_file_actions_addopen(&actions, number, terminal, O_RDWR, 0) }
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "\(place)/in", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, outFile, O_WRONLY | O_CREAT | O_APPEND, 0o666)
            posix_spawn_file_actions_addopen(&actions, 2, errFile, O_WRONLY | O_CREAT | O_APPEND, 0o666)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A session of its own (POSIX_SPAWN_SETSID), and no signal blocked or ignored that the test process does.
        posix_spawnattr_setflags(
            &attributes, Int16(0x80) | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)

        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        let library = getenv("LD_LIBRARY_PATH").map { ["LD_LIBRARY_PATH=\(String(cString: $0))"] } ?? []
        var pid: pid_t = 0
        // posix_spawn(3) can't change the directory without GNU's extensions, which Glibc's module does not show.
        let shell = ["/bin/busybox", "sh", "-c", "cd \"$0\" && exec \"$@\"", directory]
        let error = withCStrings(shell + words) { arguments in
            withCStrings(["PATH=\(path)"] + library + environment) { environment in
                posix_spawnp(&pid, shell[0], &actions, &attributes, arguments, environment)
            }
        }
        guard error == 0 else { throw SystemError("spawn \(words[0])", Errno(rawValue: error)) }
        self.pid = pid
    }

    deinit {
        if isReaped { return }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    /// What it has written so far.
    var out: String { (try? readText(outFile)) ?? "" }
    var err: String { (try? readText(errFile)) ?? "" }

    /// Waits for its end; one that takes too long is ended, and recorded as an issue.
    func finish(_ sourceLocation: SourceLocation = #_sourceLocation) throws -> Client.Outcome {
        let process = try ProcessDescriptor(pid: pid)
        if try !process.waitForExit(timeoutMilliseconds: 60_000) {
            Issue.record("it still runs after 60 s; it wrote \(out) \(err)", sourceLocation: sourceLocation)
            try process.send(signal: SIGKILL)
        }
        var status: CInt = 0
        try systemCall("waitpid") { waitpid(pid, &status, 0) }
        isReaped = true
        let signal = status & 0x7f
        return Client.Outcome(status: signal == 0 ? status >> 8 & 0xff : -signal, out: out, err: err)
    }
}

private func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies + [nil])
}

/// A program that was built along with this test, or the one that ships: $BULKHEAD_BIN says where that is.
func builtProgram(_ name: String) throws -> String {
    if let folder = getenv("BULKHEAD_BIN") { return "\(String(cString: folder))/\(name)" }
    let own = try #require(realpath("/proc/self/exe", nil))
    defer { free(own) }
    let path = String(cString: own)
    return "\(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])/\(name)"
}

/// Where this machine's cgroup2 file system is: at `/sys/fs/cgroup`, or beside version 1's.
var cgroupMount: String {
    access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified"
}

/// Asks again and again, for 20 seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<1000 {
        if try condition() { return true }
        usleep(20_000)
    }
    return try condition()
}

func temporaryFolder() throws -> String {
    var template = Array("/tmp/bulkhead-e2e.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", .current) }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    chmod(folder, 0o755)
    return folder
}

func writeFile(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws {
    try Descriptor.open(path, [.writeOnly, .create, .truncate], mode: mode).write(bytes)
}

func writeFile(_ text: String, to path: String, mode: mode_t = 0o644) throws {
    try writeFile(Array(text.utf8), to: path, mode: mode)
}

/// Removes a folder with all below it, never following a link.
func removeTree(_ path: String) {
    for name in (try? Client.names(in: path)) ?? [] where unlink("\(path)/\(name)") != 0 {
        removeTree("\(path)/\(name)")
    }
    rmdir(path)
}
