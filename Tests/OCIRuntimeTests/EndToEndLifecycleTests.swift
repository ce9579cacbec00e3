import Glibc
import Linux
import OCI
import TestSupport
import Testing

/// What a client does with a container from its making to its end, and the output it reads on the way.
@Suite struct EndToEndLifecycleTests {
    @Test(.needs(.root)) func createStartStateDelete() throws {
        let client = try Client(["sleep", "1000"])
        client.configuration.annotations = ["org.example.note": "kept"]
        try client.write()
        let pidFile = "\(client.folder)/pid"
        try client.succeed("create", "--bundle", client.bundle, "--pid-file", pidFile, client.id)

        let created = try client.state()
        #expect(created["ociVersion"]?.stringValue?.hasPrefix("1.") == true)
        #expect(created["id"]?.stringValue == client.id)
        #expect(created["status"]?.stringValue == "created")
        #expect(created["bundle"]?.stringValue == client.bundle)
        #expect(created["rootfs"]?.stringValue == "\(client.bundle)/rootfs")
        #expect(created["owner"]?.stringValue == "root")
        #expect(created["annotations"]?["org.example.note"]?.stringValue == "kept")
        #expect(created["created"]?.stringValue?.hasSuffix("Z") == true)
        let pid: pid_t = try #require(created["pid"]?.integerValue())
        #expect(try readText(pidFile) == "\(pid)")
        #expect(try !readText("/proc/\(pid)/cmdline").contains("sleep"), "the program runs before its start")

        try client.succeed("start", client.id)
        #expect(try client.status() == "running")
        #expect(try readText("/proc/\(pid)/cmdline") == "sleep\u{0}1000\u{0}")
        #expect(try readText("/proc/\(pid)/cgroup").split(separator: "\n").contains("0::/\(client.id)"))

        try client.expectFailure("start", client.id, message: "container is running", leavesNothing: false)
        try client.expectFailure("delete", client.id, message: "not stopped", leavesNothing: false)

        try client.succeed("kill", client.id, "KILL")
        try client.wait(for: "stopped")
        let stopped = try client.state()
        #expect(stopped["pid"]?.integerValue(as: Int.self) == 0)
        #expect(stopped["created"] == created["created"])
        try client.expectFailure(
            "kill", client.id, "TERM", message: "container not running", leavesNothing: false)
        try client.succeed("delete", client.id)
        try client.expectNothingLeft()
        try client.expectFailure("state", client.id, message: "container \"\(client.id)\" does not exist")
    }

    @Test(.needs(.root)) func deleteByForce() throws {
        let client = try Client()
        try client.create()
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()

        try client.start()
        try client.succeed("delete", "-f", client.id)
        try client.expectNothingLeft()
        // What is gone already is as good as deleted.
        try client.succeed("delete", "--force", client.id)
        try client.expectFailure("delete", client.id, message: "does not exist")
    }

