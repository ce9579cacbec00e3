import Glibc
import Launch
import Linux
import TestSupport
import Testing

/// Every lesson runs as its reader runs it, and says what its text promises.
@Suite struct LessonTests {
    @Test(.needs(.root)) func first() throws {
        let lesson = try run("lesson-first")
        #expect(lesson.status == .exited(0))
        #expect(lesson.output == "host: compartment, /mnt: tmpfs\n")
    }

    /// The program in the README is the one that was compiled and tested.
    @Test func readmeShowsTheFirstLesson() throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
        let program = try readText("\(root)/Sources/Examples/Lessons/First/main.swift")
        #expect(try readText("\(root)/README.md").contains("```swift\n\(program)```"))
    }

    @Test func launch() throws {
        let lesson = try run("lesson-launch")
        #expect(lesson.status == .exited(0))
        #expect(lesson.says("clone the process in new namespaces: user, mount, pid, network, uts"))
        #expect(lesson.says("1  set the hostname to \"compartment\""))
        #expect(lesson.says("the child: user 0, process 1, on a host called compartment"))
        #expect(lesson.says("µs  find executable \"sh\""))
        #expect(
            lesson.says(
                "operation 1: enter directory \"/no/such/directory\": no such file or directory (ENOENT)"))
    }

    @Test(.needs(.root)) func namespaces() throws {
        let lesson = try run("lesson-namespaces")
        #expect(lesson.status == .exited(0))
        #expect(lesson.lines.count { $0.hasSuffix("   new") } == 3)
        #expect(lesson.says("Inside : the host is called \"bulkhead\", on /mnt is a tmpfs, rw,nosuid,nodev,noexec"))
        #expect(lesson.lines.contains { $0.hasPrefix("Outside: ") && $0.hasSuffix("on /mnt is nothing of ours") })
        #expect(!lesson.says("Outside: the host is called \"bulkhead\""))
    }

    @Test(.needs(.root), .needs(.controller("pids"))) func cgroups() throws {
        let lesson = try run("lesson-cgroups")
        #expect(lesson.status == .exited(0))
        #expect(lesson.says("  pids.max = 3"))
        #expect(lesson.says("Besides this program 2 could start. The next: Resource temporarily unavailable"))
        #expect(lesson.says("The kernel counts 3 of 3 processes, and 1 refusal."))
        #expect(lesson.says("Killed, and removed: nothing is left."))
        let made = lesson.lines.compactMap { $0.split(separator: " ").first { $0.hasPrefix("/bulkhead-lesson-") } }
        for name in made { #expect(access("/sys/fs/cgroup\(name.dropLast())", F_OK) != 0) }
        #expect(made.count == 1)
    }

    @Test func seccomp() throws {
        let lesson = try run("lesson-seccomp")
        #expect(lesson.status == .exited(0))
        #expect(lesson.says("ERRNO(EACCES)"))
        #expect(lesson.lines.contains { $0.hasPrefix("  socket(0x2") && $0.hasSuffix("ERRNO(EPERM)") })
        #expect(lesson.lines.contains { $0.hasPrefix("  socket(0x1") && $0.hasSuffix("ALLOW") })
        #expect(lesson.says("After (no new privileges: true):"))
        #expect(
            lesson.lines.last
                == "  mkdir: permission denied (EACCES); internet socket: operation not permitted (EPERM); local socket: ok"
        )
    }

    @Test(.needs(.root)) func capabilities() throws {
        let lesson = try run("lesson-capabilities")
        #expect(lesson.status == .exited(0))
        #expect(lesson.says("capabilities; chroot: ok"))
        #expect(
            lesson.says(
                "After:  CAP_KILL, CAP_NET_BIND_SERVICE, for user 0; chroot: operation not permitted (EPERM)"))
        #expect(lesson.says("the thread may not have CAP_SYS_CHROOT in its permitted set"))
        // Bits 5 and 10.
        #expect(lesson.says("CapEff:\t0000000000000420"))
        #expect(lesson.says("CapBnd:\t0000000000000420"))
    }

    #if arch(x86_64)
        @Test(.needs(.kvm)) func kvm() throws {
            let lesson = try run("lesson-kvm")
            #expect(lesson.status == .exited(0))
            // 18 characters, a read, a write to no memory, the end.
            #expect(
                lesson.output == """
                    hello from ring 0
                    at 0x8000 it says 42
                    21 exits, and rip is 20

                    """)
        }
    #endif

    @Test func virtio() throws {
        let lesson = try run("lesson-virtio")
        #expect(lesson.status == .exited(0))
        #expect(lesson.lines.first?.hasPrefix("Device 2 of version 2. It offers, bit 31 to 0: 1") == true)
        #expect(lesson.says("Features agreed on: true. The disk has 2 sectors."))
        #expect(lesson.says("It gave back 513 bytes, status 0, interrupt 1: \"hello from sector 0\""))
        #expect(lesson.lines.last?.hasPrefix("It needs a reset: ") == true)
        #expect(lesson.lines.count == 4)
    }

    @Test(.needs(.root), arguments: ["namespaces", "cgroups", "capabilities"])
    func saysInOneLineThatItNeedsRoot(_ name: String) throws {
        let lesson = try run("lesson-\(name)", as: 65534)
        #expect(lesson.status == .exited(1))
        #expect(lesson.lines.last?.hasPrefix("lesson-\(name): ") == true)
        #expect(lesson.lines.count { $0.hasPrefix("lesson-") } == 1)
    }
}

private struct LessonRun {
    var output: String
    var status: Linux.ExitStatus

    var lines: [Substring] { output.split(separator: "\n") }

    func says(_ text: String) -> Bool { output.contains(text) }
}

/// Runs a lesson that stands beside the test bundle, as a child with nothing but its output.
private func run(_ name: String, as user: uid_t? = nil) throws -> LessonRun {
    let pipe = try Pipe()
    let lesson = try Descriptor.open("\(try productsDirectory())/\(name)", .readOnly)
    var plan = LaunchPlan()
    plan.append(.duplicate(.inherited(pipe.writeEnd.rawValue), to: 1))
    plan.append(.duplicate(.inherited(pipe.writeEnd.rawValue), to: 2))
    if let user {
        plan.append(.groups([]))
        plan.append(.user(user, group: user))
    }
    plan.append(.closeDescriptors(from: 3, keeping: [lesson.rawValue]))
    // By descriptor: another user may not be able to walk to where this was built.
    plan.append(.findExecutable("/proc/self/fd/\(lesson.rawValue)", searchPath: []))
    plan.append(.execute(arguments: [name], environment: ["PATH=/bin:/usr/bin:/sbin:/usr/sbin"]))
    let process = try plan.launch()
    let readEnd = pipe.takeReadEnd()
    try process.waitUntilExecuted()
    let output = try readEnd.readToEnd()
    return LessonRun(output: String(decoding: output, as: UTF8.self), status: try process.wait())
}

/// Where SwiftPM puts what it builds, the test bundle among it.
private func productsDirectory() throws -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = try systemCall("readlink /proc/self/exe") { readlink("/proc/self/exe", &buffer, buffer.count) }
    let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
}
