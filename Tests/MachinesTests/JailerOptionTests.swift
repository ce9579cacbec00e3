#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    @testable import bulkhead_vm

    /// `bulkhead-jailer` as one meets it who has made a mistake: one line, and status 1.
    @Suite struct JailerOptionTests {
        struct Mistake: Sendable, CustomTestStringConvertible {
            var words: [String]
            var complaint: String
            var testDescription: String { words.joined(separator: " ") }
            init(_ words: String..., complaint: String) {
                self.words = words
                self.complaint = complaint
            }
        }

        private static let whole = ["--id", "a-1", "--exec-file", "/bin/true", "--uid", "1", "--gid", "1"]

        static let mistakes: [Mistake] = [
            Mistake(complaint: "--id is missing"),
            Mistake("--id", "a", "--exec-file", "f", "--uid", "1", complaint: "--gid is missing"),
            Mistake("--id", "a", "--", "--exec-file", "f", complaint: "--exec-file is missing"),
            Mistake("--id", complaint: "--id needs a value"),
            Mistake("--id", "", complaint: "--id needs a value"),
            Mistake("--id", "../a", complaint: "--id: \"../a\" is not 1 to 64 letters, digits and hyphens"),
            Mistake("--id", "a_b", complaint: "--id: \"a_b\" is not"),
            Mistake("--id", String(repeating: "a", count: 65), complaint: "--id: "),
            Mistake("--id", "a", "--id", "b", complaint: "--id is there twice"),
            Mistake("--uid", "root", complaint: "--uid: \"root\" is not a number"),
            Mistake("--uid", "-1", complaint: "--uid: \"-1\" is not a number"),
            Mistake("--gid", "4294967295", complaint: "--gid: \"4294967295\" is not a number from 0 to 4294967294"),
            Mistake("--colour", "red", complaint: "unknown option \"--colour\""),
            Mistake("name", complaint: "unknown option \"name\""),
            Mistake("--daemonize=yes", complaint: "--daemonize takes no value"),
            Mistake("--cgroup-version", "1", complaint: "--cgroup-version: version 1 is not supported, only 2"),
            Mistake("--cgroup-version", "3", complaint: "--cgroup-version: \"3\" is not 2"),
            Mistake("--cgroup", "memory.max", complaint: "--cgroup: \"memory.max\" is not FILE=VALUE"),
            Mistake("--cgroup", "memory.max=", complaint: "--cgroup: \"memory.max=\" is not FILE=VALUE"),
            Mistake("--cgroup", "../memory.max=1", complaint: "--cgroup: \"../memory.max=1\" is not FILE=VALUE"),
            Mistake("--cgroup", "cgroup.procs=1", complaint: "--cgroup: \"cgroup.procs=1\" is not FILE=VALUE"),
            Mistake("--parent-cgroup", "a/../b", complaint: "--parent-cgroup: \"a/../b\" is not a path"),
            Mistake("--parent-cgroup", "/a", complaint: "--parent-cgroup: \"/a\" is not a path"),
            Mistake("--resource-limit", "cpu=1", complaint: "--resource-limit: \"cpu=1\" is neither"),
            Mistake("--resource-limit", "no-file=many", complaint: "--resource-limit: \"no-file=many\" is neither"),
        ]

        @Test(arguments: mistakes) func aWrongOptionIsNamed(_ mistake: Mistake) throws {
            let outcome = try Monitor(mistake.words, program: "bulkhead-jailer").finish()
            #expect(outcome.status == 1)
            #expect(outcome.err.hasPrefix("bulkhead-jailer: \(mistake.complaint)"), "\(outcome.err)")
            #expect(outcome.err.count { $0 == "\n" } == 1 && outcome.out == "")
        }

        @Test func whatIsNotThereIsNamed() throws {
            func fails(_ complaint: String, _ words: String...) throws {
                let outcome = try Monitor(words, program: "bulkhead-jailer").finish()
                #expect(outcome.status == 1)
                #expect(outcome.err.hasPrefix("bulkhead-jailer: \(complaint)"), "\(outcome.err)")
            }
            try fails("--exec-file: \"/nonexistent\": ", "--id=a", "--exec-file=/nonexistent", "--uid=1", "--gid=1")
            try fails("--exec-file: \"/\" is not a regular", "--id=a", "--exec-file=/", "--uid=1", "--gid=1")
            try fails(
                "--exec-file: \"/etc/passwd\" is not executable", "--id=a", "--exec-file=/etc/passwd", "--uid=1",
                "--gid=1")
            try fails(
                "--chroot-base-dir: \"jails\" is not an absolute path", "--id=a", "--exec-file=/bin/true", "--uid=1",
                "--gid=1", "--chroot-base-dir=jails")
        }

        @Test func itSaysItsVersion() throws {
            let outcome = try Monitor(["--version"], program: "bulkhead-jailer").finish()
            #expect(outcome.status == 0 && outcome.out == "Jailer v\(InstanceInfo.version)\n")
        }

        @Test func everyStepIsExplainedAndNoneTaken() throws {
            let base = "/tmp/bulkhead-explained"
            let outcome = try Monitor(
                Self.whole + [
                    "--explain", "--chroot-base-dir", base, "--cgroup", "memory.max=64M", "--parent-cgroup", "p/q",
                    "--netns", "/proc/self/ns/net", "--new-pid-ns", "--daemonize", "--resource-limit", "fsize=9", "--",
                    "--api-sock", "/s",
                ], program: "bulkhead-jailer"
            ).finish()
            #expect(outcome.status == 0, "\(outcome.err)")
            let texts = [
                "make \"\(base)/", "make the cgroup \"/p/q/a-1\"", "write \"64M\" to its memory.max",
                "clone the process in new namespaces: mount, pid, in its cgroup",
                "make device \"dev/kvm\" (character 10:232",
                "make device \"dev/net/tun\" (character 10:200", "make slot 0 the root and drop the old one",
                "limit RLIMIT_FSIZE to 9", "limit RLIMIT_NOFILE to 2048", "join the network namespace",
                "start a session", "bound capabilities to 0x0", "become user 1, group 1", "give up new privileges",
                "close every descriptor from 3 on", "\"--id\" \"a-1\"", "\"--api-sock\" \"/s\"", ".pid\"", "end",
            ]
            var rest = Substring(outcome.out)
            for text in texts {
                guard let place = rest.firstRange(of: text) else {
                    Issue.record("\(text) is not there, or not in its place: \(outcome.out)")
                    continue
                }
                rest = rest[place.upperBound...]
            }
            #expect(access(base, F_OK) != 0)
        }
    }
#endif
