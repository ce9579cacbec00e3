import Testing

@testable import bulkhead_oci

@Suite struct ArgumentTests {
    static let bundle = Option("bundle", short: "b", value: "DIR", "")
    static let pidFile = Option("pid-file", value: "FILE", "")
    static let tty = Option("tty", short: "t", "")
    static let detach = Option("detach", short: "d", "")
    static let options = [bundle, pidFile, tty, detach]

    private func parse(_ words: [String], endsAtFirstArgument: Bool = false) throws -> Arguments {
        try Arguments(words, options: Self.options, endsAtFirstArgument: endsAtFirstArgument)
    }

    @Test(arguments: [
        ["--bundle", "/b"], ["--bundle=/b"], ["-b", "/b"], ["-b=/b"], ["-b/b"], ["-bundle", "/b"], ["-bundle=/b"],
        ["--bundle", "/a", "--bundle", "/b"], ["-tb", "/b"], ["-tdb/b"],
    ])
    func aValueInEachSpelling(words: [String]) throws {
        let arguments = try parse(words + ["id"])
        #expect(arguments[Self.bundle] == "/b")
        #expect(arguments.positional == ["id"])
    }

    @Test func aValueMayLookLikeAnOption() throws {
        #expect(try parse(["--bundle", "-1"])[Self.bundle] == "-1")
        #expect(try parse(["--bundle=a=b"])[Self.bundle] == "a=b")
    }

    @Test func anEmptyValueIsNone() throws {
        let arguments = try parse(["--pid-file", "", "--bundle=", "id"])
        #expect(arguments[Self.pidFile] == nil && arguments[Self.bundle] == nil)
        #expect(arguments.isGiven(Self.pidFile))
        #expect(arguments.positional == ["id"])
    }

    @Test func switchesBundleAndSayTrueOrFalse() throws {
        let both = try parse(["-td"])
        #expect(both.isSet(Self.tty) && both.isSet(Self.detach))
        #expect(try parse(["--tty=true"]).isSet(Self.tty))
        #expect(try !parse(["--tty", "--tty=false"]).isSet(Self.tty))
        #expect(try !parse([]).isSet(Self.tty))
    }

    @Test func optionsMayFollowTheID() throws {
        let arguments = try parse(["id", "--tty", "9"])
        #expect(arguments.isSet(Self.tty))
        #expect(arguments.positional == ["id", "9"])
    }

    @Test func whatFollowsTheIDIsTheProgramsOwn() throws {
        let arguments = try parse(["-t", "id", "ls", "-d", "--", "--nope"], endsAtFirstArgument: true)
        #expect(arguments.positional == ["id", "ls", "-d", "--", "--nope"])
        #expect(!arguments.isSet(Self.detach))
    }

    @Test func twoDashesEndTheOptions() throws {
        #expect(try parse(["--", "-t", "--nope"]).positional == ["-t", "--nope"])
        #expect(try parse(["-"]).positional == ["-"])
    }

    @Test(arguments: [
        (["--nope"], "unknown option --nope"), (["-x"], "unknown option -x"), (["-tx"], "unknown option -tx"),
        (["--bundle"], "option --bundle needs a value"), (["-b"], "option -b needs a value"),
        (["--tty=maybe"], "option --tty: expected true or false, found \"maybe\""),
        (["--b", "x"], "unknown option --b"),
    ])
    func mistakesAreNamed(words: [String], message: String) {
        #expect { try parse(words) } throws: { "\($0)" == message }
    }

    @Test(arguments: Command.names)
    func everyCommandIsThereWithHelp(name: String) throws {
        let command = try #require(Command.named(name))
        #expect(command.name == name)
        #expect(command.help.contains("Usage: bulkhead-oci [GLOBAL OPTIONS] \(name)"))
    }

