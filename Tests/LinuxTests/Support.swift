import Glibc
import Linux
import Testing

/// A folder that is removed with all that is in it when the test ends.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/bulkhead-linux.XXXXXX\0".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!).map { String(cString: $0) } }
        path = try #require(made)
    }

    deinit {
        var status: CInt = 0
        if let pid = try? spawn(["/bin/rm", "-rf", path]) { waitpid(pid, &status, 0) }
    }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    func makeFolder(_ name: String) throws { try #require(mkdir(self(name), 0o755) == 0) }

    func makeLink(_ name: String, to target: String) throws { try #require(symlink(target, self(name)) == 0) }

    func makeFile(_ name: String, _ content: String = "") throws {
        try Descriptor.open(self(name), [.writeOnly, .create, .exclusive], mode: 0o644).write(content)
    }

    func open() throws -> Descriptor { try Descriptor.open(path, [.readOnly, .directory]) }
}

/// What is in a folder.
func names(in folder: String) -> [String] {
    var result: [String] = []
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
        result.append(
            withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return result
}

/// What the descriptors of this process lead to, by number. Tests run side by side, so a leak is looked for by a target
/// that no other test opens, not by counting.
func openFiles() -> [CInt: String] {
    var result: [CInt: String] = [:]
    for name in names(in: "/proc/self/fd") {
        guard let number = CInt(name) else { continue }
        var target = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/fd/\(name)", &target, target.count)
        if count > 0 {
            result[number] = String(decoding: target.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
    return result
}

/// How many descriptors of this process lead to a path.
func descriptors(leadingTo path: String) -> Int { openFiles().values.count { $0 == path } }

/// Starts a program by its path; the caller waits for it.
func spawn(_ words: [String]) throws -> pid_t {
    var pid: pid_t = 0
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    // The threads that run tests block signals, and a child inherits that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    try #require(posix_spawn(&pid, words[0], nil, &attributes, &arguments, environ) == 0)
    return pid
}

/// The error that the body throws; the test fails when it throws none.
func failure(_ body: () throws(SystemError) -> Void, _ location: SourceLocation = #_sourceLocation) -> SystemError? {
    do throws(SystemError) { try body() } catch { return error }
    Issue.record("expected a SystemError", sourceLocation: location)
    return nil
}
