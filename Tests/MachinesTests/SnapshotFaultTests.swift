#if arch(x86_64)
    import Glibc
    import Linux
    import Seccomp
    import TestSupport
    import Testing

    @testable import Machines

    extension MachineTests {
        /// Saves that the kernel does not let come to an end, each step in turn.
        @Suite(.serialized) struct SnapshotFaultTests {
            private let scratch = Scratch()

            private func files() throws -> SnapshotFiles {
                SnapshotFiles(state: try scratch.file("state", []), memory: try scratch.file("memory", []))
            }

            private func names() -> [String] { MachinesTests.names(in: scratch.path)?.sorted() ?? [] }

            struct Refusal: Sendable, CustomTestStringConvertible {
                var call: String
                var error: Errno
                var testDescription: String { "\(call): \(error)" }
            }

            private static let full = Errno(rawValue: ENOSPC)

            /// The calls of a save, in their order.
            static let refusals = [
                Refusal(call: "ftruncate", error: full), Refusal(call: "pwrite64", error: full),
                Refusal(call: "fsync", error: .ioError),
                // The states change places; then the memory takes its.
                Refusal(call: "renameat2", error: .ioError), Refusal(call: "rename", error: full),
            ]

            /// Saves in a thread to which the kernel refuses a call.
            private func fails(_ refusal: Refusal, _ machine: Machine, _ files: SnapshotFiles) throws -> Bool {
                let rule = SeccompRule([refusal.call], .errno(refusal.error))
                let profile = SeccompProfile(defaultAction: .allow, rules: [rule])
                let program = try profile.compile().program
                nonisolated(unsafe) var failed = false
                let thread = try MachineThread("save") {
                    do {
                        try program.install(noNewPrivileges: true)
                        try machine.save(to: files)
                    } catch { failed = error is MachineError }
                }
                thread.join()
                return failed
            }

            /// Two that replace one file at once, at each moment of the first.
            @Test func oneReplacesAFileAtATime() throws {
                let path = try scratch.file("state", Array("old".utf8))
                func isRefused() -> Bool {
                    do { _ = try ReplacementFile(path) } catch { return error.errno == .busy }
                    return false
                }
                var first: ReplacementFile? = try ReplacementFile(path)
                #expect(isRefused())
                try first?.exchange()
                #expect(isRefused(), "what was replaced may still go back")
                #expect(first?.goBack() == true)
                #expect(isRefused())
                #expect(try readText(path) == "old")
                first = nil
                #expect(names() == ["state"])
                // What a save left that was killed is nobody's.
                _ = try scratch.file("state.saving", [1])
                first = try ReplacementFile(path)
                try first?.replace()
                // At its place; another may come.
                let second = try ReplacementFile(path)
                first = nil
                try second.exchange()
                #expect(try readText(path) == "")
            }

            @Test func whatTheKernelRefusesLeavesTheOldOne() throws {
                var configuration = MachineConfiguration(
                    kernel: try scratch.file("kernel", TestELF(code: CountingGuest.code).bytes))
                configuration.memory = 16 << 20
                configuration.acceptsEmulation = true
                let (machine, files) = (try Machine(configuration), try files())
                let before = names()
                func restored() throws -> UInt32 {
                    try CountingGuest.count(
                        Machine(restoring: Snapshot(readingFrom: files.state), memory: .file(files.memory)))
                }
                try machine.start()
                try machine.pause()
                for refusal in Self.refusals {
                    try machine.save(to: files)
                    let count = try CountingGuest.count(machine)
                    try machine.resume()
                    #expect(try CountingGuest.goesOn(machine))
                    try machine.pause()
                    #expect(try fails(refusal, machine, files), "\(refusal)")
                    #expect(try restored() == count, "\(refusal)")
                    #expect(names() == before, "\(refusal)")
                }
                // There was none before: there is none now.
                unlink(files.state)
                unlink(files.memory)
                #expect(try fails(Refusal(call: "rename", error: .ioError), machine, files))
                #expect(names() == before.filter { !["memory", "state"].contains($0) })
                // A file system that can't exchange.
                try machine.save(to: files)
                try machine.resume()
                #expect(try CountingGuest.goesOn(machine))
                try machine.pause()
                #expect(try !fails(Refusal(call: "renameat2", error: .invalidArgument), machine, files))
                #expect(try restored() == CountingGuest.count(machine))
                #expect(names() == before)
            }

            /// A process that ends between two calls of a save, whichever: who loads the snapshot has the old one or the new.
            @Test(.needs(.program("curl"))) func aSaveThatIsKilledLeavesOneThatIsWhole() throws {
                let kernel = try scratch.file("kernel", TestELF(code: CountingGuest.code).bytes)
                let (files, before) = (try files(), try scratch.file("before", []))
                func monitor(killedBy call: String?) throws -> APIClient {
                    guard let call else { return try APIClient("--accept-emulation") }
                    let rest = #"{"default_action": "allow", "filter_action": "allow", "filter": []}"#
                    let rule = #"[{"syscall": "\#(call)"}]"#
                    let killing = #"{"default_action": "allow", "filter_action": "kill", "filter": \#(rule)}"#
                    let filter = try scratch.file(
                        "filter", Array(#"{"vmm": \#(rest), "vcpu": \#(rest), "api": \#(killing)}"#.utf8))
                    return try APIClient("--accept-emulation", "--seccomp-filter", filter)
                }
                let body = #"{"snapshot_path": "\#(files.state)", "mem_file_path": "\#(files.memory)""#
                func save(_ api: APIClient) throws -> APIClient.Answer {
                    try api("PUT", "/snapshot/create", body + "}")
                }
                let first = try monitor(killedBy: nil)
                #expect(try first("PUT", "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#) == .done)
                #expect(try first("PUT", "/machine-config", #"{"vcpu_count": 1, "mem_size_mib": 16}"#) == .done)
                #expect(try first("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
                #expect(try first("PATCH", "/vm", #"{"state": "Paused"}"#) == .done)
                #expect(try save(first) == .done)
                let expected = names() + ["filter"]
                // Each has what the one before it left. Nothing is unlinked but the old state, where nothing was left.
                let steps: [(call: String?, isNew: Bool)] = [
                    ("pwrite64", false), ("renameat2", false), ("rename", true), (nil, true), ("unlink", true),
                    (nil, true),
                ]
                for (call, isNew) in steps {
                    try #require(system("cp \(files.state) \(before)") == 0)
                    let api = try monitor(killedBy: call)
                    let loaded = try api("PUT", "/snapshot/load", body + "}")
                    #expect(loaded == .done, "before \(call ?? "the end"): \(loaded)")
                    let saved = try save(api)
                    #expect((saved == .done) == (call == nil), "\(saved)")
                    #expect((system("cmp -s \(files.state) \(before)") != 0) == isNew, "\(call ?? "")")
                    if call == nil {
                        // Nothing is left of those that were killed.
                        #expect(names() == expected.sorted())
                    } else {
                        #expect(try api.monitor.finish().status == 128 + SIGSYS)
                        #expect(names() != expected.sorted(), "\(call ?? "")")
                    }
                }
            }
        }
    }
#endif