    /// The words that docker, containerd and podman's conmon use.
    @Test(arguments: [
        "create --bundle /b --pid-file /p --console-socket /s --no-pivot --no-new-keyring --preserve-fds 2 id",
        "create --bundle /b --pid-file /p --systemd-cgroup id", "run --detach --keep --no-subreaper id",
        "exec --process /p --console-socket /s --detach --pid-file /f id", "exec --pid-file /f --process /p --tty id",
        "exec -u 1:2 -g 3 -g 4 --cap CAP_KILL -c CAP_CHOWN --cwd / --apparmor a --process-label l id sh -c x",
        "exec --cgroup sub --ignore-paused --no-new-privs --pidfd-socket /s --preserve-fds=1 id true",
        "ps --format json id", "ps id -aux", "kill --all id 9", "kill id SIGKILL", "delete --force id",
        "list --format json", "list -q", "events --stats id", "events --interval 1s id",
        "update --resources - id",
        "update --memory 1g --memory-swap -1 --memory-reservation 1m --cpu-period 1 --cpu-quota -1 --cpu-share 2 id",
        "update --cpu-burst 1 --cpu-idle 1 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit -1 --blkio-weight 10 id",
        "update --cpu-rt-period 1 --cpu-rt-runtime 1 --kernel-memory 1 --kernel-memory-tcp 1 id",
        "spec --bundle /b --rootless", "features", "checkpoint --image-path /i --leave-running id",
        "restore --image-path /i --work-path /w --detach --bundle /b id", "state id", "start id", "pause id",
        "resume id",
    ])
    func callersAreUnderstood(line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        let command = try #require(Command.named(words[0]))
        guard !line.contains("--systemd-cgroup") else {
            #expect(throws: Failure.self) { try command.parse(words.dropFirst()) }
            return
        }
        _ = try command.parse(words.dropFirst())
    }

    @Test(arguments: [["state"], ["state", "a", "b"], ["kill", "a", "b", "c"], ["list", "a"], ["exec"]])
    func theNumberOfArgumentsIsChecked(words: [String]) throws {
        let command = try #require(Command.named(words[0]))
        #expect { try command.parse(words.dropFirst()) } throws: { "\($0)".hasPrefix("\(words[0]): expected") }
    }

    @Test func globalOptions() throws {
        let words = ["--root", "/r", "--log=/l", "--log-format", "json", "--systemd-cgroup", "--debug", "state", "-x"]
        let arguments = try Arguments(words, options: Session.options, endsAtFirstArgument: true)
        let session = try Session(arguments)
        #expect(session.root == "/r" && session.log.path == "/l" && session.log.format == .json)
        #expect(session.log.level == .debug && session.systemdCgroupNames)
        #expect(arguments.positional == ["state", "-x"])
        let runtime = try session.runtime()
        #expect(runtime.stateRoot == "/r" && runtime.systemdCgroupNames)
    }

    @Test(arguments: [
        ["--cgroup-manager=cgroupfs"], ["--cgroup-manager=disabled"], ["--cgroup-manager", "systemd"],
        ["--rootless=auto"], ["--rootless", "true"],
        ["--criu", "/usr/sbin/criu"], ["--log-level=debug"], ["--log-format=text"],
    ])
    func globalOptionsOfOtherRuntimes(words: [String]) throws {
        let session = try Session(try Arguments(words, options: Session.options))
        #expect(session.systemdCgroupNames == (words.last == "systemd"))
        #expect(session.makesCgroups == (words != ["--cgroup-manager=disabled"]))
    }

    @Test(arguments: [
        ["--cgroup-manager=x"], ["--rootless=x"], ["--log-format=x"], ["--log-level=x"],
    ])
    func globalOptionsThatAreRefused(words: [String]) throws {
        let arguments = try Arguments(words, options: Session.options)
        #expect(throws: Failure.self) { try Session(arguments) }
    }

    @Test func theLogIsFoundInABrokenCommandLine() {
        let log = Session.logOfLastResort(["--nope", "--log", "/l", "--log-format=json"])
        #expect(log.path == "/l" && log.format == .json)
    }
}
