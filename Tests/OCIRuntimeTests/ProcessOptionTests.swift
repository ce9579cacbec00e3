import Glibc
import OCI
import Testing

@testable import bulkhead_oci

@Suite struct ProcessOptionTests {
    private func process(
        _ words: [String], on base: Configuration.Process = Self.base
    ) throws -> Configuration.Process {
        let arguments = try Command.exec.parse(words)
        return try ProcessOptions.process(arguments) { base }
    }

    private static var base: Configuration.Process {
        var process = Configuration.Process(args: ["init"], cwd: "/home")
        process.terminal = true
        process.consoleSize = .init(height: 1, width: 2)
        process.env = ["PATH=/bin", "A=1"]
        process.user = .init(uid: 5, gid: 6)
        process.user.additionalGids = [7]
        process.rlimits = [.init(type: .openFiles, soft: 1, hard: 2)]
        var capabilities = Configuration.Process.Capabilities()
        capabilities.bounding = ["CAP_KILL"]
        capabilities.inheritable = ["CAP_CHOWN"]
        process.capabilities = capabilities
        return process
    }

    @Test func theContainersProcessIsTheStart() throws {
        var expected = Self.base
        expected.args = ["ls", "-l"]
        expected.terminal = false
        expected.consoleSize = nil
        #expect(try process(["id", "ls", "-l"]) == expected)
    }

    @Test func optionsChangeIt() throws {
        let changed = try process([
            "-t", "-e", "A=2", "-e", "B=x=y", "-u", "8:9", "-g", "10", "--cap", "CAP_CHOWN", "--cwd", "/tmp",
            "--no-new-privs", "--apparmor", "p", "--process-label", "l", "id", "sh",
        ])
        #expect(changed.terminal && changed.noNewPrivileges && changed.cwd == "/tmp")
        #expect(changed.env == ["PATH=/bin", "A=2", "B=x=y"])
        #expect(changed.user.uid == 8 && changed.user.gid == 9 && changed.user.additionalGids == [7, 10])
        #expect(changed.capabilities?.bounding == ["CAP_KILL", "CAP_CHOWN"])
        #expect(changed.capabilities?.effective == ["CAP_CHOWN"] && changed.capabilities?.permitted == ["CAP_CHOWN"])
        #expect(changed.capabilities?.ambient == ["CAP_CHOWN"])
        #expect(changed.apparmorProfile == "p" && changed.selinuxLabel == "l")
    }

    @Test func aUserAloneKeepsTheGroup() throws {
        let user = try process(["-u", "8", "id", "sh"]).user
        #expect(user.uid == 8 && user.gid == 6)
    }

    @Test(arguments: [
        ["-u", "root", "id", "sh"], ["--user=", "id", "sh"], ["-g", "x", "id", "sh"], ["-e", "NAME", "id", "sh"],
        ["-e", "=x", "id", "sh"], ["--cwd", "tmp", "id", "sh"], ["id"],
    ])
    func mistakesAreRefused(words: [String]) { #expect(throws: Failure.self) { try process(words) } }

    @Test func aContainerWithoutAProcessNeedsADocument() throws {
        let arguments = try Command.exec.parse(["id", "sh"])
        #expect(throws: Failure.self) { try ProcessOptions.process(arguments) { nil } }
    }

    @Test func aDocumentReplacesTheOptions() throws {
        let path = "/tmp/bulkhead-process-\(getpid())"
        let file = try #require(fopen(path, "w"))
        fputs(#"{"args":["id"],"cwd":"/x","user":{"uid":3,"gid":4}}"#, file)
        fclose(file)
        defer { unlink(path) }
        let read = try process(["-p", path, "-u", "8", "id"])
        #expect(read.args == ["id"] && read.cwd == "/x" && read.user.uid == 3)
    }

    @Test func executionOptions() throws {
        let words = ["--cgroup", "sub", "--ignore-paused", "--preserve-fds", "3", "--pid-file", "/p", "id", "sh"]
        let options = try ProcessOptions.execOptions(try Command.exec.parse(words))
        #expect(options.cgroup == "sub" && options.ignorePaused && options.preservedDescriptors == 3)
        #expect(options.pidFile == "/p" && options.consoleSocket == nil)
    }

    @Test(arguments: [["--cgroup", "cpu:sub"], ["--cgroup", "a", "--cgroup", "b"], ["--preserve-fds", "-1"]])
    func executionOptionsThatAreRefused(words: [String]) throws {
        let arguments = try Command.exec.parse(words + ["id", "sh"])
        #expect(throws: Failure.self) { try ProcessOptions.execOptions(arguments) }
    }
}
