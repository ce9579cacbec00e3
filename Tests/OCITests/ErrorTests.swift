import Testing

@testable import OCI

/// What a user reads when a document is wrong: the whole line, word for word.
@Suite struct ErrorTests {
    /// A member of the complete document, by its path in plain names, set to a JSON text, and the error's problem.
    static let values: [(path: String, json: String, problem: String)] = [
        ("ociVersion", "1.3", "expected a string, found 1.3"),
        ("ociVersion", #""1.3""#, #"expected a version such as 1.3.0, found "1.3""#),
        ("ociVersion", #""01.0.0""#, #"expected a version such as 1.3.0, found "01.0.0""#),
        ("linux.resources.memory.limit", #""1g""#, #"expected an integer, found "1g""#),
        ("linux.resources.memory.limit", "1.5", "expected an integer, found 1.5"),
        ("linux.resources.memory.limit", "1e3", "expected an integer, found 1e3"),
        ("linux.resources.memory.limit", "true", "expected an integer, found true"),
        (
            "linux.resources.memory.limit", "9223372036854775808",
            "expected an integer from -9223372036854775808 to 9223372036854775807, found 9223372036854775808"
        ),
        (
            "linux.resources.cpu.shares", "-1", "expected an integer from 0 to 18446744073709551615, found -1"
        ),
        (
            "linux.resources.cpu.shares", "18446744073709551616",
            "expected an integer from 0 to 18446744073709551615, found 18446744073709551616"
        ),
        (
            "linux.resources.cpu.shares", "1" + String(repeating: "0", count: 80),
            "expected an integer from 0 to 18446744073709551615, found 1" + String(repeating: "0", count: 59) + "…"
        ),
        ("linux.resources.blockIO.weight", "65536", "expected an integer from 0 to 65535, found 65536"),
        ("process.user.uid", "4294967296", "expected an integer from 0 to 4294967295, found 4294967296"),
        (
            "process.ioPriority.priority", "2147483648",
            "expected an integer from -2147483648 to 2147483647, found 2147483648"
        ),
        ("process.terminal", #""yes""#, #"expected true or false, found "yes""#),
        ("process.terminal", "0", "expected true or false, found 0"),
        ("process.args", #""sh""#, #"expected an array, found "sh""#),
        ("process.args", #"["sh", null]"#, "expected a string, found null"),
        ("process.user", "[0, 0]", "expected an object, found an array"),
        ("process.cwd", "{}", "expected a string, found an object"),
        ("process.cwd", #""a\u0000b""#, "contains a NUL character, which no path, name or argument can hold"),
        ("hostname", #""\u0000""#, "contains a NUL character, which no path, name or argument can hold"),
        ("hostname", #"["new\nline"]"#, "expected a string, found an array"),
        ("mounts", "{}", "expected an array, found an object"),
        ("annotations", #"{"com.example": 7}"#, "expected a string, found 7"),
        (
            "process.scheduler.policy", #""SCHED_FAIR""#,
            #"expected a scheduling policy (SCHED_OTHER, SCHED_FIFO, "#
                + #"SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE), found "SCHED_FAIR""#
        ),
        (
            "process.ioPriority.class", #""""#,
            "expected an I/O scheduling class (IOPRIO_CLASS_RT, "
                + #"IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE), found """#
        ),
        (
            "linux.seccomp.defaultAction", #""SCMP_ACT_DENY\n\"""#,
            "expected a seccomp action (SCMP_ACT_KILL, "
                + "SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, "
                + #"SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY), found "SCMP_ACT_DENY\n\"""#
        ),
        (
            "linux.seccomp.flags", #"["SECCOMP_FILTER_FLAG_TSYNC", "TSYNC"]"#,
            "expected a seccomp flag "
                + "(SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, "
                + #"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), found "TSYNC""#
        ),
        (
            "linux.seccomp.architectures", #"["amd64"]"#,
            #"expected a seccomp architecture, such as SCMP_ARCH_X86_64, found "amd64""#
        ),
        ("linux.personality.domain", #""linux""#, #"expected an execution domain (LINUX, LINUX32), found "linux""#),
        (
            "linux.rootfsPropagation", #""public""#,
            "expected a mount propagation (private, shared, slave, unbindable, "
                + #"rprivate, rshared, rslave, runbindable), found "public""#
        ),
        (
            "linux.memoryPolicy.mode", #""bind""#,
            "expected a memory policy (MPOL_DEFAULT, MPOL_BIND, MPOL_INTERLEAVE, "
                + #"MPOL_WEIGHTED_INTERLEAVE, MPOL_PREFERRED, MPOL_PREFERRED_MANY, MPOL_LOCAL), found "bind""#
        ),
    ]

    @Test(arguments: values)
    func wrongValue(_ path: String, _ value: String, _ problem: String) throws {
        let complete = try JSON(parsing: try document("complete"))
        let steps = path.split(separator: ".").map { Step.member(String($0)) }
        // The value goes in as text: not every number survives as a JSON value.
        let changed = complete.changing(steps[...]) { _ in "@" }
        let text = changed.encoded().replacing("\"@\"", with: value)
        let error = try #require(error { () throws(DocumentError) in _ = try Configuration(json: text) })
        #expect(error.path.hasPrefix(path))
        #expect(error.problem == problem)
        #expect(!error.description.contains("\n"))
    }

    static let documents: [(String, String)] = [
        (#"[]"#, "expected an object, found an array"),
        (#"{}"#, "ociVersion: required, but missing"),
        (#"{"ociVersion": "1.0.0"}"#, "root: required, but missing"),
        (#"{"ociVersion": "1.0.0", "root": {"path": null}}"#, "root.path: required, but missing"),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "process": {"args": ["sh"]}}"#,
            "process.cwd: required, but missing"
        ),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "mounts": [{"destination": "/a"}, {"options": ["ro"]}]}"#,
            "mounts[1].destination: required, but missing"
        ),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "mounts": [{"destination": "/a", "options": [["ro"]]}]}"#,
            "mounts[0].options[0]: expected a string, found an array"
        ),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "linux": {"sysctl": {"net.core.somaxconn": 256}}}"#,
            #"linux.sysctl["net.core.somaxconn"]: expected a string, found 256"#
        ),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "annotations": {"": "a", "b\n\"": 1}}"#,
            #"annotations["b\n\""]: expected a string, found 1"#
        ),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "linux": {"sysctl": {"a\u0000": "1"}}}"#,
            #"linux.sysctl["a\u{0}"]: contains a NUL character, which no path, name or argument can hold"#
        ),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "linux": {"timeOffsets": {"realtime": {"secs": 1}}}}"#,
            "linux.timeOffsets.realtime: not a clock that a time namespace offsets (monotonic, boottime)"
        ),
        (
            // The second name is the first one with an escape: a checker that compares bytes would miss it.
            #"{"ociVersion": "1.0.0", "root": {"path": "/a"}, "\u0072oot": {"path": "/b"}}"#,
            "root: given 2 times"
        ),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/a"}, "annotations": {"a": "1", "\u0061": "2"}}"#,
            "annotations.a: given 2 times"
        ),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "linux": {"netDevices": {"eth0": {"name": 23}}}}"#,
            "linux.netDevices.eth0.name: expected a string, found 23"
        ),
        (
            #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "linux": {"resources": {"rdma": {"m": {"hcaHandles": "n"}}}}}"#,
            #"linux.resources.rdma.m.hcaHandles: expected an integer, found "n""#
        ),
    ]

    @Test(arguments: documents)
    func wrongDocument(_ text: String, _ expected: String) {
        #expect(complaint(text) == expected)
    }

    @Test func processAndResourcesOfTheirOwn() {
        let process = error { () throws(DocumentError) in _ = try Configuration.Process(json: #"{"args": ["sh"]}"#) }
        #expect(process?.description == "cwd: required, but missing")
        let relative = error { () throws(DocumentError) in
            _ = try Configuration.Process(json: #"{"args": ["sh"], "cwd": "tmp"}"#)
        }
        #expect(relative?.description == #"cwd: expected an absolute path, found "tmp""#)
        let resources = error { () throws(DocumentError) in
            _ = try Configuration.Resources(json: #"{"memory": {"limit": "1g"}}"#)
        }
        #expect(resources?.description == #"memory.limit: expected an integer, found "1g""#)
        let burst = error { () throws(DocumentError) in
            _ = try Configuration.Resources(json: #"{"cpu": {"quota": 10, "burst": 11}}"#)
        }
        #expect(burst?.description == "cpu.burst: must not be larger than cpu.quota (10), found 11")
    }
}
