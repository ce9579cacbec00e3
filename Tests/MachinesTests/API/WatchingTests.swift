#if arch(x86_64)
    import Glibc
    import Linux
    import OCI
    import TestSupport
    import Testing

    @testable import bulkhead_vm

    // In the suite of machines, so that they run one after the other.
    extension MachineTests {
        /// What who watches a monitor finds in its log and its metrics without asking for it.
        @Suite(.needs(.program("curl")), .needs(.kvm), .serialized) struct WatchingTests {
            private let scratch = Scratch()
            private let metrics: MetricsFile
            private let log: String

            init() throws {
                metrics = MetricsFile(path: try scratch.file("metrics", []))
                log = "\(scratch.path)/log"
            }

            /// A guest that waits for ever.
            private func idle() throws -> String {
                try scratch.file("idle", TestELF(code: [0xf4, 0xeb, 0xfd]).bytes)
            }

            private func client(level: String = "Info") throws -> APIClient {
                try APIClient(
                    "--accept-emulation", "--metrics-path", metrics.path, "--log-path", log, "--level", level,
                    "--start-time-us", "1")
            }

            private func start(_ api: APIClient, sourceLocation: SourceLocation = #_sourceLocation) throws {
                let source = #"{"kernel_image_path": "\#(try idle())"}"#
                #expect(try api("PUT", "/boot-source", source) == .done, sourceLocation: sourceLocation)
                let answer = try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#)
                #expect(answer == .done, sourceLocation: sourceLocation)
            }

            /// What the log says, without times of any kind.
            private func said() throws -> [String] {
                try readText(log).split(separator: "\n").map { line in
                    line.drop { $0 != "]" }.dropFirst(2).split(separator: " ")
                        .map { $0.allSatisfy(\.isNumber) ? "N" : String($0) }.joined(separator: " ")
                }
            }

            @Test func theMetricsBeginWithTheMachine() throws {
                let api = try client()
                #expect(try metrics.lines().isEmpty)
                try start(api)
                let lines = try metrics.lines()
                try #require(lines.count == 1)
                #expect(lines[0]["put_api_requests"]?["actions_count"] == 1 && lines[0]["vcpu"]?["failures"] == 0)
                #expect(lines[0]["api_server"]?["process_startup_time_us"] != nil)
            }

            @Test func thoseOfAConfigurationFileBeginAtOnce() throws {
                let text = #"{"boot-source": {"kernel_image_path": "\#(try idle())"}, "drives": []}"#
                let monitor = try Monitor([
                    "--no-api", "--accept-emulation", "--metrics-path", metrics.path, "--start-time-us", "1",
                    "--config-file", try scratch.file("config", Array(text.utf8)),
                ])
                #expect(try eventually(30) { try !readText(metrics.path).isEmpty })
                let line = try #require(try metrics.lines().first)
                #expect(line["uart"]?["error_count"] == 0 && line["api_server"]?["process_startup_time_us"] != nil)
                monitor.signal(SIGTERM)
                #expect(try monitor.finish().status == 128 + SIGTERM)
            }

            @Test func theTimeOfPausesAndSnapshotsIsTold() throws {
                let disk = try scratch.hole("disk", size: 4096)
                let (state, memory) = (try scratch.file("state", []), try scratch.file("memory", []))
                let files = #""snapshot_path": "\#(state)", "mem_file_path": "\#(memory)""#
                let saved = try client()
                let drive = #"{"drive_id": "d", "is_root_device": false, "path_on_host": "\#(disk)"}"#
                #expect(try saved("PUT", "/drives/d", drive) == .done)
                try start(saved)
                #expect(try saved("PUT", "/snapshot/create", "{\(files)}").status == 400)
                #expect(try saved("PATCH", "/vm", #"{"state": "Paused"}"#) == .done)
                #expect(try saved("PUT", "/snapshot/create", "{\(files)}") == .done)
                #expect(try saved("PATCH", "/vm", #"{"state": "Resumed"}"#) == .done)
                #expect(try saved("GET", "/version").status == 200)
                let done = "The request was executed successfully. Status code: N No Content."
                // Lines are written a little after the answer.
                #expect(
                    try eventually(20) {
                        try said().last == "The request was executed successfully. Status code: N OK."
                    })
                let told = try said()
                for words in ["pause vm", "create full snapshot", "resume vm"] {
                    let end = try #require(told.firstIndex(of: "'\(words)' API request took N us."))
                    #expect(told[(end - 2)..<end] == ["'\(words)' VMM action took N us.", done], "\(told)")
                }
                #expect(told.count { $0.hasSuffix("API request took N us.") } == 3)
                #expect(!told.contains { $0.hasPrefix("Total previous") })
                // A guest that does not use KVM's clock can't be told by it that it was paused.
                let isCounted = try eventually(20) {
                    _ = try saved("PUT", "/actions", #"{"action_type": "FlushMetrics"}"#)
                    return try metrics.sum("vcpu", "kvmclock_ctrl_fails") == 1
                }
                #expect(isCounted)

                for path in [log, metrics.path] { truncate(path, 0) }
                let loaded = try client(level: "Debug")
                // The disk has gone meanwhile.
                unlink(disk)
                #expect(
                    try loaded("PUT", "/snapshot/load", "{\(files)}").fault
                        == "Load snapshot error: Failed to restore from snapshot: Failed to build microVM from snapshot: "
                        + "Failed to restore devices: Block: Virtio backend error: Error manipulating the backing file: "
                        + "No such file or directory (os error 2) \(disk)")
                #expect(try metrics.lines().isEmpty)
                _ = try scratch.hole("disk", size: 4096)
                #expect(try loaded("PUT", "/snapshot/load", "{\(files)}") == .done)
                let line = try #require(try metrics.lines().first)
                #expect(
                    line["latencies_us"]?["load_snapshot"] != nil && line["latencies_us"]?["vmm_load_snapshot"] != nil)
                #expect(try eventually(20) { try said().last == "Total previous API call duration: N us." })
                #expect(
                    try said().suffix(5) == [
                        "'load snapshot' VMM action took N us.", done, "'load snapshot' API request took N us.",
                        "PUT /snapshot/load: mem_file_path and enable_diff_snapshots fields are deprecated.",
                        "Total previous API call duration: N us.",
                    ])
            }

            @Test func outputThatTheHostRefusesIsCounted() throws {
                let code: [UInt8] = [0x66, 0xba, 0xf8, 0x03, 0xb0, 0x61, 0xee, 0xf4, 0xeb, 0xfd]
                let kernel = try scratch.file("letter", TestELF(code: code).bytes)
                let api = try client()
                #expect(try api("PUT", "/serial", #"{"serial_out_path": "/dev/full"}"#) == .done)
                #expect(try api("PUT", "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
                let isCounted = try eventually(20) {
                    _ = try api("PUT", "/actions", #"{"action_type": "FlushMetrics"}"#)
                    return try metrics.sum("uart", "error_count") == 1
                }
                #expect(isCounted)
            }

            @Test func filtersThatAreWrongAreInTheLog() throws {
                let empty = try scratch.file("empty", Array("{}".utf8))
                for (filter, why) in [
                    (
                        empty,
                        "Seccomp error: Filter deserialization failed: --seccomp-filter \"\(empty)\": vmm is missing"
                    ),
                    ("/none", "Seccomp error: --seccomp-filter: open \"/none\": no such file or directory (ENOENT)"),
                ] {
                    unlink(log)
                    let outcome = try Monitor([
                        "--api-sock", "\(scratch.path)/socket", "--log-path", log, "--seccomp-filter", filter,
                    ]).finish()
                    #expect(outcome.status == 1 && outcome.err == "bulkhead-vm: \(why)\n", "\(outcome.err)")
                    let lines = try readText(log).split(separator: "\n").map { $0.drop { $0 != "]" }.dropFirst(2) }
                    #expect(
                        lines.map(String.init) == [
                            "Running Firecracker v\(InstanceInfo.version)", why,
                            "Firecracker exiting with error. exit_code=1",
                        ])
                }
            }
        }
    }
#endif
