#if arch(x86_64)
    import Glibc
    import Machines
    import Seccomp
    import Testing

    @testable import bulkhead_vm

    /// Filters from a file: what they mean, and each mistake by its place.
    @Suite struct FilterFileTests {
        private let scratch = Scratch()

        private func read(_ text: String) throws(Failure) -> [ThreadRole: SeccompProfile] {
            let path: String
            do { path = try scratch.file("filter.json", Array(text.utf8)) } catch { fatalError("\(error)") }
            return try FilterFile(path: path).profiles
        }

        private static func thread(_ filter: String, initial: String = #""trap""#) -> String {
            #"{"default_action": \#(initial), "filter_action": "allow", "filter": [\#(filter)]}"#
        }

        private static func document(_ filter: String) -> String {
            #"{"vmm": \#(thread("")), "vcpu": \#(thread(filter))}"#
        }

        @Test func firecrackersFormIsRead() throws {
            let text = #"""
                {"vmm": {"default_action": {"errno": 38}, "filter_action": "allow", "filter": [
                    {"syscall": "read", "comment": "of everything"},
                    {"syscall": "ioctl", "args": [
                        {"index": 1, "type": "dword", "op": "eq", "val": 44672, "comment": "KVM_RUN"},
                        {"arg_index": 0, "arg_type": "qword", "op": "le", "val": 9}]},
                    {"syscall": "socket", "args": [{"index": 0, "type": "dword", "op": {"masked_eq": 15}, "val": 1}]}]},
                 "api": {"default_action": "log", "filter_action": "allow", "filter": []},
                 "vcpu": {"default_action": "allow", "filter_action": "kill_process", "filter": [{"syscall": "open"}]}}
                """#
            let profiles = try read(text)
            func answer(_ role: ThreadRole, _ name: String, _ arguments: UInt64...) throws -> SeccompAction {
                try #require(profiles[role]).compile().program.simulate(try SystemCall(name, arguments))
            }
            #expect(try answer(.main, "read") == .allow)
            #expect(try answer(.main, "open") == .errno(.noSystemCall))
            #expect(try answer(.main, "ioctl", 9, 44672) == .allow)
            #expect(try answer(.main, "ioctl", 9, 1 << 40 | 44672) == .allow)
            #expect(try answer(.main, "ioctl", 10, 44672) == .errno(.noSystemCall))
            #expect(try answer(.main, "ioctl", 9, 44673) == .errno(.noSystemCall))
            #expect(try answer(.main, "socket", 0x21) == .allow)
            #expect(try answer(.main, "socket", 2) == .errno(.noSystemCall))
            #expect(try answer(.api, "open") == .log)
            #expect(try answer(.processor, "open") == .killProcess)
            #expect(try answer(.processor, "read") == .allow)
            // Of no name of their own.
            for role in [ThreadRole.devices, .serial, .console] { #expect(profiles[role] == profiles[.main]) }
            // A violation can be told, whatever the file says.
            #expect(try answer(.main, "write", 2) == .allow)
            #expect(try answer(.main, "write", 1) == .errno(.noSystemCall))
            #expect(try answer(.main, "exit_group", 148) == .allow)
        }

        @Test func aKindOfThreadCanHaveItsOwn() throws {
            let profiles = try read(
                #"{"vmm": \#(Self.thread("")), "vcpu": \#(Self.thread("")), "devices": \#(Self.thread(#"{"syscall": "open"}"#))}"#
            )
            #expect(profiles[.devices] != profiles[.main])
            #expect(profiles[.serial] == profiles[.main])
        }

        static let mistakes: [(String, String)] = [
            ("[]", "the document is not an object"),
            ("{}", "vmm is missing"),
            (#"{"vmm": \#(thread(""))}"#, "vcpu is missing"),
            (#"{"vmm": \#(thread("")), "gpu": 1}"#, "gpu is not known"),
            (#"{"vmm": \#(thread("")), "vmm": \#(thread(""))}"#, "vmm is there twice"),
            (#"{"vmm": {"filter_action": "allow", "filter": []}}"#, "vmm.default_action is missing"),
            (#"{"vmm": {"default_action": "trap", "filter": []}}"#, "vmm.filter_action is missing"),
            (#"{"vmm": {"default_action": "trap", "filter_action": "allow"}}"#, "vmm.filter is not a list"),
            (#"{"vmm": {"default_action": "stop"}}"#, "vmm.default_action is none of allow, trap"),
            (#"{"vmm": {"default_action": {"errno": 4096}}}"#, "vmm.default_action is none of allow, trap"),
            (#"{"vmm": {"rules": []}}"#, "vmm.rules is not known"),
            (document("1"), "vcpu.filter[0] is not an object"),
            (document("{}"), "vcpu.filter[0].syscall is not a call's name"),
            (document(#"{"syscall": "reed"}"#), #"vcpu.filter[0].syscall names no call of this architecture: "reed""#),
            (document(#"{"syscall": "read", "when": 1}"#), "vcpu.filter[0].when is not known"),
            (document(#"{"syscall": "read", "args": 1}"#), "vcpu.filter[0].args is not a list"),
            (test(#""index": 6, "type": "dword", "op": "eq", "val": 1"#), "vcpu.filter[0].args[0].index is not 0 to 5"),
            (test(#""index": 0, "type": "word", "op": "eq", "val": 1"#), "vcpu.filter[0].args[0].type is neither"),
            (test(#""index": 0, "type": "dword", "op": "is", "val": 1"#), "vcpu.filter[0].args[0].op is none of eq"),
            (test(#""index": 0, "type": "dword", "op": "gt", "val": 1"#), "vcpu.filter[0].args[0].op compares a dword"),
            (
                test(#""index": 0, "type": "dword", "op": "eq", "val": -1"#),
                "vcpu.filter[0].args[0].val is not a number"
            ),
            (
                document(
                    #"{"syscall": "read", "args": [{"index": 0, "type": "qword", "op": "ge", "val": 1}, {"index": 0, "type": "qword", "op": "le", "val": 9}]}"#
                ), "vcpu.filter[0].args[1] tests argument 0 again"
            ),
        ]

        private static func test(_ members: String) -> String {
            document(#"{"syscall": "read", "args": [{\#(members)}]}"#)
        }

        @Test(arguments: mistakes) func aMistakeIsNamed(_ text: String, _ complaint: String) throws {
            let failure = #expect(throws: Failure.self) { try read(text) }
            #expect(failure?.status == .usage)
            #expect(failure?.message.contains("filter.json\": \(complaint)") == true, "\(failure?.message ?? "")")
        }

        @Test func aFileThatIsMissingIsNamed() throws {
            let failure = #expect(throws: Failure.self) { try Confinement(.file("/nonexistent")) }
            #expect(failure?.status == .refused)
            #expect(failure?.message.hasPrefix("--seccomp-filter: open \"/nonexistent\"") == true)
        }
    }
#endif
