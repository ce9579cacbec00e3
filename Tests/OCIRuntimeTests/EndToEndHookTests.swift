import Glibc
import Linux
import OCI
import TestSupport
import Testing

/// Hooks: when each runs, what it reads on its standard input, and what its failure does.
@Suite struct EndToEndHookTests {
    @Test(.needs(.root)) func eachGetsTheStateInItsTurn() throws {
        let client = try Client(["true"])
        client.configuration.annotations = ["org.example.note": "kept"]
        client.configuration.root.readonly = false
        let folder = client.folder
        func hook(_ name: String, in place: String) -> Configuration.Hook {
            // The shell is its own `cat`, for a startContainer hook has an empty PATH.
            .init(
                path: "/bin/busybox",
                args: ["sh", "-c", "/bin/busybox cat > \(place)/\(name); echo $V >> \(place)/env"],
                env: ["V=\(name)"])
        }
        client.configuration.hooks.prestart = [hook("prestart", in: folder)]
        client.configuration.hooks.createRuntime = [hook("createRuntime", in: folder)]
        client.configuration.hooks.createContainer = [hook("createContainer", in: folder)]
        client.configuration.hooks.startContainer = [hook("startContainer", in: "/tmp")]
        client.configuration.hooks.poststart = [hook("poststart", in: folder)]
        client.configuration.hooks.poststop = [hook("poststop", in: folder)]

        try client.create()
        let pid: pid_t = try #require(try client.state()["pid"]?.integerValue())
        #expect(try readText("\(folder)/env") == "prestart\ncreateRuntime\ncreateContainer\n")
        try client.succeed("start", client.id)
        try client.wait(for: "stopped")
        #expect(try readText("\(client.bundle)/rootfs/tmp/env") == "startContainer\n")
        try client.succeed("delete", client.id)
        #expect(
            try readText("\(folder)/env") == "prestart\ncreateRuntime\ncreateContainer\npoststart\npoststop\n")

        for (name, place, status) in [
            ("prestart", folder, "creating"), ("createRuntime", folder, "creating"),
            ("createContainer", folder, "creating"), ("startContainer", "\(client.bundle)/rootfs/tmp", "created"),
            ("poststart", folder, "running"), ("poststop", folder, "stopped"),
        ] {
            let state = try JSON(parsing: try readText("\(place)/\(name)"))
            #expect(state["id"]?.stringValue == client.id, "\(name)")
            #expect(state["status"]?.stringValue == status, "\(name)")
            #expect(state["bundle"]?.stringValue == client.bundle, "\(name)")
            #expect(state["annotations"]?["org.example.note"]?.stringValue == "kept", "\(name)")
            if name != "poststop" { #expect(state["pid"]?.integerValue(as: pid_t.self) == pid, "\(name)") }
        }
        try client.expectNothingLeft()
    }

    @Test(.needs(.root), arguments: ["prestart", "createRuntime", "createContainer"])
    func aFailingHookEndsTheCreate(_ kind: String) throws {
        let client = try Client()
        let hook = Configuration.Hook(path: "/bin/busybox", args: ["sh", "-c", "exit 3"])
        let hanging = Configuration.Hook(
            path: "/bin/busybox", args: ["sleep", "1000"], env: ["MARK=\(client.id)"], timeout: 1)
        let missing = Configuration.Hook(path: "\(client.folder)/nosuch")
        for (hook, message) in [
            (hook, "exit status 3"), (hanging, "timeout"), (missing, "no such file or directory"),
        ] {
            client.configuration.hooks = .init()
            switch kind {
            case "prestart": client.configuration.hooks.prestart = [hook]
            case "createRuntime": client.configuration.hooks.createRuntime = [hook]
            default: client.configuration.hooks.createContainer = [hook]
            }
            try client.write()
            try client.expectFailure("create", client.id, message: message)
            try client.expectFailure("run", client.id, message: hook.path)
        }
    }

    @Test(.needs(.root)) func aFailingStartContainerHookEndsTheStart() throws {
        let client = try Client()
        client.configuration.hooks.startContainer = [.init(path: "/bin/busybox", args: ["sh", "-c", "exit 4"])]
        try client.write()
        try client.expectFailure("run", client.id, message: "exit status 4")
        try client.create()
        try client.expectFailure("start", client.id, message: "exit status 4", leavesNothing: false)
        try client.wait(for: "stopped")
        try client.succeed("delete", client.id)
        try client.expectNothingLeft()
    }

    // The specification has these two logged only.
    @Test(.needs(.root)) func afterTheStartAHooksFailureIsLogged() throws {
        let client = try Client(["true"])
        let failing = Configuration.Hook(path: "/bin/busybox", args: ["sh", "-c", "exit 6"])
        client.configuration.hooks.poststart = [failing]
        client.configuration.hooks.poststop = [failing]
        try client.write()
        let outcome = try client.run("--log", client.logFile, "--log-format", "json", "run", client.id)
        #expect(outcome.status == 0, "\(outcome.err)")
        let entries = try readText(client.logFile).split(separator: "\n").map { try JSON(parsing: String($0)) }
        #expect(entries.compactMap { $0["level"]?.stringValue } == ["warning", "warning"])
        #expect(entries.first?["msg"]?.stringValue?.contains("poststart hook") == true)
        #expect(entries.last?["msg"]?.stringValue?.contains("poststop hook") == true)
        try client.expectNothingLeft()
    }
}
