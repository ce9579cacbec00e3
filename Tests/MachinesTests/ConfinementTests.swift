#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    /// `bulkhead-vm` under its filters, and what becomes of a thread that does what it may not.
    @Suite(.needs(.kvm)) struct ConfinementTests {
        private let scratch = Scratch()

        /// Says something, and waits for ever.
        private static let waits: [UInt8] = [0x66, 0xba, 0xf8, 0x03, 0xb0, UInt8(ascii: "!"), 0xee, 0xf4, 0xeb, 0xfd]

        private func monitor(_ words: String...) throws -> Monitor {
            let kernel = try scratch.file("kernel", TestELF(code: Self.waits).bytes)
            return try Monitor(["run", "--accept-emulation", "--memory", "32", "--kernel", kernel] + words)
        }

        /// What `/proc` says of each thread, by its name.
        private func threads(_ pid: pid_t, _ field: String) throws -> [String: String] {
            var result: [String: String] = [:]
            for thread in try #require(names(in: "/proc/\(pid)/task")) {
                let name = try readText("/proc/\(pid)/task/\(thread)/comm").split(separator: "\n").first ?? ""
                // The kernel's own helper, in the processes that have virtual machines.
                if name.hasPrefix("kvm-") { continue }
                let line = try readText("/proc/\(pid)/task/\(thread)/status").split(separator: "\n")
                    .first { $0.hasPrefix("\(field):") }
                result[String(name)] = line.map {
                    String($0.dropFirst(field.count + 1).drop { $0 == "\t" || $0 == " " })
                }
            }
            return result
        }

        @Test func everyThreadIsUnderOneFilter() throws {
            let running = try monitor(
                "--cpus", "2", "--console", "virtio,socket=\(scratch.path)/console", "--console", "serial,stdio")
            running.wait(for: "!")
            let expected = ["bulkhead-vm", "console", "devices", "serial", "vcpu 0", "vcpu 1"]
            // The main thread's comes last.
            #expect(try eventually(30) { try threads(running.pid, "Seccomp")["bulkhead-vm"] == "2" })
            for (field, value) in [("Seccomp", "2"), ("Seccomp_filters", "1"), ("NoNewPrivs", "1")] {
                let found = try threads(running.pid, field)
                #expect(found.keys.sorted() == expected)
                #expect(found.values.allSatisfy { $0 == value }, "\(field): \(found)")
            }
            running.signal(SIGTERM)
            #expect(try running.finish().status == 128 + SIGTERM)
            #expect(access("\(scratch.path)/console", F_OK) != 0)
        }

        /// All that a debugger may do, done under the filters.
        @Test func aDebuggerWorksUnderThem() throws {
            let path = "\(scratch.path)/gdb"
            // mov eax, 0x1234; inc eax; off
            let code: [UInt8] = [0xb8, 0x34, 0x12, 0, 0, 0xff, 0xc0, 0x66, 0xba, 0x00, 0x06, 0xb0, 0x34, 0xee]
            let kernel = try scratch.file("stepped", TestELF(code: code + [0xf4, 0xeb, 0xfd]).bytes)
            let running = try Monitor([
                "run", "--accept-emulation", "--memory", "32", "--cpus", "2", "--kernel", kernel, "--gdb", path,
            ])
            #expect(eventually(30) { access(path, F_OK) == 0 })
            let client = try DebuggerClient(path)
            #expect(try client.ask("?") == "S05")
            #expect(try eventually(30) { try threads(running.pid, "Seccomp")["bulkhead-vm"] == "2" })
            let found = try threads(running.pid, "Seccomp")
            #expect(found.keys.contains("gdb") && found.values.allSatisfy { $0 == "2" }, "\(found)")
            let registers = try client.ask("g")
            #expect(try client.ask("G" + registers) == "OK")
            #expect(try client.ask("M3000,2:abcd") == "OK" && client.ask("m3000,2") == "abcd")
            #expect(try client.ask("Z1,100007,1") == "OK" && client.ask("z1,100007,1") == "OK")
            #expect(try client.ask("Z0,100007,1") == "OK" && client.ask("z0,100007,1") == "OK")
            #expect(try client.ask("s") == "T05thread:1;" && client.ask("p0") == "3412000000000000")
            #expect(try client.ask("D") == "OK")
            #expect(try running.finish().status == 0)
            #expect(access(path, F_OK) != 0)
        }

        @Test func withoutFiltersThereAreNone() throws {
            let running = try monitor("--no-seccomp")
            running.wait(for: "!")
            #expect(try threads(running.pid, "Seccomp").values.allSatisfy { $0 == "0" })
            running.signal(SIGTERM)
            #expect(try running.finish().status == 128 + SIGTERM)
        }

        struct Violation: Sendable, CustomTestStringConvertible {
            /// The kind of thread that may do everything but this.
            var kind: String
            var call: String
            var testDescription: String { "\(kind): \(call)" }
        }

        static let violations = [
            Violation(kind: "vcpu", call: "ioctl"), Violation(kind: "devices", call: "epoll_wait"),
            Violation(kind: "serial", call: "poll"), Violation(kind: "vmm", call: "poll"),
        ]

        @Test(arguments: violations) func whatIsForbiddenIsNamedAndEndsTheProcess(_ violation: Violation) throws {
            func thread(_ kind: String) -> String {
                let calls = kind == violation.kind ? #"{"syscall": "\#(violation.call)"}"# : ""
                return #""\#(kind)": {"default_action": "allow", "filter_action": "trap", "filter": [\#(calls)]}"#
            }
            let kinds = ["vmm", "api", "vcpu", "devices", "serial", "console"]
            let filter = try scratch.file("filter", Array("{\(kinds.map(thread).joined(separator: ", "))}".utf8))
            let outcome = try monitor("--seccomp-filter", filter).finish()
            #expect(outcome.status == 148, "\(outcome.err)")
            let line = "bulkhead-vm: seccomp: the thread \(violation.kind) may not call \(violation.call)(0x"
            #expect(outcome.err.hasPrefix(line), "\(outcome.err)")
            #expect(outcome.err.hasSuffix(")\n") && outcome.err.count { $0 == "\n" } == 1, "\(outcome.err)")
        }

        @Test func aForbiddenCallLeavesTheTerminalAsItWas() throws {
            let filter = try scratch.file(
                "filter",
                Array(
                    #"""
                    {"vmm": {"default_action": "allow", "filter_action": "trap", "filter": []},
                     "serial": {"default_action": "allow", "filter_action": "trap", "filter": [
                        {"syscall": "read", "args": [{"index": 2, "type": "qword", "op": "eq", "val": 256}]}]},
                     "vcpu": {"default_action": "allow", "filter_action": "trap", "filter": []}}
                    """#.utf8))
            let terminal = try PseudoTerminal()
            let number = terminal.program.rawValue
            func flags() -> tcflag_t {
                var mode = termios()
                tcgetattr(number, &mode)
                return mode.c_lflag
            }
            let before = flags()
            let kernel = try scratch.file("kernel", TestELF(code: Self.waits).bytes)
            let running = try Monitor(
                ["run", "--accept-emulation", "--memory", "32", "--kernel", kernel, "--seccomp-filter", filter],
                terminal: number)
            #expect(eventually(60) { flags() != before })
            try terminal.master.write("x")
            let outcome = try running.finish()
            #expect(outcome.status == 148, "\(outcome.err)")
            #expect(flags() == before)
        }

        @Test func aWrongFilterIsNamed() throws {
            let filter = try scratch.file("filter", Array("{}".utf8))
            let outcome = try monitor("--seccomp-filter", filter).finish()
            #expect(outcome.status == 2)
            #expect(outcome.err == "bulkhead-vm: --seccomp-filter \"\(filter)\": vmm is missing\n")
        }
    }

    /// The names in a directory; nil where it can't be read.
    func names(in path: String) -> [String]? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var result: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { result.append(name) }
        }
        return result
    }
#endif
