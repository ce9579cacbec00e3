import Glibc
import Linux
import OCI
import TestSupport
import Testing

/// `update` with its own options and with a document, where the controllers are.
@Suite struct EndToEndUpdateTests {
    @Test(.needs(.root), .needs(.controller("memory")), .needs(.controller("pids")), .needs(.controller("cpu")))
    func optionsBecomeLimits() throws {
        let client = try Client()
        try client.start()
        try client.succeed(
            "update", "--memory", "64m", "--pids-limit", "20", "--cpu-quota", "50000", "--cpu-period", "100000",
            "--cpu-share", "1024", client.id)
        #expect(try file("memory.max", client) == "67108864")
        #expect(try file("pids.max", client) == "20")
        #expect(try file("cpu.max", client) == "50000 100000")
        #expect(try file("cpu.weight", client) == "100")
        try client.succeed("update", "--memory=-1", "--pids-limit=-1", "--cpu-quota=-1", client.id)
        #expect(try file("memory.max", client) == "max")
        #expect(try file("pids.max", client) == "max")
        #expect(try file("cpu.max", client).hasPrefix("max"))
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root), .needs(.controller("memory")), .needs(.controller("pids")))
    func aDocumentComesFromAFileOrDescriptor0() throws {
        let client = try Client()
        try client.start()
        let document = #"{"memory":{"limit":33554432},"pids":{"limit":30}}"#
        try client.succeed("update", "--resources", "-", client.id, input: Array(document.utf8))
        #expect(try file("memory.max", client) == "33554432")
        #expect(try file("pids.max", client) == "30")
        try writeFile(#"{"pids":{"limit":31}}"#, to: "\(client.folder)/resources.json")
        try client.succeed("update", "-r", "\(client.folder)/resources.json", client.id)
        #expect(try file("pids.max", client) == "31")
        #expect(try file("memory.max", client) == "33554432", "a limit that the document does not name changed")
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    // Needs no controller: an empty document changes nothing, but it has to be read.
    @Test(.needs(.root)) func descriptor0IsReadWhateverItsPath() throws {
        let client = try Client()
        try client.start()
        try client.succeed("update", "-r", "-", client.id, input: Array("{}".utf8))
        for (document, message) in [("", "resources"), (#"{"pids":{"limit":"x"}}"#, "pids.limit: expected an integer")]
        {
            let outcome = try client.run("update", "-r", "-", client.id, input: Array(document.utf8))
            #expect(outcome.status == 1)
            #expect(outcome.errLines.count == 1 && outcome.err.contains(message), "\(outcome.err)")
        }
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root), .needs(.controller("memory"))) func runningOutOfMemoryIsAnEvent() throws {
        let client = try Client(["sh", "-c", "read line; head -c 60000000 /dev/zero | tail -c 60000000; sleep 1000"])
        client.configuration.linux.resources?.memory = .init()
        client.configuration.linux.resources?.memory?.limit = 20_000_000
        client.configuration.linux.resources?.memory?.swap = 20_000_000
        try client.write()
        symlink("busybox", "\(client.bundle)/rootfs/bin/tail")
        let fifo = "\(client.folder)/fifo"
        mkfifo(fifo, 0o600)
        client.configuration.mounts.append(
            .init(destination: "/tmp", type: "bind", source: client.folder, options: ["bind"]))
        client.configuration.process?.args[2] =
            "read line < /tmp/fifo; head -c 60000000 /dev/zero | tail -c 60000000 > /dev/null; sleep 1000"
        try client.start()
        let watcher = try client.spawn(["events", "--interval", "60s", client.id])
        // Its counter must have been read before the kill.
        usleep(500_000)
        try writeText("go\n", to: fifo)
        #expect(eventually { watcher.out.contains(#"{"type":"oom","id":"\#(client.id)"}"#) }, "\(watcher.out)")
        try client.succeed("delete", "--force", client.id)
        #expect(try watcher.finish().status == 0)
        try client.expectNothingLeft()
    }

    private func file(_ name: String, _ client: Client) throws -> String {
        String(try readText("\(client.cgroup)/\(name)").dropLast())
    }
}
