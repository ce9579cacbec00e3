import Glibc
import Linux
import OCI
import TestSupport
import Testing

/// `run`: its exit status, its descriptors, and its terminal.
@Suite struct EndToEndRunTests {
    @Test(
        .needs(.root),
        arguments: [
            ("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143),
        ] as [(String, CInt)])
    func endsAsTheProgramDoes(_ script: String, _ status: CInt) throws {
        // The init of a pid namespace can't kill itself, so the shell is made the container's second process.
        let client = try Client(["sh", "-c", "sh -c '\(script)'; exit $?"])
        try client.write()
        let outcome = try client.run("run", "--bundle", client.bundle, client.id)
        #expect(outcome.status == status)
        #expect(outcome.err == "" || status > 128)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func aKilledProgramIsReportedAsShellsDo() throws {
        let client = try Client()
        try client.write()
        let program = try client.spawn(["run", client.id])
        try client.wait(for: "running")
        try client.succeed("kill", client.id, "KILL")
        #expect(try program.finish().status == 137)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func signalsArePassedOn() throws {
        let client = try Client([
            "sh", "-c", "trap 'exit 11' INT; trap 'echo got' USR1; echo ready; while :; do sleep 0.02; done",
        ])
        try client.write()
        let program = try client.spawn(["run", client.id])
        #expect(eventually { program.out == "ready\n" })
        kill(program.pid, SIGUSR1)
        #expect(eventually { program.out == "ready\ngot\n" })
        kill(program.pid, SIGINT)
        #expect(try program.finish().status == 11)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func standardDescriptorsAreTheCallers() throws {
        let client = try Client(["sh", "-c", "cat; echo fault >&2; ls /proc/self/fd"])
        try client.write()
        let outcome = try client.run("run", client.id, input: Array("given\n".utf8))
        // The third is the directory that ls itself reads.
        #expect(outcome.out == "given\n0\n1\n2\n3\n")
        #expect(outcome.err == "fault\n")
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func detached() throws {
        let client = try Client()
        try client.write()
        let pidFile = "\(client.folder)/pid"
        try client.succeed("run", "--detach", "--pid-file", pidFile, client.id)
        let state = try client.state()
        #expect(state["status"]?.stringValue == "running")
        let pid = state["pid"]?.integerValue(as: pid_t.self) ?? 0
        #expect(try readText(pidFile) == "\(pid)")
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func keepLeavesTheStoppedContainer() throws {
        let client = try Client(["true"])
        try client.write()
        try client.succeed("run", "--keep", client.id)
        #expect(try client.status() == "stopped")
        try client.succeed("delete", client.id)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func theContainerIsIsolated() throws {
        let client = try Client(["sh", "-c", "echo $$; hostname; id -u; ls /; touch /x 2>&1"])
        try client.write()
        let outcome = try client.run("run", client.id)
        #expect(
            outcome.outLines == [
                "1", "bulkhead", "0", "bin", "dev", "proc", "sys", "tmp", "touch: /x: Read-only file system",
            ])
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func aForegroundTerminalIsCarried() throws {
        let client = try Client(["sh", "-c", "tty; stty size; read line; echo \"<$line>\"; exit 5"])
        client.configuration.process?.terminal = true
        try client.write()
        let terminal = try Terminal(rows: 33, columns: 77)
        let program = try RunningProgram(
            [try builtProgram("bulkhead-oci")] + client.globalOptions + ["run", client.id], folder: client.folder,
            directory: client.bundle, environment: ["BULKHEAD_E2E=\(client.id)"], terminal: terminal.path)
        try terminal.expect("33 77\r\n")
        try terminal.type("typed\r")
        try terminal.expect("<typed>\r\n")
        #expect(terminal.text.hasPrefix("/dev/"), "\(terminal.text)")
        #expect(try program.finish().status == 5)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func theUsersTerminalIsPutBack() throws {
        let client = try Client(["sh", "-c", "echo begun; sleep 1000"])
        client.configuration.process?.terminal = true
        try client.write()
        let terminal = try Terminal(rows: 24, columns: 80)
        let before = try terminal.modes()
        let program = try RunningProgram(
            [try builtProgram("bulkhead-oci")] + client.globalOptions + ["run", client.id], folder: client.folder,
            directory: client.bundle, environment: ["BULKHEAD_E2E=\(client.id)"], terminal: terminal.path)
        try terminal.expect("begun")
        #expect(try terminal.modes() != before, "the terminal is not raw while the container has it")
        try client.succeed("kill", client.id, "KILL")
        #expect(try program.finish().status == 137)
        #expect(try terminal.modes() == before)
        try client.expectNothingLeft()
    }

    @Test(.needs(.root)) func aTerminalGoesToTheConsoleSocket() throws {
        let client = try Client(["sh", "-c", "stty size; read line; echo \"<$line>\"; sleep 1000"])
        client.configuration.process?.terminal = true
        client.configuration.process?.consoleSize = .init(height: 40, width: 100)
        try client.write()
        let path = "\(client.folder)/console"
        let listener = try UnixSocket.listen(at: path)
        try client.succeed("create", "--console-socket", path, client.id)
        let terminal = try Terminal(arrivingAt: listener)
        try client.succeed("start", client.id)
        try terminal.expect("40 100\r\n")
        try terminal.type("typed\r")
        try terminal.expect("<typed>\r\n")

        // And exec's.
        try client.start(second: "exec", terminalAt: path, listener)
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }

    /// sd_listen_fds(3): the sockets that are meant for the runtime are the program's, those that are not are nobody's.
    @Test(.needs(.root), arguments: [true, false]) func theSocketsOfAnActivationArePassedOn(areMeant: Bool) throws {
        let script = """
            echo "$LISTEN_FDS $LISTEN_PID $$"; for n in 3 4 5 6; do readlink /proc/self/fd/$n || echo none; done
            """
        let client = try Client(["sh", "-c", script])
        try client.write()
        for name in ["first", "second", "third"] { try writeFile("", to: "\(client.folder)/\(name)") }
        // The shell becomes the runtime, so its id is the runtime's.
        let activation = """
            export LISTEN_FDS=2 LISTEN_PID=\(areMeant ? "$$" : "1")
            exec 3<"$0/first" 4<"$0/second" 5<"$0/third" 6<&-; exec "$@"
            """
        let outcome = try RunningProgram(
            ["/bin/busybox", "sh", "-c", activation, client.folder, try builtProgram("bulkhead-oci")]
                + client.globalOptions + ["run", "--preserve-fds", areMeant ? "1" : "0", client.id],
            folder: client.folder, directory: client.bundle, environment: ["BULKHEAD_E2E=\(client.id)"]
        ).finish()
        #expect(outcome.status == 0, "\(outcome.err)")
        if areMeant {
            #expect(outcome.outLines.first == "2 1 1")
            #expect(
                outcome.outLines.dropFirst().map { $0.split(separator: "/").last } == [
                    "first", "second", "third", "none",
                ])
        } else {
            #expect(outcome.outLines == ["  1", "none", "none", "none", "none"])
        }
        try client.expectNothingLeft()
    }
}

extension Client {
    /// Runs a program on a terminal by exec, and looks at what arrives on it.
    fileprivate func start(second id: String, terminalAt path: String, _ listener: borrowing Descriptor) throws {
        try succeed("exec", "--detach", "--tty", "--console-socket", path, self.id, "sh", "-c", "echo on $(tty)")
        try Terminal(arrivingAt: listener).expect("on /dev/")
    }
}

/// The user's side of a terminal.
final class Terminal {
    private let master: Descriptor
    /// The other side.
    let path: String
    private(set) var text = ""

    /// The terminal that a runtime sends.
    init(arrivingAt listener: borrowing Descriptor) throws {
        var entry = pollfd(fd: listener.rawValue, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 30_000) == 1 else { throw SystemError("wait for a terminal", .timedOut) }
        let connection = try UnixSocket.accept(on: listener)
        var received: Descriptor?
        _ = try UnixSocket.receive(from: connection, descriptor: &received)
        guard let master = received.take() else { throw SystemError("receive a terminal", .badDescriptor) }
        self.master = master
        path = ""
    }

    init(rows: UInt16, columns: UInt16) throws {
        let master = try Descriptor.open("/dev/ptmx", [.readWrite])
        // Glibc's module shows neither unlockpt(3) nor these two numbers.
        let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
        var (lock, number): (CInt, CUnsignedInt) = (0, 0)
        try systemCall("TIOCSPTLCK") { ioctl(master.rawValue, setLock, &lock) }
        try systemCall("TIOCGPTN") { ioctl(master.rawValue, getNumber, &number) }
        path = "/dev/pts/\(number)"
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        try systemCall("TIOCSWINSZ") { ioctl(master.rawValue, UInt(TIOCSWINSZ), &size) }
        self.master = master
    }

    func type(_ text: String) throws { try master.write(text) }

    /// Reads until the program has written this.
    func expect(_ wanted: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        while !text.contains(wanted) {
            var entry = pollfd(fd: master.rawValue, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 30_000) == 1, let bytes = try? master.read(upTo: 4096), !bytes.isEmpty else { break }
            text += String(decoding: bytes, as: UTF8.self)
        }
        #expect(text.contains(wanted), sourceLocation: sourceLocation)
    }

    /// How the terminal treats what is typed and written.
    func modes() throws -> [UInt32] {
        var modes = termios()
        try systemCall("tcgetattr") { tcgetattr(master.rawValue, &modes) }
        return [modes.c_iflag, modes.c_oflag, modes.c_lflag]
    }
}
