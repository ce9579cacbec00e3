import Glibc
import Linux
import TestSupport
import Testing

/// sd_notify(3): a service manager hears that the container's program is ready, and nothing else of it.
@Suite struct EndToEndReadinessTests {
    /// A service manager's socket.
    private final class Manager {
        let path: String
        let socket: Descriptor

        init(_ client: Client) throws {
            path = "\(client.folder)/manager"
            socket = try UnixSocket.bind(at: path)
        }

        /// What it has been told, of which the last comes within 20 s.
        func message() throws -> String {
            var entry = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            try #require(poll(&entry, 1, 20_000) == 1, "nobody reports")
            var descriptor: Descriptor?
            return String(decoding: try UnixSocket.receive(from: socket, descriptor: &descriptor), as: UTF8.self)
        }

        var hasMore: Bool {
            var entry = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            return poll(&entry, 1, 0) != 0
        }
    }

    /// A container with a shell's script that may `notify`: syslog(3) of busybox sends lines to any socket that is at
    /// /dev/log, behind one of its own.
    private func client(_ script: String) throws -> Client {
        let preparation = """
            busybox ln -s "$NOTIFY_SOCKET" /dev/log; nl='
            '
            notify() { busybox logger "$nl$1"; }

            """
        let client = try Client(["sh", "-c", preparation + script])
        try client.write()
        return client
    }

    private static let script = """
        notify "MAINPID=1${nl}STATUS=not ready"; notify "READY=1${nl}STATUS=ready"; notify STOPPING=1
        touch /run/notify/x || sleep 1000
        """

    @Test(.needs(.root), arguments: [true, false]) func aManagerHearsThatTheProgramIsReady(isMapped: Bool) throws {
        let client = try client(Self.script)
        if isMapped {
            client.configuration.linux.namespaces.append(.init(.user))
            client.configuration.linux.uidMappings = [.init(containerID: 0, hostID: 100_000, size: 65536)]
            client.configuration.linux.gidMappings = [.init(containerID: 0, hostID: 100_000, size: 65536)]
            // The mapped root may neither make a directory in the root file system nor reach the state.
            mkdir("\(client.bundle)/rootfs/run", 0o755)
            client.configuration.mounts.append(.init(destination: "/run", type: "tmpfs", source: "tmpfs"))
            chmod(client.folder, 0o700)
            try client.write()
        }
        let manager = try Manager(client)
        let environment = ["NOTIFY_SOCKET=\(manager.path)"]
        let created = try client.run("create", client.id, environment: environment)
        #expect(created.status == 0, "\(created.err)")
        let started = try client.run("start", client.id, environment: environment)
        #expect(started.status == 0 && started.err == "", "\(started.err)")
        let pid = try client.state()["pid"]?.integerValue(as: pid_t.self) ?? 0
        #expect(try manager.message() == "READY=1\nMAINPID=\(pid)\n")
        #expect(!manager.hasMore)
        #expect(try client.status() == "running")
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root), arguments: [[], ["--detach"]]) func aRunReportsToo(_ options: [String]) throws {
        let client = try client(Self.script)
        let manager = try Manager(client)
        let program = try client.spawn(
            ["run"] + options + [client.id], environment: ["NOTIFY_SOCKET=\(manager.path)"])
        #expect(try manager.message().hasPrefix("READY=1\nMAINPID="))
        #expect(try client.status() == "running")
        try client.succeed("kill", client.id, "KILL")
        #expect(try program.finish().status == (options.isEmpty ? 137 : 0))
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func whoIsNeverReadyIsNotWaitedForForEver() throws {
        let client = try client("exit 3")
        let manager = try Manager(client)
        let environment = ["NOTIFY_SOCKET=\(manager.path)"]
        #expect(try client.run("create", client.id, environment: environment).status == 0)
        #expect(try client.run("start", client.id, environment: environment).status == 0)
        #expect(!manager.hasMore)
        try client.succeed("delete", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func aManagerThatIsGoneIsAWarning() throws {
        let client = try client("notify READY=1; exit 4")
        let outcome = try client.run("run", client.id, environment: ["NOTIFY_SOCKET=\(client.folder)/nobody"])
        #expect(outcome.status == 4)
        #expect(
            outcome.errLines.count == 1 && outcome.err.contains("warning: NOTIFY_SOCKET: connect to"), "\(outcome.err)")
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func itIsExplained() throws {
        let client = try client("true")
        let outcome = try client.run("run", "--explain", client.id, environment: ["NOTIFY_SOCKET=/nobody"])
        #expect(outcome.status == 0)
        #expect(outcome.out.contains("\"/run/notify\""), "\(outcome.out)")
        try client.expectNothingLeft()
    }
}
