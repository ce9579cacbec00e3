import Cgroups
import Containers
import Glibc
import Linux
import OCI
import Synchronization

/// A bundle with Debian's static busybox as its root file system, in a temporary folder that goes with the value.
///
/// What a container prints goes to the bundle's `out` file, which is bound at /out: the test process's own standard
/// output is shared with tests that run beside.
final class TestBundle {
    let folder: String
    /// No other bundle's, also on a machine on which others test: cgroups have the id in their names.
    let id: String
    var runtime: Runtime
    var configuration: Configuration
    var options: CreateOptions
    private let warned = Warnings()

    private static let made = Atomic(0)
    private static let applets = [
        "sh", "true", "false", "cat", "echo", "id", "ls", "mkdir", "mknod", "mount", "umount", "sleep", "hostname",
        "dd", "stat", "readlink", "test", "touch", "ps", "grep", "kill", "pwd", "env", "wc", "ip", "chroot", "head",
        "tail", "od", "tty", "stty", "nice", "nproc", "taskset", "chown", "chmod", "rm", "sort", "cut", "dnsdomainname",
        "ipcs", "ionice", "ln", "sed", "uname", "seq", "su", "awk", "tr",
    ]

    /// A container that runs a program.
    init(_ arguments: [String] = ["true"]) throws {
        var template = Array("/tmp/bulkhead-test.XXXXXX".utf8CString)
        guard template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else {
            throw SystemError("mkdtemp", .current)
        }
        folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        chmod(folder, 0o755)
        // No other one's begins so: what is left is found by its name.
        id = "bulkhead-test-\(getpid())-\(Self.made.add(1, ordering: .relaxed).newValue)-bundle"
        runtime = Runtime(stateRoot: "\(folder)/state")
        options = CreateOptions(bundle: folder)
        configuration = Configuration.template()
        configuration.process?.terminal = false
        configuration.process?.args = arguments
        configuration.hostname = "compartment"
        configuration.mounts.append(
            .init(destination: "/out", type: "bind", source: "\(folder)/out", options: ["bind", "rw"]))
        let warned = warned
        runtime.warn = { warned.add($0) }
        for directory in [
            "rootfs", "rootfs/bin", "rootfs/etc", "rootfs/tmp", "rootfs/proc", "rootfs/sys", "rootfs/dev",
        ] {
            mkdir("\(folder)/\(directory)", 0o755)
        }
        for file in ["out", "rootfs/out"] { try makeFile("\(folder)/\(file)", mode: 0o666) }
        try makeFile("\(folder)/rootfs/bin/busybox", try readFile("/bin/busybox"), mode: 0o755)
        for applet in Self.applets { symlink("busybox", "\(folder)/rootfs/bin/\(applet)") }
    }

    /// A container that runs a script of a shell's, whose output ``output`` holds.
    convenience init(script: String) throws {
        try self.init(["sh", "-c", "exec >>/out 2>&1\n\(script)"])
    }

    deinit { removeTree(folder) }

    var process: Configuration.Process {
        get { configuration.process! }
        set { configuration.process = newValue }
    }

    /// Root inside is user 100,000 outside.
    func mapUsers() {
        configuration.linux.namespaces.append(.init(.user))
        configuration.linux.uidMappings = [.init(containerID: 0, hostID: 100_000, size: 65536)]
        configuration.linux.gidMappings = [.init(containerID: 0, hostID: 100_000, size: 65536)]
    }

    var rootfs: String { "\(folder)/rootfs" }
    var warnings: [String] { warned.all }
    /// What the program has written so far.
    var output: String { (try? readText("\(folder)/out")) ?? "" }
    var lines: [String] { output.split(separator: "\n").map(String.init) }

    func write() throws {
        try makeFile("\(folder)/config.json", configuration.json.encodedBytes(), mode: 0o644)
        try makeFile("\(folder)/out", mode: 0o666)
    }

    /// A container that waits for its start.
    func create() throws -> Creation {
        try write()
        return try runtime.create(id, options)
    }

    /// A container whose program runs.
    func start() throws -> Creation {
        let creation = try create()
        do { try creation.container.start() } catch {
            try? runtime.delete(id, force: true)
            throw error
        }
        return creation
    }

    /// Runs the program to its end and returns what it wrote.
    @discardableResult
    func run() throws -> (status: ExitStatus, output: String) {
        try write()
        let creation = try runtime.prepareRun(id, options)
        try creation.start()
        let status = try creation.wait()
        try creation.container.delete()
        return (status, output)
    }

    /// Runs the program; what it wrote, line by line.
    func linesOfRun() throws -> [String] {
        try run()
        return lines
    }

    /// Why the container could not be created or started; nil when it could. It is gone in either case.
    func refusal() -> ContainerError? {
        do {
            try run()
            return nil
        } catch {
            return error as? ContainerError ?? ContainerError(.system, "another error: \(error)")
        }
    }

    /// Runs a shell's script in the container and returns what it wrote.
    func execute(
        _ script: String, _ options: ExecOptions = ExecOptions(),
        _ change: (inout Configuration.Process) -> Void = { _ in }
    ) throws -> (status: ExitStatus, output: String) {
        try makeFile("\(folder)/out", mode: 0o666)
        var process = process
        process.args = ["sh", "-c", "exec >>/out 2>&1\n\(script)"]
        change(&process)
        let status = try runtime.container(id).execute(process, options).wait()
        return (status, output)
    }

    /// Waits until the program has written a text.
    func waitForOutput(_ text: String) throws { try waitUntil("\"\(text)\" in \(output)") { output.contains(text) } }
}

/// Ends a container whatever state it is in, and reaps its process.
func discard(_ creation: borrowing Creation) {
    try? creation.container.delete(force: true)
    _ = try? creation.wait()
}

private final class Warnings: Sendable {
    private let messages = Mutex<[String]>([])
    func add(_ message: String) { messages.withLock { $0.append(message) } }
    var all: [String] { messages.withLock { $0 } }
}

struct NotInTime: Error, CustomStringConvertible {
    let description: String
}

func waitUntil(_ what: @autoclosure () -> String, _ condition: () -> Bool) throws {
    for _ in 0..<3000 {
        if condition() { return }
        usleep(10_000)
    }
    throw NotInTime(description: "waited 30 s for \(what())")
}

/// A file with this content and exactly this mode; an existing one is emptied first.
func makeFile(_ path: String, _ content: [UInt8] = [], mode: mode_t = 0o644) throws {
    try Descriptor.open(path, [.writeOnly, .create, .truncate], mode: mode).write(content)
    chmod(path, mode)
}

func makeFile(_ path: String, _ content: String, mode: mode_t = 0o644) throws {
    try makeFile(path, Array(content.utf8), mode: mode)
}

/// The names in a directory; none where there is no directory.
func names(in path: String) -> [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var result: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != "." && name != ".." { result.append(name) }
    }
    return result
}

/// Removes a folder with all below it, never following a link.
func removeTree(_ path: String) {
    for name in names(in: path) where unlink("\(path)/\(name)") != 0 { removeTree("\(path)/\(name)") }
    rmdir(path)
}
