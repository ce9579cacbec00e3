import Glibc
import Linux
import Namespaces
import Testing

/// Runs a body on a thread of its own, in a mount namespace and with a descriptor table of its own, and checks that it
/// leaves no descriptor open. What it mounts, nobody else sees, and it is gone with the thread.
///
/// An `#expect` on such a thread would not know its test: the body returns what is to be judged, or throws.
func onPrivateThread<Value: Sendable>(
    unsharing kinds: NamespaceKinds = .mount, _ body: @escaping @Sendable () throws -> Value
) throws -> Value {
    let outcome = try runOnThread {
        try unshareDescriptors()
        try Namespace.unshare(kinds)
        if kinds.contains(.mount) {
            try Mount.setPropagation(
                MountPropagation(.private, recursive: true), of: try Descriptor.open("/", [.path]))
        }
        let before = try openDescriptors()
        let value = try body()
        return (value, leaked: try openDescriptors().subtracting(before))
    }
    #expect(outcome.leaked.isEmpty)
    return outcome.0
}

/// Runs a body on a thread of its own and waits for it.
func runOnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let job = Job(body)
    var thread = pthread_t()
    let failure = pthread_create(&thread, nil, runJob, Unmanaged.passRetained(job).toOpaque())
    if failure != 0 {
        Unmanaged.passUnretained(job).release()
        throw SystemError("pthread_create", Errno(rawValue: failure))
    }
    pthread_join(thread, nil)
    return try #require(job.outcome as? Result<Value, any Error>).get()
}

private final class Job: @unchecked Sendable {
    var outcome: Any?
    let run: (Job) -> Void

    init<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) {
        run = { job in job.outcome = Result<Value, any Error> { try body() } }
    }
}

private nonisolated func runJob(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let job = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
    job.run(job)
    return nil
}

/// The calling thread's open descriptors with what they lead to.
func openDescriptors() throws -> Set<String> {
    var found: Set<String> = []
    for number in 0..<CInt(1024) where fcntl(number, F_GETFD) != -1 {
        let status = try Descriptor(owning: dup(number)).status()
        found.insert("\(number) → \(status.device):\(status.inode)")
    }
    return found
}

/// An empty directory, removed with all below it when the body ends.
func withTemporaryDirectory<Value>(_ body: (String) throws -> Value) throws -> Value {
    var template = Array("/tmp/bulkhead-ns-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", .current) }
    let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    defer { removeTree(path) }
    return try body(path)
}

private func removeTree(_ path: String) {
    // Links are removed, not followed: unlink refuses only directories.
    if unlink(path) == 0 { return }
    if let directory = opendir(path) {
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { removeTree("\(path)/\(name)") }
        }
        closedir(directory)
    }
    rmdir(path)
}

func makeDirectory(_ path: String, mode: mode_t = 0o755) throws {
    try systemCall("mkdir \(quoted(path))") { mkdir(path, mode) }
}

func makeFile(_ path: String, _ text: String = "") throws {
    let file = try Descriptor.open(path, [.create, .writeOnly, .truncate], mode: 0o644)
    try file.write(text)
}

func makeLink(_ path: String, to target: String) throws {
    try systemCall("symlink \(quoted(path))") { symlink(target, path) }
}

/// The error that a body throws; nil when it throws none.
func refusal(_ body: () throws -> Void) -> SystemError? {
    do { try body() } catch { return error as? SystemError }
    return nil
}
