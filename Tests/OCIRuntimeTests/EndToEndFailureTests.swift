import Glibc
import Linux
import OCI
import TestSupport
import Testing

/// Bad input: one line that names the cause, runc's exit status, and nothing left behind.
@Suite struct EndToEndFailureTests {
    @Test(.needs(.root), arguments: ["create", "run"]) func bundles(_ command: String) throws {
        let client = try Client()
        try client.expectFailure(
            command, client.id, message: "\(client.bundle)/config.json: no such file or directory")
        try client.expectFailure(command, "-b", "\(client.folder)/nosuch", client.id, message: "/nosuch")
        for (document, message) in [
            ("", "config.json"), ("{", "config.json"), ("[]", "config.json"),
            (#"{"ociVersion":"1.0.2","root":{"path":7}}"#, "root.path: expected a string"),
            (
                #"{"ociVersion":"1.0.2","root":{"path":"rootfs"},"linux":{"resources":{"memory":{"limit":"1g"}}}}"#,
                #"linux.resources.memory.limit: expected an integer, found "1g""#
            ),
            (#"{"ociVersion":"1.0.2","root":{"path":"rootfs"}}"#, "process: required"),
        ] {
            try client.write(Array(document.utf8))
            try client.expectFailure(command, client.id, message: message)
        }
    }

    @Test(.needs(.root), arguments: ["create", "run"]) func documents(_ command: String) throws {
        let client = try Client()
        let good = client.configuration
        func fails(_ message: String, sourceLocation: SourceLocation = #_sourceLocation, _ change: () -> Void) throws {
            client.configuration = good
            change()
            try client.write()
            try client.expectFailure(command, client.id, message: message, sourceLocation: sourceLocation)
        }
        try fails("nosuchfs") { client.configuration.root.path = "nosuchfs" }
        try fails("not a directory") { client.configuration.root.path = "rootfs/bin/busybox" }
        try fails(#"exec: "nosuch": executable file not found in $PATH"#) {
            client.configuration.process?.args = ["nosuch"]
        }
        try fails(#"exec: "/nosuch": no such file or directory"#) { client.configuration.process?.args = ["/nosuch"] }
        try fails(#"exec: "/tmp": "#) { client.configuration.process?.args = ["/tmp"] }
        try writeFile("#!/bin/sh\n", to: "\(client.bundle)/rootfs/tmp/script", mode: 0o644)
        try fails(#"exec: "/tmp/script": permission denied"#) {
            client.configuration.process?.args = ["/tmp/script"]
        }
        try fails("CAP_NOSUCH") { client.configuration.process?.capabilities?.bounding.append("CAP_NOSUCH") }
        try fails("/bin/busybox") { client.configuration.process?.cwd = "/bin/busybox" }
        try fails("linux.sysctl.net.nosuch: write \"1\": no such file or directory") {
            client.configuration.linux.sysctl = ["net.nosuch": "1"]
        }
        try fails("/nosuch/source") {
            client.configuration.mounts.append(
                .init(destination: "/tmp", type: "bind", source: "/nosuch/source", options: ["bind"]))
        }
        try fails("/nosuch/net") {
            client.configuration.linux.namespaces.removeAll { $0.type == .network }
            client.configuration.linux.namespaces.append(.init(.network, path: "/nosuch/net"))
        }
        try fails("..") { client.configuration.linux.cgroupsPath = "/a/../../b" }
        try fails("root cgroup") { client.configuration.linux.cgroupsPath = "/" }
    }

    @Test(.needs(.root)) func whatOnlyTheStartCanTell() throws {
        let client = try Client(["/tmp/script"])
        try writeFile("#!/nosuch/interpreter\n", to: "\(client.bundle)/rootfs/tmp/script", mode: 0o755)
        try client.write()
        try client.expectFailure("run", client.id, message: "no such file or directory")
        try client.succeed("create", client.id)
        try client.expectFailure("start", client.id, message: "no such file or directory", leavesNothing: false)
        try client.wait(for: "stopped")
        try client.succeed("delete", client.id)
        try writeFile("neither a script nor a program", to: "\(client.bundle)/rootfs/tmp/script", mode: 0o755)
        try client.expectFailure("run", client.id, message: "exec format error")
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func ids() throws {
        let client = try Client()
        try client.write()
        for id in ["", ".", "..", "a/b", "../x", "a b", "ä", String(repeating: "a", count: 1025)] {
            try client.expectFailure("create", id, message: "container id")
            try client.expectFailure("run", id, message: "container id")
            try client.expectFailure("delete", "--force", id, message: "container id")
        }
        try client.create()
        for command in ["create", "run"] {
            try client.expectFailure(
                command, client.id, message: "container with id \"\(client.id)\" exists", leavesNothing: false)
        }
        #expect(try client.status() == "created", "the one with the id is untouched")
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(arguments: ["state", "start", "kill", "pause", "resume", "update", "delete", "ps", "events"])
    func noSuchContainer(_ command: String) throws {
        let client = try Client()
        try client.expectFailure(command, "nosuch", message: "container \"nosuch\" does not exist")
    }

    @Test func commandLines() throws {
        let client = try Client()
        func fails(_ words: String..., message: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let outcome = try client.spawn(words).finish(sourceLocation)
            #expect(outcome.status == 1, sourceLocation: sourceLocation)
            #expect(outcome.out == "", sourceLocation: sourceLocation)
            #expect(outcome.errLines.count == 1, "\(outcome.err)", sourceLocation: sourceLocation)
            #expect(outcome.err.contains(message), "\(outcome.err)", sourceLocation: sourceLocation)
        }
        try fails("nosuch", message: "unknown command \"nosuch\"")
        try fails("state", message: "expected ID")
        try fails("state", "a", "b", message: "expected ID")
        try fails("state", "--nosuch", "a", message: "unknown option --nosuch")
        try fails("--nosuch", "state", "a", message: "unknown option --nosuch")
        try fails("create", "--bundle", message: "--bundle needs a value")
        try fails("list", "--format", "xml", message: "table or json")
        try fails("--log-format", "xml", "list", message: "text or json")
        try fails("--rootless", "maybe", "list", message: "--rootless")
        try fails("create", "--preserve-fds", "-1", "a", message: "--preserve-fds")
        try fails("checkpoint", "--image-path", "/x", "a", message: "not supported")
        try fails("restore", "a", message: "not supported")
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func signalsAndLimits() throws {
        let client = try Client()
        try client.start()
        try client.expectFailure("kill", client.id, "NOSUCH", message: "unknown signal", leavesNothing: false)
        try client.expectFailure("kill", client.id, "65", message: "unknown signal", leavesNothing: false)
        try client.expectFailure(
            "update", "--memory", "lots", client.id, message: "--memory", leavesNothing: false)
        try client.expectFailure(
            "update", "--pids-limit", "x", client.id, message: "--pids-limit", leavesNothing: false)
        try client.expectFailure(
            "update", "-r", "/nosuch", client.id, message: "/nosuch", leavesNothing: false)
        #expect(try client.status() == "running")
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func theLogIsTextUnlessToldOtherwise() throws {
        let client = try Client()
        let log = "\(client.folder)/log.txt"
        _ = try client.run("--log", log, "state", "nosuch")
        let text = try readText(log)
        #expect(text.hasPrefix("time=\"") && text.contains(" level=error msg=\"") && text.hasSuffix("\n"))
        // Without a file the entry goes to standard error, in the format asked for.
        let outcome = try client.run("--log-format", "json", "state", "nosuch")
        #expect(try JSON(parsing: outcome.err)["level"]?.stringValue == "error")
    }
}
