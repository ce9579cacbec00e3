import CLinux
import Linux
import Synchronization
import TestSupport
import Testing

@testable import Cgroups

extension Trait where Self == ConditionTrait {
    /// Skips the test where there is no cgroup2 file system to make cgroups in; one beside version 1 will do.
    static var needsSomeCgroup2: Self {
        .enabled(
            if: insideTestVM || (geteuid() == 0 && (try? CgroupHierarchy.find()) != nil),
            "needs root and a cgroup2 file system")
    }
}

private let counter = Atomic<Int>(0)

/// A path in the hierarchy that no other test uses.
func uniquePath() -> String {
    let number = counter.add(1, ordering: .relaxed).newValue
    return "/bulkhead-cgroup-test-\(getpid())-\(number)"
}

/// Makes a cgroup of its own for a test, and removes it with all that is in it.
func withCgroup(
    controllers: [Controller] = [], _ body: (borrowing Cgroup) throws -> Void
) throws {
    let hierarchy = try CgroupHierarchy.find()
    let cgroup = try hierarchy.create(uniquePath(), controllers: controllers)
    do { try body(cgroup) } catch {
        try? cgroup.remove(killing: true)
        throw error
    }
    try cgroup.remove(killing: true)
}

/// A folder with empty files, as if it were a cgroup's.
final class Fixture {
    let path: String
    private var names: Set<String> = []

    init(_ files: [String: String]) throws {
        var template = Array("/tmp/bulkhead-cgroups-XXXXXX".utf8CString)
        try #require(template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) } != nil)
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        for (name, text) in files { try put(text, in: name) }
    }

    func put(_ text: String, in name: String) throws {
        names.insert(name)
        let file = try Descriptor.open("\(path)/\(name)", [.writeOnly, .create, .truncate], mode: 0o644)
        try file.write(text)
    }

    func text(_ name: String) throws -> String { try readText("\(path)/\(name)") }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

/// A program started by a test; killed and reaped when the test lets go of it.
final class Program {
    let pid: pid_t
    private let handle: ProcessDescriptor
    private var status: Linux.ExitStatus?

    init(_ arguments: [String], in cgroup: String? = nil) throws {
        var arguments = arguments
        if let cgroup {
            // The shell moves itself before it becomes the program, so that all the program does is charged.
            arguments =
                ["/bin/sh", "-c", "echo $$ >\"$0\"/cgroup.procs && exec \"$@\"", cgroup] + arguments
        }
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var environment = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
        defer { free(environment[0]) }
        var started: pid_t = 0
        let errno = posix_spawn(&started, arguments[0], nil, nil, &pointers, &environment)
        try #require(errno == 0, "posix_spawn \(arguments): \(Errno(rawValue: errno))")
        pid = started
        handle = try ProcessDescriptor(pid: started)
    }

    /// Runs a shell's command line in a cgroup.
    convenience init(shell line: String, in cgroup: String? = nil) throws {
        try self.init(["/bin/sh", "-c", line], in: cgroup)
    }

    func wait(timeoutMilliseconds: CInt = 60_000) throws -> Linux.ExitStatus {
        if let status { return status }
        try #require(try handle.waitForExit(timeoutMilliseconds: timeoutMilliseconds), "the program does not end")
        let ended = try handle.wait()
        status = ended
        return ended
    }

    var isRunning: Bool { (try? handle.hasExited()) == false }

    deinit {
        guard status == nil else { return }
        try? handle.send(signal: SIGKILL)
        _ = try? handle.wait()
    }
}

/// Waits for something that no descriptor tells of.
func eventually(_ milliseconds: Int = 10_000, _ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<milliseconds / 10 {
        if try condition() { return true }
        poll(nil, 0, 10)
    }
    return try condition()
}

/// How many of this process's descriptors lead to a path with this text in it.
func openDescriptors(of text: String) -> Int {
    (0..<1024).filter { number in
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes {
            readlink("/proc/self/fd/\(number)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), 4096)
        }
        return count > 0 && String(decoding: buffer[..<count], as: UTF8.self).contains(text)
    }.count
}

/// Repeatable chance.
struct Chance: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
