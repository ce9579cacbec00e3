import Glibc
import Linux
import OCI
import TestSupport
import Testing

/// The commands that tell something: their output is what clients parse.
@Suite struct EndToEndListingTests {
    @Test(.needs(.root)) func listAndPs() throws {
        let client = try Client()
        #expect(try client.succeed("list", "-q") == "")
        #expect(try client.succeed("list", "-f", "json") == "[]\n")
        try client.start()
        let pid: pid_t = try #require(try client.state()["pid"]?.integerValue())

        let table = try client.succeed("list").split(separator: "\n").map {
            $0.split(separator: " ").map(String.init)
        }
        #expect(table.first == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"])
        #expect(table.last?.prefix(4) == [client.id, "\(pid)", "running", client.bundle])
        #expect(table.last?.last == "root")
        #expect(try client.succeed("list", "--quiet") == "\(client.id)\n")
        let listed = try JSON(parsing: try client.succeed("list", "--format=json"))
        #expect(listed.arrayValue?.count == 1)
        #expect(listed.arrayValue?.first == (try client.state()))

        #expect(try client.succeed("ps", "--format", "json", client.id) == "[\(pid)]\n")
        let processes = try client.succeed("ps", client.id).split(separator: "\n")
        #expect(processes.first?.contains("UID") == true && processes.first?.contains("CMD") == true)
        #expect(processes.dropFirst().allSatisfy { $0.hasSuffix("sleep 1000") } && processes.count == 2)
        let columns = try client.succeed("ps", client.id, "-o", "pid,comm")
        #expect(
            columns.split(whereSeparator: \.isWhitespace).map(String.init) == ["PID", "COMMAND", "\(pid)", "sleep"])

        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func statistics() throws {
        let client = try Client(["sh", "-c", "head -c 1000000 /dev/zero > /dev/null; sleep 1000"])
        try client.start()
        let event = try JSON(parsing: try client.succeed("events", "--stats", client.id))
        #expect(event["type"]?.stringValue == "stats")
        #expect(event["id"]?.stringValue == client.id)
        let data = try #require(event["data"])
        let used: UInt64 = try #require(data["cpu"]?["usage"]?["total"]?.integerValue())
        #expect(used > 100_000 && used < 60_000_000_000, "nanoseconds of processor time")
        for part in ["memory", "pids", "blkio", "hugetlb"] { #expect(data[part] != nil) }
        if access("\(client.cgroup)/memory.current", F_OK) == 0 {
            #expect(data["memory"]?["usage"]?["usage"]?.integerValue(as: UInt64.self) ?? 0 > 4096)
            #expect(data["pids"]?["current"]?.integerValue(as: Int.self) ?? 0 >= 1)
        }
        try client.succeed("kill", client.id, "KILL")
        try client.wait(for: "stopped")
        try client.expectFailure("events", "--stats", client.id, message: "is not running", leavesNothing: false)
        try client.succeed("delete", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func eventsEndWithTheContainer() throws {
        let client = try Client()
        try client.start()
        let watcher = try client.spawn(["events", "--interval", "20ms", client.id])
        #expect(eventually { watcher.out.split(separator: "\n").count >= 3 })
        try client.succeed("kill", client.id, "KILL")
        let outcome = try watcher.finish()
        #expect(outcome.status == 0, "\(outcome.err)")
        for line in outcome.outLines { #expect(try JSON(parsing: line)["type"]?.stringValue == "stats") }
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test func specWritesADocumentThatRuns() throws {
        let client = try Client()
        try client.succeed("spec", "--bundle", client.bundle)
        let written = try Configuration(json: try readFile("\(client.bundle)/config.json"))
        #expect(written == Configuration.template())
        try client.expectFailure("spec", "--bundle", client.bundle, message: "exists", leavesNothing: false)
        unlink("\(client.bundle)/config.json")
        // Without an option it is the current directory.
        try client.succeed("spec", "--rootless")
        let rootless = try Configuration(json: try readFile("\(client.bundle)/config.json"))
        #expect(rootless.linux.namespaces.contains { $0.type == .user })
        #expect(rootless.linux.uidMappings.first?.hostID == geteuid())
    }

    @Test func features() throws {
        let client = try Client()
        let json = try JSON(parsing: try client.succeed("features"))
        #expect(json["ociVersionMin"]?.stringValue == "1.0.0")
        #expect(json["ociVersionMax"]?.stringValue?.hasPrefix("1.") == true)
        func texts(_ value: JSON?) -> [String] { value?.arrayValue?.compactMap(\.stringValue) ?? [] }
        #expect(texts(json["hooks"]).contains("createContainer"))
        #expect(texts(json["mountOptions"]).contains("rbind"))
        let linux = try #require(json["linux"])
        #expect(texts(linux["namespaces"]).contains("time"))
        #expect(texts(linux["capabilities"]).contains("CAP_SYS_ADMIN"))
        let actions = texts(linux["seccomp"]?["actions"])
        #expect(actions.contains("SCMP_ACT_NOTIFY"))
        #expect(linux["cgroup"]?["v2"]?.boolValue == true)
    }

    @Test func versionAndHelp() throws {
        let client = try Client()
        let version = try client.succeed("--version").split(separator: "\n")
        #expect(version.first?.hasPrefix("bulkhead-oci version ") == true)
        #expect(version.last?.hasPrefix("spec: 1.") == true)
        let help = try client.succeed("--help")
        for command in [
            "create", "start", "run", "exec", "state", "list", "ps", "events", "kill", "pause", "resume", "update",
            "delete", "spec", "features",
        ] {
            #expect(help.contains("  \(command) "))
            #expect(try client.succeed(command, "--help").contains("Usage: bulkhead-oci [GLOBAL OPTIONS] \(command)"))
        }
    }
}