    @Test(.needs(.root), arguments: ["KILL", "SIGKILL", "9", "sigkill"])
    func killTakesNamesAndNumbers(_ signal: String) throws {
        let client = try Client()
        try client.start()
        try client.succeed("kill", client.id, signal)
        try client.wait(for: "stopped")
        try client.succeed("delete", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func killSendsTermUnlessTold() throws {
        let client = try Client(["sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done"])
        try client.write()
        let program = try client.spawn(["run", client.id])
        #expect(eventually { program.out == "ready\n" })
        try client.succeed("kill", client.id)
        #expect(try program.finish().status == 0)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func killAllReachesEveryProcess() throws {
        let client = try Client(["sh", "-c", "trap '' USR1; sleep 1000 & sleep 1000 & wait; sleep 1000"])
        try client.start()
        #expect(try eventually { try processes(client).count == 3 })
        try client.succeed("kill", "--all", client.id, "KILL")
        try client.wait(for: "stopped")
        #expect(try eventually { try readText("\(client.cgroup)/cgroup.procs").isEmpty })
        try client.succeed("delete", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func pauseAndResume() throws {
        let client = try Client(["sh", "-c", "while :; do echo .; sleep 0.01; done"])
        try client.write()
        let program = try client.spawn(["run", client.id])
        #expect(eventually { program.out.utf8.count > 4 })
        try client.succeed("pause", client.id)
        #expect(try client.status() == "paused")
        let before = program.out
        usleep(100_000)
        #expect(program.out == before, "it writes while it is paused")
        try client.expectFailure("pause", client.id, message: "paused", leavesNothing: false)
        try client.expectFailure(
            "exec", client.id, "true", status: 255, message: "container is paused", leavesNothing: false)
        try client.succeed("resume", client.id)
        #expect(try client.status() == "running")
        #expect(eventually { program.out.utf8.count > before.utf8.count })
        try client.expectFailure("resume", client.id, message: "running", leavesNothing: false)

        // A paused one dies of a kill as well, and may be deleted by force.
        try client.succeed("pause", client.id)
        try client.succeed("kill", client.id, "KILL")
        #expect(try program.finish().status == 137)
        try client.expectNothingLeft()
        try client.start()
        try client.succeed("pause", client.id)
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func theBundleMayBeTheCurrentDirectory() throws {
        let client = try Client(["pwd"])
        try client.write()
        let outcome = try client.run("run", client.id, directory: client.bundle)
        #expect(outcome.status == 0 && outcome.out == "/\n", "\(outcome.err)")
        let relative = try client.run("run", "-b", "bundle", client.id, directory: client.folder)
        #expect(relative.status == 0 && relative.out == "/\n", "\(relative.err)")
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func fiftyAtOnce() throws {
        let client = try Client()
        try client.write()
        let ids = (1...50).map { "\(client.id)-\($0)" }
        for id in ids {
            try client.succeed("create", id)
            try client.succeed("start", id)
        }
        let listed = try JSON(parsing: try client.succeed("list", "--format", "json")).arrayValue ?? []
        #expect(listed.compactMap { $0["id"]?.stringValue } == ids.sorted())
        #expect(listed.allSatisfy { $0["status"]?.stringValue == "running" })
        #expect(Set(listed.compactMap { $0["pid"]?.integerValue(as: pid_t.self) }).count == 50)
        for id in ids { try client.succeed("delete", "--force", id) }
        try client.expectNothingLeft()
        #expect(ids.allSatisfy { access("\(cgroupMount)/\($0)", F_OK) != 0 })
    }

    // Two state roots know nothing of each other, and both would put this id into the same cgroup.
    @Test(.needs(.root)) func aCgroupWithProcessesOfSomeoneElseIsRefused() throws {
        let client = try Client()
        try client.start()
        let other = "\(client.folder)/other"
        let outcome = try client.run("--root", other, "create", client.id)
        #expect(outcome.status == 1)
        #expect(outcome.err.contains("container's cgroup is not empty"))
        #expect(try Client.names(in: other) == [])
        #expect(try client.status() == "running", "the first container died of the second")
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    private func processes(_ client: Client) throws -> [JSON] {
        try JSON(parsing: try client.succeed("ps", "--format", "json", client.id)).arrayValue ?? []
    }

    /// As podman asks for it, which gives the option to `create` alone.
    @Test(.needs(.root)) func withoutACgroup() throws {
        let client = try Client()
        client.configuration.linux.namespaces.removeAll { $0.type == .cgroup }
        client.configuration.linux.resources?.pids = .init(limit: 10)
        try client.write()
        client.globalOptions += ["--cgroup-manager", "disabled"]
        let steps = try client.succeed("create", "--explain", client.id)
        #expect(!steps.contains("cgroup \"") && !steps.contains("pids.max"))
        let created = try client.run("create", client.id)
        #expect(created.status == 0)
        #expect(created.errLines.count == 1 && created.err.contains("linux.resources has no effect"), "\(created.err)")
        client.globalOptions.removeLast(2)
        try client.succeed("start", client.id)
        let pid: pid_t = try #require(try client.state()["pid"]?.integerValue())
        let isThere = access(client.cgroup, F_OK) == 0
        #expect(!isThere)
        #expect(try readText("/proc/\(pid)/cgroup") == (try readText("/proc/self/cgroup")))
        #expect(try client.status() == "running")
        #expect(try client.succeed("ps", "--format", "json", client.id) == "[\(pid)]\n")
        #expect(try client.succeed("exec", client.id, "echo", "here") == "here\n")
        for words in [
            ["pause", client.id], ["update", "--pids-limit", "5", client.id], ["events", "--stats", client.id],
            ["exec", "--cgroup", "x", client.id, "true"],
        ] {
            let outcome = try client.spawn(words).finish()
            #expect(outcome.status != 0 && outcome.err.contains("has no cgroup of its own"), "\(outcome.err)")
        }
        try client.succeed("kill", client.id, "KILL")
        try client.wait(for: "stopped")
        try client.succeed("delete", client.id)
        try client.expectNothingLeft()
    }
}
