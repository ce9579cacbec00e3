import Glibc
import Launch
import Linux
import TestSupport
import Testing

@Suite struct LaunchTests {
    @Test func runsAProgramAndTellsHowItEnded() throws {
        var plan = LaunchPlan()
        plan.append(.findExecutable("sh", searchPath: ["/nonexistent", "/bin"]))
        plan.append(.execute(arguments: ["sh", "-c", "exit 42"], environment: []))
        let process = try plan.launch()
        #expect(try process.next() == .executed)
        #expect(try process.wait() == .exited(42))
    }

    @Test func namesTheOperationThatFailed() throws {
        var plan = LaunchPlan()
        plan.append(.umask(0o22))
        plan.append(.findExecutable("/no/such/program", searchPath: []))
        plan.append(.execute(arguments: ["program"], environment: []))
        let process = try plan.launch()
        let error = #expect(throws: LaunchError.self) { try process.waitUntilExecuted() }
        #expect(error?.operationIndex == 1)
        #expect(error?.errno == .noSuchFileOrDirectory)
        #expect(
            error?.description
                == "operation 1: find executable \"/no/such/program\": no such file or directory (ENOENT)")
        // Reaped: nothing of the child is left to wait for.
        #expect(throws: SystemError.self) { try process.wait() }
    }

    @Test(.needs(.root)) func bornIntoNewNamespaces() throws {
        let pipe = try Pipe()
        var plan = LaunchPlan()
        plan.newNamespaces = [.uts, .pid, .mount, .ipc, .network]
        plan.append(.hostname("compartment"))
        plan.append(.loopbackUp)
        plan.append(.duplicate(.inherited(pipe.writeEnd.rawValue), to: 1))
        plan.append(.closeDescriptors(from: 3, keeping: []))
        plan.append(.findExecutable("/bin/sh", searchPath: []))
        plan.append(.execute(arguments: ["sh", "-c", "echo $$ $(uname -n)"], environment: ["PATH=/bin:/usr/bin"]))
        let process = try plan.launch()
        try process.waitUntilExecuted()
        #expect(try process.wait() == .exited(0))
        #expect(String(decoding: try pipe.readEnd.read(upTo: 100), as: UTF8.self) == "1 compartment\n")
    }

    @Test(.needs(.root)) func mapsAUserNamespace() throws {
        let pipe = try Pipe()
        var plan = LaunchPlan()
        plan.newNamespaces = [.user]
        plan.identityMaps = IdentityMaps(
            users: [.init(inside: 0, outside: 100_000, count: 65536)],
            groups: [.init(inside: 0, outside: 100_000, count: 65536)])
        plan.append(.user(0, group: 0))
        plan.append(.duplicate(.inherited(pipe.writeEnd.rawValue), to: 1))
        plan.append(.findExecutable("/bin/cat", searchPath: []))
        plan.append(.execute(arguments: ["cat", "/proc/self/uid_map"], environment: []))
        let process = try plan.launch()
        try process.waitUntilExecuted()
        #expect(try process.wait() == .exited(0))
        let words = String(decoding: try pipe.readEnd.read(upTo: 100), as: UTF8.self).split(
            whereSeparator: \.isWhitespace)
        #expect(words == ["0", "100000", "65536"])
    }
}
