import Glibc
import Linux
import OCI
import TestSupport
import Testing

/// `exec`, as docker's and podman's `exec` call it, and by hand.
@Suite struct EndToEndExecTests {
    @Test(.needs(.root)) func joinsTheContainer() throws {
        let client = try Client()
        try client.start()
        let pid: pid_t = try #require(try client.state()["pid"]?.integerValue())
        for namespace in ["mnt", "uts", "ipc", "pid", "net", "cgroup"] {
            let inside = try client.succeed("exec", client.id, "readlink", "/proc/self/ns/\(namespace)")
            var buffer = [CChar](repeating: 0, count: 64)
            readlink("/proc/\(pid)/ns/\(namespace)", &buffer, 63)
            let first = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            #expect(inside == first + "\n")
        }
        #expect(try client.succeed("exec", client.id, "hostname") == "bulkhead\n")
        #expect(try client.succeed("exec", client.id, "cat", "/proc/self/cgroup").contains("0::/\n"))
        #expect(try client.run("exec", client.id, "sh", "-c", "exit 9").status == 9)
        #expect(try client.run("exec", client.id, "sh", "-c", "kill -9 $$").status == 137)
        let echoed = try client.run("exec", client.id, "cat", input: Array("through".utf8))
        #expect(echoed.out == "through")
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func theOptionsShapeTheProcess() throws {
        let client = try Client()
        try client.start()
        let script = "id -u; id -g; id -G; pwd; echo $A $B; cat /proc/self/status"
        let out = try client.succeed(
            "exec", "-u", "5:6", "-g", "7", "-e", "A=1", "--env", "B=x=y", "--env", "A=2", "--cwd", "/tmp", client.id,
            "sh", "-c", script)
        let lines = out.split(separator: "\n").map(String.init)
        #expect(lines.prefix(5) == ["5", "6", "6 7", "/tmp", "2 x=y"])
        #expect(lines.contains("NoNewPrivs:\t1"))

        let capable = try client.succeed("exec", "--cap", "CAP_SYS_PTRACE", client.id, "cat", "/proc/self/status")
        #expect(capable.contains("CapEff:\t0000000020080420"))
        let plain = try client.succeed("exec", client.id, "cat", "/proc/self/status")
        #expect(plain.contains("CapEff:\t0000000020000420"))
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func detachedWithAPidFile() throws {
        let client = try Client()
        try client.start()
        let pidFile = "\(client.folder)/exec.pid"
        try client.succeed("exec", "--detach", "--pid-file", pidFile, client.id, "sleep", "2000")
        let pid = try readText(pidFile)
        #expect(try readText("/proc/\(pid)/cmdline") == "sleep\u{0}2000\u{0}")
        let pids = try JSON(parsing: try client.succeed("ps", "-f", "json", client.id)).arrayValue ?? []
        #expect(pids.contains { $0.integerValue(as: Int.self) == Int(pid) })
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func aProcessDocumentReplacesTheOptions() throws {
        let client = try Client()
        try client.start()
        let path = "\(client.folder)/process.json"
        try writeFile(
            #"{"args":["sh","-c","pwd; id -u; echo $V"],"cwd":"/tmp","user":{"uid":3,"gid":4},"env":["PATH=/bin","V=v"]}"#,
            to: path)
        #expect(try client.succeed("exec", "--process", path, client.id) == "/tmp\n3\nv\n")
        try writeFile(#"{"args":["true"],"cwd":7}"#, to: path)
        try client.expectFailure(
            "exec", "-p", path, client.id, status: 255, message: "cwd: expected a string", leavesNothing: false)
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func aForegroundTerminalIsCarried() throws {
        let client = try Client()
        try client.start()
        let terminal = try Terminal(rows: 20, columns: 60)
        let program = try RunningProgram(
            [try builtProgram("bulkhead-oci")] + client.globalOptions
                + ["exec", "-t", client.id, "sh", "-c", "stty size; read line; echo \"<$line>\"; exit 3"],
            folder: client.folder, environment: ["BULKHEAD_E2E=\(client.id)"], terminal: terminal.path)
        try terminal.expect("20 60\r\n")
        try terminal.type("typed\r")
        try terminal.expect("<typed>\r\n")
        #expect(try program.finish().status == 3)
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func whatCanNotRunIsNamed() throws {
        let client = try Client()
        try client.start()
        func fails(_ words: String..., message: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let outcome = try client.spawn(["exec"] + words).finish(sourceLocation)
            #expect(outcome.status == 255, sourceLocation: sourceLocation)
            #expect(outcome.errLines.count == 1, "\(outcome.err)", sourceLocation: sourceLocation)
            #expect(outcome.err.contains(message), "\(outcome.err)", sourceLocation: sourceLocation)
        }
        try fails(client.id, "nosuch", message: "executable file not found in $PATH")
        try fails(client.id, "/nosuch", message: "no such file or directory")
        try fails(client.id, "/tmp", message: "permission denied")
        try fails(client.id, message: "expected a program")
        try fails("-u", "name", client.id, "true", message: "--user")
        try fails("-u", "4294967295", client.id, "true", message: "--user")
        try fails("--cwd", "tmp", client.id, "true", message: "absolute path")
        try fails("--cwd", "/nosuch", client.id, "true", message: "/nosuch")
        try fails("--cap", "CAP_NOSUCH", client.id, "true", message: "CAP_NOSUCH")
        try fails("--env", "=x", client.id, "true", message: "NAME=VALUE")
        try fails("nosuch", "true", message: "does not exist")
        #expect(try client.status() == "running")
        try client.succeed("kill", client.id, "KILL")
        try client.wait(for: "stopped")
        try fails(client.id, "true", message: "container not running")
        try client.succeed("delete", client.id)
        try client.expectNothingLeft()
    }
}
