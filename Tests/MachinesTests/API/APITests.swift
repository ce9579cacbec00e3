#if arch(x86_64)
    import Glibc
    import Linux
    import Machines
    import OCI
    import TestSupport
    import Testing

    @testable import bulkhead_vm

    // In the suite of machines, so that they run one after the other.
    extension MachineTests {
        /// The built program, driven by curl. The guests are a few instructions, which every KVM runs.
        @Suite(.needs(.program("curl")), .serialized) struct APITests {
            private let scratch = Scratch()

            /// A guest that waits for ever.
            private func idle() throws -> String {
                try scratch.file("idle", TestELF(code: [0xf4, 0xeb, 0xfd]).bytes)
            }

            private func boot(_ api: APIClient, sourceLocation: SourceLocation = #_sourceLocation) throws {
                let kernel = try idle()
                let source = #"{"kernel_image_path": "\#(kernel)"}"#
                #expect(try api("PUT", "/boot-source", source) == .done, sourceLocation: sourceLocation)
                let answer = try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#)
                #expect(answer == .done, sourceLocation: sourceLocation)
            }

            @Test func whoAnswersSaysWhoItIs() throws {
                let api = try APIClient("--id", "some-vm")
                let info = try api("GET", "/")
                #expect(info.status == 200)
                let json = try info.json()
                #expect(json["id"] == "some-vm" && json["state"] == "Not started")
                #expect(json["vmm_version"]?.stringValue == InstanceInfo.version)
                #expect(try api("GET", "/version").json()["firecracker_version"]?.stringValue == InstanceInfo.version)
                #expect(try api("GET", "/machine-config").json()["vcpu_count"] == 1)
                // The names that clients look for.
                let config = try api("GET", "/vm/config").json()
                for name in ["drives", "boot-source", "machine-config", "network-interfaces", "vsock", "balloon"] {
                    #expect(config[name] != nil, "\(name)")
                }
            }

            @Test(.needs(.kvm)) func aMachineIsSavedAndLoaded() throws {
                let (state, memory) = (try scratch.file("state", []), try scratch.file("memory", []))
                let disk = try scratch.hole("disk", size: 1 << 20)
                func files(_ state: String, _ memory: String) -> String {
                    #"{"snapshot_path": "\#(state)", "mem_file_path": "\#(memory)"}"#
                }
                func create(_ api: APIClient, _ state: String, _ memory: String) throws -> APIClient.Answer {
                    try api("PUT", "/snapshot/create", files(state, memory))
                }
                let open = "Create snapshot error: Cannot perform open on the"
                let missing = "No such file or directory (os error 2)"
                let saved = try APIClient("--accept-emulation")
                #expect(try create(saved, state, memory).fault == Fault.preBoot.message)
                let drive = #"{"drive_id": "d", "is_root_device": false, "path_on_host": "\#(disk)"}"#
                #expect(try saved("PUT", "/drives/d", drive) == .done)
                #expect(try saved("PUT", "/pmem/p", #"{"id": "p", "path_on_host": "\#(disk)"}"#) == .done)
                #expect(
                    try saved("PUT", "/snapshot/load", files(state, memory)).fault
                        == "Load snapshot error: Loading a microVM snapshot not allowed after configuring boot-specific "
                        + "resources.")
                try boot(saved)
                #expect(try saved("PUT", "/pmem/q", #"{"id": "q", "path_on_host": "\#(disk)"}"#) == .done)
                #expect(try create(saved, state, memory).fault?.hasSuffix("unavailable while running") == true)
                #expect(try saved("PATCH", "/vm", #"{"state": "Paused"}"#) == .done)
                #expect(try create(saved, "/none/state", memory).fault == "\(open) snapshot backing file: \(missing)")
                #expect(try create(saved, state, "/none/memory").fault == "\(open) memory backing file: \(missing)")
                #expect(try create(saved, state, memory) == .done)
                #expect(try saved("PATCH", "/vm", #"{"state": "Resumed"}"#) == .done)

                let loaded = try APIClient("--accept-emulation")
                func refusal(_ state: String, _ memory: String, _ more: String = "") throws -> String {
                    let body = files(state, memory).dropLast() + more + "}"
                    let fault = try loaded("PUT", "/snapshot/load", String(body)).fault ?? "none"
                    let common = "Load snapshot error: Failed to restore from snapshot: Failed to "
                    #expect(fault.hasPrefix(common), "\(fault)")
                    return String(fault.dropFirst(common.count))
                }
                let (ofState, ofMemory) = (
                    "get snapshot state from file: ", "load guest memory: Error creating guest memory from "
                )
                #expect(try refusal("/none", memory) == "\(ofState)Failed to open snapshot file: \(missing)")
                #expect(
                    try refusal(memory, memory)
                        == "\(ofState)Failed to load snapshot state from file: the file is no snapshot of a machine")
                #expect(try refusal(state, "/none") == "\(ofMemory)file: Failed to load guest memory: \(missing)")
                #expect(try refusal(state, disk).hasPrefix("\(ofMemory)file: Failed to restore guest memory: "))
                let card = #", "network_overrides": [{"iface_id": "x", "host_dev_name": "y"}]"#
                #expect(try refusal(state, memory, card) == "\(ofState)Unknown Network Device.")
                let vsock = #", "vsock_override": {"uds_path": "y"}"#
                #expect(try refusal(state, memory, vsock) == "\(ofState)Unknown Vsock Device.")
                // What was refused left nothing, and who is told better goes on.
                let more = #", "track_dirty_pages": true}"#
                #expect(try loaded("PUT", "/snapshot/load", String(files(state, memory).dropLast() + more)) == .done)
                #expect(try loaded("GET", "/").json()["state"] == "Paused")
                let config = try loaded("GET", "/vm/config").json()
                #expect(config["drives"]?.arrayValue?.first?["path_on_host"]?.stringValue == disk)
                #expect(config["pmem"]?.arrayValue?.map { $0["id"]?.stringValue } == ["p", "q"])
                #expect(config["machine-config"]?["track_dirty_pages"] == true)
                #expect(try loaded("PATCH", "/drives/d", #"{"drive_id": "d", "path_on_host": "\#(disk)"}"#) == .done)
                #expect(try loaded("PATCH", "/vm", #"{"state": "Resumed"}"#) == .done)
                #expect(try loaded("PUT", "/snapshot/load", files(state, memory)).fault == Fault.postBoot.message)

                let told = try Monitor(["--describe-snapshot", state]).finish()
                #expect(told.status == 0 && told.out == "v2.0.0\n", "\(told)")
                #expect(try Monitor(["--snapshot-version"]).finish().out == "v2.0.0\n")
                let wrong = try Monitor(["--describe-snapshot", memory]).finish()
                #expect(wrong.status == 1 && wrong.err.contains("no snapshot of a machine"), "\(wrong)")
            }

            @Test(.needs(.kvm), .needs(.root)) func aTapThatARestoredCardCanNotHaveIsNamed() throws {
                let (state, memory) = (try scratch.file("state", []), try scratch.file("memory", []))
                let saved = try APIClient("--accept-emulation")
                let card = #"{"iface_id": "n", "host_dev_name": "bha\#(getpid())"}"#
                #expect(try saved("PUT", "/network-interfaces/n", card) == .done)
                try boot(saved)
                #expect(try saved("PATCH", "/vm", #"{"state": "Paused"}"#) == .done)
                let files = #""snapshot_path": "\#(state)", "mem_file_path": "\#(memory)""#
                #expect(try saved("PUT", "/snapshot/create", "{\(files)}") == .done)
                let loaded = try APIClient("--accept-emulation")
                let other = #""network_overrides": [{"iface_id": "n", "host_dev_name": "lo"}]"#
                #expect(
                    try loaded("PUT", "/snapshot/load", "{\(files), \(other)}").fault
                        == "Load snapshot error: Failed to restore from snapshot: Failed to build microVM from snapshot: "
                        + "Failed to restore devices: Net: Failed to create a network device: Open tap device failed: Error "
                        + "while creating ifreq structure: Invalid argument (os error 22). Invalid TUN/TAP Backend provided "
                        + "by lo. Check our documentation on setting up the network devices.")
            }

            @Test(.needs(.kvm)) func theSerialPortsOutputHasALimit() throws {
                let (output, metrics) = (try scratch.file("output", []), try scratch.file("metrics", []))
                // 200 letters to port 0x3f8, and no more.
                let code: [UInt8] = [
                    0x66, 0xba, 0xf8, 0x03, 0xb0, 0x61, 0xb9, 200, 0, 0, 0, 0xee, 0xff, 0xc9, 0x75, 0xfb, 0xf4, 0xeb,
                    0xfd,
                ]
                let kernel = try scratch.file("letters", TestELF(code: code).bytes)
                let api = try APIClient("--accept-emulation", "--metrics-path", metrics)
                let limit = #"{"size": 16, "one_time_burst": 4, "refill_time": 1000000000}"#
                let serial = #"{"serial_out_path": "\#(output)", "rate_limiter": \#(limit)}"#
                #expect(try api("PUT", "/serial", serial) == .done)
                #expect(try api("PUT", "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
                var dropped = 0
                let isThere = try eventually(20) {
                    _ = try api("PUT", "/actions", #"{"action_type": "FlushMetrics"}"#)
                    dropped = try readText(metrics).split(separator: "\n").reduce(0) { sum, line in
                        let uart = try JSON(parsing: String(line))["uart"]
                        return sum + (uart?["rate_limiter_dropped_bytes"]?.integerValue(as: Int.self) ?? 0)
                    }
                    return dropped == 180
                }
                #expect(isThere, "\(dropped)")
                #expect(try readText(output) == String(repeating: "a", count: 20))
            }

            @Test(.needs(.kvm)) func moreHugePagesThanThereAreAreRefused() throws {
                let api = try APIClient("--accept-emulation")
                #expect(try api("PUT", "/boot-source", #"{"kernel_image_path": "\#(try idle())"}"#) == .done)
                // 256 GiB.
                let settings = #"{"vcpu_count": 1, "mem_size_mib": 262144, "huge_pages": "2M"}"#
                #expect(try api("PUT", "/machine-config", settings) == .done)
                #expect(try api("GET", "/machine-config").json()["huge_pages"] == "2M")
                let fault = try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#).fault ?? "none"
                #expect(fault.hasPrefix("Start microvm error: Invalid Memory Configuration: map "), "\(fault)")
                #expect(fault.contains("ENOMEM") && fault.contains("nr_hugepages"), "\(fault)")
                // Without them the same machine starts.
                let plain = #"{"mem_size_mib": 128, "huge_pages": "None"}"#
                #expect(try api("PATCH", "/machine-config", plain) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
            }

            @Test(.needs(.kvm)) func aTemplateForOtherProcessorsIsRefused() throws {
                let api = try APIClient("--accept-emulation")
                let isAMD = try ProcessorModel.ofHost().vendor == "AuthenticAMD"
                #expect(try api("PUT", "/boot-source", #"{"kernel_image_path": "\#(try idle())"}"#) == .done)
                let template = #"{"cpu_template": "\#(isAMD ? "T2" : "T2A")"}"#
                #expect(try api("PATCH", "/machine-config", template) == .done)
                #expect(
                    try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#).fault
                        == "Start microvm error: Failed to get CPU template: CPU vendor mismatched between actual CPU and "
                        + "CPU template.")
                // Without it the same machine starts.
                #expect(try api("PATCH", "/machine-config", #"{"cpu_template": "None"}"#) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
            }

            @Test func aLargerBodyMayBeAllowed() throws {
                let api = try APIClient("--http-api-max-payload-size", "100000")
                let spaces = String(repeating: " ", count: 90_000)
                #expect(try api("PUT", "/machine-config", #"{"vcpu_count": 1, "mem_size_mib": 64}"# + spaces) == .done)
            }

            @Test(.needs(.kvm)) func metadataWithoutACardIsThereBeforeTheStartAlone() throws {
                let api = try APIClient("--accept-emulation")
                #expect(try api("PUT", "/mmds", #"{"a": 1}"#) == .done)
                #expect(try api("GET", "/mmds") == .init(status: 200, body: #"{"a":1}"#))
                let large = #"{"a": "\#(String(repeating: "x", count: 51_180))"}"#
                let refusal = try api("PUT", "/mmds", large)
                #expect(refusal.status == 204, "\(refusal)")
                let patch = try api("PATCH", "/mmds", #"{"b": "\#(String(repeating: "x", count: 100))"}"#)
                #expect(patch.status == 413 && patch.fault?.hasPrefix("MMDS limit exceeded error: ") == true)
                try boot(api)
                for (method, body) in [("GET", nil), ("PUT", "{}"), ("PATCH", "{}")] as [(String, String?)] {
                    #expect(
                        try api(method, "/mmds", body).fault
                            == "MMDS error: The MMDS data store is not initialized.")
                }
            }

            @Test(.needs(.kvm)) func drivesComeWhileTheGuestRuns() throws {
                let metrics = try scratch.file("metrics", [])
                let api = try APIClient("--accept-emulation", "--metrics-path", metrics)
                try boot(api)
                func drive(_ id: String, isRoot: Bool = false, engine: String = "Sync") throws -> String {
                    let path = try scratch.hole(id, size: 4096)
                    return #"{"drive_id": "\#(id)", "is_root_device": \#(isRoot), "path_on_host": "\#(path)", "#
                        + #""io_engine": "\#(engine)"}"#
                }
                #expect(try api("PUT", "/drives/a", try drive("a")) == .done)
                #expect(try api("PUT", "/drives/a", try drive("a")).fault == "Device ID in use")
                #expect(
                    try api("PUT", "/drives/b", try drive("b", isRoot: true)).fault
                        == "Drive config error: A root block device already exists!")
                let missing = #"{"drive_id": "b", "is_root_device": false, "path_on_host": "/none"}"#
                #expect(try api("PUT", "/drives/b", missing).fault?.contains("No such file or directory") == true)
                // This guest's memory is the monitor's alone.
                let served = #"{"drive_id": "b", "is_root_device": false, "socket": "/none"}"#
                #expect(try api("PUT", "/drives/b", served).fault?.contains("memory can't be shared") == true)
                for id in ["b", "c", "d", "e", "f", "g", "h"] {
                    #expect(try api("PUT", "/drives/\(id)", try drive(id, engine: "Async")) == .done)
                }
                #expect(
                    try api("PUT", "/drives/i", try drive("i")).fault?.contains("no place for another device") == true)
                #expect(try api("PATCH", "/drives/c", #"{"drive_id": "c", "rate_limiter": {}}"#) == .done)
                let drives = try api("GET", "/vm/config").json()["drives"]?.arrayValue ?? []
                #expect(drives.map { $0["drive_id"]?.stringValue } == ["a", "b", "c", "d", "e", "f", "g", "h"])
                // Each has a group of counters.
                #expect(try api("PUT", "/actions", #"{"action_type": "FlushMetrics"}"#) == .done)
                let line = try JSON(parsing: try #require(try readText(metrics).split(separator: "\n").last).utf8)
                #expect(line["block_c"]?["update_count"] == 1 && line["block_d"]?["update_count"] == 0)
                #expect(line["block"]?["update_count"] == 1 && line["uart"]?["write_count"] != nil)
                #expect(line["put_api_requests"]?["drive_count"] == 13)
            }

            @Test(.needs(.kvm)) func devicesGoWhileTheGuestRuns() throws {
                let metrics = try scratch.file("metrics", [])
                let api = try APIClient("--accept-emulation", "--metrics-path", metrics)
                func drive(_ id: String, isRoot: Bool = false) throws -> String {
                    let path = try scratch.hole(id, size: 4096)
                    return #"{"drive_id": "\#(id)", "is_root_device": \#(isRoot), "path_on_host": "\#(path)"}"#
                }
                func pmem(_ id: String, _ more: String = "") throws -> String {
                    let path = try scratch.hole(id, size: 5000)
                    return #"{"id": "\#(id)", "path_on_host": "\#(path)"\#(more)}"#
                }
                #expect(try api("PUT", "/drives/boot", try drive("boot")) == .done)
                #expect(try api("PUT", "/drives/root", try drive("root", isRoot: true)) == .done)
                #expect(try api("PUT", "/pmem/a", try pmem("a", #", "read_only": true"#)) == .done)
                #expect(try api("DELETE", "/drives/boot").fault == Fault.preBoot.message)
                try boot(api)
                #expect(try api("DELETE", "/network-interfaces/boot").fault == "Device not found")
                #expect(try api("DELETE", "/drives/root").fault == "Cannot unplug root device")
                #expect(try api("DELETE", "/drives/boot") == .done)
                #expect(try api("DELETE", "/drives/boot").fault == "Device not found")
                // What it counted stays in the sum; another of its name begins anew.
                let limit = #"{"drive_id": "boot", "rate_limiter": {}}"#
                #expect(try api("PUT", "/drives/boot", try drive("boot")) == .done)
                #expect(try api("PATCH", "/drives/boot", limit) == .done)
                func flushed() throws -> JSON {
                    #expect(try api("PUT", "/actions", #"{"action_type": "FlushMetrics"}"#) == .done)
                    return try JSON(parsing: try #require(try readText(metrics).split(separator: "\n").last).utf8)
                }
                var line = try flushed()
                #expect(line["block"]?["update_count"] == 1 && line["block_boot"]?["update_count"] == 1)
                #expect(line["pmem_a"]?["queue_event_count"] == 0 && line["pmem"]?["queue_event_count"] == 0)
                #expect(try MetricsFile(path: metrics).sum("put_api_requests", "pmem_count") == 1)
                #expect(try api("PATCH", "/drives/boot", limit) == .done)
                #expect(try api("DELETE", "/drives/boot") == .done)
                line = try flushed()
                #expect(line["block"]?["update_count"] == 1 && line["block_boot"] == nil)

                let slow = #"{"id": "a", "rate_limiter": {"ops": {"size": 10, "refill_time": 100}}}"#
                #expect(try api("PATCH", "/pmem/a", slow) == .done)
                #expect(
                    try api("PATCH", "/pmem/none", slow.replacing("\"a\"", with: "\"none\"")).fault
                        == "Pmem config error: Unable to patch the pmem device: Failed perform action on device: "
                        + "Device not found Please verify the request arguments.")
                #expect(
                    try api("PUT", "/pmem/b", try pmem("b", #", "root_device": true"#)).fault?
                        .hasPrefix("Pmem config error: Attempt to add pmem as a root device") == true)
                #expect(try api("PUT", "/pmem/b", try pmem("b")) == .done)
                #expect(try api("PUT", "/pmem/b", try pmem("b")).fault == "Device ID in use")
                var config = try api("GET", "/vm/config").json()
                #expect(config["drives"]?.arrayValue?.map { $0["drive_id"]?.stringValue } == ["root"])
                #expect(config["pmem"]?.arrayValue?.map { $0["id"]?.stringValue } == ["a", "b"])
                #expect(config["pmem"]?.arrayValue?.first?["rate_limiter"]?["ops"]?["size"] == 10)
                #expect(try api("DELETE", "/pmem/a") == .done)
                config = try api("GET", "/vm/config").json()
                #expect(config["pmem"]?.arrayValue?.map { $0["id"]?.stringValue } == ["b"])
            }

            @Test(.needs(.kvm)) func aHundredDrivesThatCameAndWentLeaveNothing() throws {
                let api = try APIClient("--accept-emulation")
                try boot(api)
                let path = try scratch.hole("disk", size: 4096)
                // One curl for all of them.
                let body =
                    #"{\"drive_id\": \"a\", \"is_root_device\": false, \"io_engine\": \"Async\", "#
                    + #"\"path_on_host\": \"\#(path)\"}"#
                let common =
                    "unix-socket = \"\(api.socket)\"\nurl = \"http://localhost/drives/a\"\n"
                    + "write-out = \"%{http_code}\\n\""
                let put = "\(common)\nrequest = PUT\ndata = \"\(body)\"\n"
                func cycles(_ count: Int) throws -> String {
                    let script = try scratch.file(
                        "requests",
                        Array(
                            Array(repeating: "\(put)next\n\(common)\nrequest = DELETE\n", count: count)
                                .joined(separator: "next\n").utf8))
                    let output = try scratch.file("answers", [])
                    #expect(system("curl -sS -K \(script) >\(output) 2>&1") == 0)
                    return try readText(output)
                }
                func descriptors() throws -> Int { try #require(names(in: "/proc/\(api.monitor.pid)/fd")).count }
                #expect(try cycles(1) == "204\n204\n")
                let before = try descriptors()
                #expect(try cycles(100) == String(repeating: "204\n", count: 200))
                // A client's own connection ends a little later, and may be counted before.
                #expect(try eventually(20) { try descriptors() <= before })
            }

            @Test(.needs(.kvm)) func devicesChangeWhileTheGuestRuns() throws {
                let api = try APIClient("--accept-emulation")
                let (small, large) = (try scratch.hole("small", size: 4096), try scratch.hole("large", size: 1 << 20))
                #expect(
                    try api(
                        "PUT", "/drives/a",
                        #"{"drive_id": "a", "is_root_device": true, "path_on_host": "\#(small)", "#
                            + #""rate_limiter": {"bandwidth": {"size": 1000, "refill_time": 100}}}"#) == .done)
                #expect(
                    try api(
                        "PUT", "/balloon",
                        #"{"amount_mib": 8, "deflate_on_oom": true, "stats_polling_interval_s": 1, "free_page_hinting": true}"#
                    ) == .done)
                try boot(api)
                #expect(
                    try api("PATCH", "/drives/a", #"{"drive_id": "a", "path_on_host": "\#(large)"}"#) == .done)
                let ops = #"{"ops": {"size": 10, "refill_time": 100}}"#
                #expect(try api("PATCH", "/drives/a", #"{"drive_id": "a", "rate_limiter": \#(ops)}"#) == .done)
                let missing = "Failed perform action on device: Device not found"
                #expect(
                    try api("PATCH", "/drives/b", #"{"drive_id": "b", "path_on_host": "\#(large)"}"#).fault?
                        .contains(missing) == true)
                #expect(
                    try api("PATCH", "/drives/a", #"{"drive_id": "a", "path_on_host": "/none"}"#).fault?
                        .contains("No such file or directory (os error 2)") == true)
                #expect(
                    try api("PATCH", "/network-interfaces/n", #"{"iface_id": "n"}"#).fault?.contains(missing) == true)
                #expect(try api("PATCH", "/balloon", #"{"amount_mib": 16}"#) == .done)
                #expect(
                    try api("PATCH", "/balloon", #"{"amount_mib": 129}"#).fault
                        == "Balloon update error: Balloon: Requested memory should be less than 129MiB")
                #expect(try api("PATCH", "/balloon/statistics", #"{"stats_polling_interval_s": 5}"#) == .done)
                #expect(
                    try api("PATCH", "/balloon/statistics", #"{"stats_polling_interval_s": 0}"#).fault?
                        .hasSuffix("Statistics cannot be enabled/disabled after activation.") == true)
                #expect(try api("GET", "/balloon/statistics").json()["target_pages"] == 4096)
                #expect(try api("GET", "/balloon/hinting/status").json() == ["host_cmd": 0, "guest_cmd": nil])
                // No driver is there that could take it up.
                #expect(
                    try api("PATCH", "/balloon/hinting/start").fault?.hasSuffix("Device not activated yet.") == true)
                // What is told is what holds: a bucket that was not named is as it was.
                let config = try api("GET", "/vm/config").json()
                #expect(config["drives"]?.arrayValue?.first?["path_on_host"]?.stringValue == large)
                let limits = config["drives"]?.arrayValue?.first?["rate_limiter"]
                #expect(limits?["bandwidth"]?["size"] == 1000 && limits?["ops"]?["size"] == 10)
                #expect(config["balloon"]?["amount_mib"] == 16)
                #expect(config["balloon"]?["stats_polling_interval_s"] == 5)
            }

            @Test(.needs(.kvm)) func theGuestIsPausedAndGoesOn() throws {
                let metrics = try scratch.file("metrics", [])
                let api = try APIClient("--accept-emulation", "--metrics-path", metrics)
                try boot(api)
                let (pause, resume) = (#"{"state": "Paused"}"#, #"{"state": "Resumed"}"#)
                #expect(try api("PATCH", "/vm", pause) == .done)
                #expect(try api("GET", "/").json()["state"] == "Paused")
                // Twice is no error, and requests are answered meanwhile.
                #expect(try api("PATCH", "/vm", pause) == .done)
                #expect(try api("GET", "/machine-config").status == 200)
                #expect(try api("PATCH", "/vm", resume) == .done)
                #expect(try api("GET", "/").json()["state"] == "Running")
                #expect(try api("PATCH", "/vm", resume) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "FlushMetrics"}"#) == .done)
                let line = try #require(try MetricsFile(path: metrics).lines().last)
                #expect(line["latencies_us"]?["pause_vm"] != nil && line["latencies_us"]?["resume_vm"] != nil)
                #expect(try api("PATCH", "/vm", pause) == .done)
                api.monitor.signal(SIGTERM)
                #expect(try api.monitor.finish().status == 128 + SIGTERM)
            }

            @Test(.needs(.kvm)) func whereThereIsNoBalloonThereIsNone() throws {
                let api = try APIClient("--accept-emulation")
                try boot(api)
                let missing = "Failed perform action on device: Device not found"
                #expect(try api("GET", "/balloon").fault == "Internal VMM error: \(missing)")
                #expect(try api("GET", "/balloon/statistics").fault == "Internal VMM error: \(missing)")
                #expect(
                    try api("PATCH", "/balloon", #"{"amount_mib": 1}"#).fault == "Balloon update error: \(missing)")
                #expect(try api("GET", "/hotplug/memory").fault == "Internal VMM error: \(missing)")
                #expect(
                    try api("PATCH", "/hotplug/memory", #"{"requested_size_mib": 0}"#).fault
                        == "Memory hotplug update error: \(missing)")
            }

            @Test(.needs(.kvm)) func hotPlugMemoryIsAskedForAndTellsOfItself() throws {
                let metrics = try scratch.file("metrics", [])
                let api = try APIClient("--accept-emulation", "--metrics-path", metrics)
                let (size, path) = (#"{"total_size_mib": 256, "block_size_mib": 4}"#, "/hotplug/memory")
                #expect(try api("PUT", path, size) == .done)
                try boot(api)
                func status() throws -> [String] {
                    let json = try api("GET", path).json()
                    let names = ["total", "slot", "block", "plugged", "requested"]
                    return names.map { json["\($0)_size_mib"]?.integerValue(as: Int.self).map(String.init) ?? "none" }
                }
                #expect(try status() == ["256", "128", "4", "0", "0"])
                #expect(try api("PUT", path, size).fault == Fault.postBoot.message)
                func ask(_ number: String) throws -> APIClient.Answer {
                    try api("PATCH", path, "{\"requested_size_mib\": \(number)}")
                }
                // The guest has no driver for it.
                #expect(try ask("64") == .done)
                #expect(try status() == ["256", "128", "4", "0", "64"])
                let refusal = "Memory hotplug update error: requested_size_mib is"
                #expect(try ask("6").fault == "\(refusal) 6: it must be a multiple of the block size (4 MiB)")
                #expect(
                    try ask("260").fault == "\(refusal) 260: it must not be larger than the total size (256 MiB)")
                let huge = "4294967295"
                #expect(
                    try ask(huge).fault == "\(refusal) \(huge): it must not be larger than the total size (256 MiB)")
                #expect(try ask("-4").fault?.contains("invalid value: integer `-4`, expected u32") == true)
                #expect(try api("PATCH", path, "{}").fault?.contains("missing field `requested_size_mib`") == true)
                #expect(try status().last == "64")
                #expect(try api("PUT", "/actions", #"{"action_type": "FlushMetrics"}"#) == .done)
                let line = try #require(try MetricsFile(path: metrics).lines().last)
                #expect(line["memory_hotplug"]?["plug_count"] == 0)
                #expect(line["patch_api_requests"]?["hotplug_memory_count"] == 6)
                #expect(line["patch_api_requests"]?["hotplug_memory_fails"] == 2)
                #expect(try MetricsFile(path: metrics).sum("put_api_requests", "hotplug_memory_count") == 2)
            }

            @Test(.needs(.kvm)) func aStartThatFailsCanBeTriedAgain() throws {
                let api = try APIClient("--accept-emulation")
                let bad = try scratch.file("bad", Array("no kernel".utf8))
                #expect(try api("PUT", "/boot-source", #"{"kernel_image_path": "\#(bad)"}"#) == .done)
                let vsock = "\(scratch.path)/v"
                #expect(try api("PUT", "/vsock", #"{"guest_cid": 3, "uds_path": "\#(vsock)"}"#) == .done)
                let start = #"{"action_type": "InstanceStart"}"#
                #expect(
                    try api("PUT", "/actions", start).fault?.hasPrefix("Start microvm error: Cannot load the kernel: ")
                        == true)
                #expect(access(vsock, F_OK) != 0)
                #expect(try api("GET", "/").json()["state"] == "Not started")
                try boot(api)
                #expect(try api("GET", "/").json()["state"] == "Running")
                api.monitor.signal(SIGTERM)
                #expect(try api.monitor.finish().status == 128 + SIGTERM)
                #expect(access(vsock, F_OK) != 0 && access(api.socket, F_OK) != 0)
            }

            @Test(.needs(.kvm)) func aGuestThatEndsEndsTheProgramWell() throws {
                // A write to the reset register, and to the keyboard's controller.
                for code: [UInt8] in [
                    [0x66, 0xba, 0x04, 0x06, 0xb0, 0x42, 0xee, 0xf4], [0xb0, 0xfe, 0xe6, 0x64, 0xf4],
                ] {
                    let metrics = try scratch.file("metrics", [])
                    let api = try APIClient("--accept-emulation", "--metrics-path", metrics)
                    let kernel = try scratch.file("kernel", TestELF(code: code).bytes)
                    #expect(try api("PUT", "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#) == .done)
                    #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
                    let outcome = try api.monitor.finish()
                    #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
                    #expect(outcome.out.contains("exit_code=0"))
                    #expect(access(api.socket, F_OK) != 0)
                    // The last line of the metrics is written at the end, the first may have it all already.
                    #expect(try MetricsFile(path: metrics).lines().count == 2)
                    #expect(try MetricsFile(path: metrics).sum("vcpu", "exit_io_out") == 1)
                }
            }

            @Test(.needs(.kvm)) func theGuestSaysThatItIsUp() throws {
                let log = try scratch.file("log", [])
                let api = try APIClient("--accept-emulation", "--boot-timer", "--log-path", log, "--show-level")
                // mov ebx, 0xc0000000; mov byte [ebx], 123; hlt; jmp
                let code: [UInt8] = [0xbb, 0, 0, 0, 0xc0, 0xc6, 0x03, 123, 0xf4, 0xeb, 0xfd]
                let kernel = try scratch.file("kernel", TestELF(code: code, pvhEntry: 0x100000).bytes)
                #expect(try api("PUT", "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
                #expect(eventually(20) { (try? readText(log))?.contains("Guest-boot-time = ") == true })
                let line = try #require(
                    try readText(log).split(separator: "\n").first { $0.contains("Guest-boot-time") })
                #expect(line.contains(" [anonymous-instance:main:INFO] Guest-boot-time = "))
                #expect(line.hasSuffix(" CPU ms"))
            }

            @Test(.needs(.kvm)) func metricsAreFlushedWhenAskedFor() throws {
                let metrics = try scratch.file("metrics", [])
                let api = try APIClient("--accept-emulation")
                #expect(try api("PUT", "/metrics", #"{"metrics_path": "\#(metrics)"}"#) == .done)
                _ = try api("PUT", "/drives/a", "{}")
                try boot(api)
                let flush = #"{"action_type": "FlushMetrics"}"#
                #expect(try api("PUT", "/actions", flush) == .done)
                #expect(try api("PUT", "/actions", flush) == .done)
                let lines = try MetricsFile(path: metrics).lines()
                // The first is that of the start.
                #expect(lines.map { $0["put_api_requests"]?["drive_fails"] } == [1, 0, 0])
                #expect(lines.map { $0["put_api_requests"]?["actions_count"] } == [1, 1, 1])
            }

            @Test(.needs(.kvm)) func aConfigurationFileIsStartedAtOnce() throws {
                let off: [UInt8] = [0x66, 0xba, 0x00, 0x06, 0xb0, 0x34, 0xee, 0xf4]
                let kernel = try scratch.file("kernel", TestELF(code: off).bytes)
                func run(_ text: String) throws -> Monitor.Outcome {
                    let file = try scratch.file("config", Array(text.utf8))
                    return try Monitor(["--no-api", "--accept-emulation", "--config-file", file]).finish()
                }
                let source = #""boot-source": {"kernel_image_path": "\#(kernel)"}"#
                let good = try run(
                    #"{\#(source), "drives": [], "machine-config": {"vcpu_count": 2, "mem_size_mib": 64}, "#
                        + #""memory-hotplug": {"total_size_mib": 128}}"#)
                #expect(good.status == 0, "\(good.out)\(good.err)")
                #expect(good.out.contains("configured from one single json"))
                for text in [
                    "{", "{}", "{\(source)}", #"{\#(source), "drives": [{}]}"#,
                    #"{\#(source), "drives": [], "foo": 1}"#,
                    #"{\#(source), "drives": [], "memory-hotplug": {"total_size_mib": 100}}"#,
                    #"{\#(source), "drives": [], "machine-config": {"vcpu_count": 0, "mem_size_mib": 64}}"#,
                    #"{\#(source), "drives": [], "mmds-config": {"network_interfaces": []}}"#,
                ] {
                    let bad = try run(text)
                    #expect(bad.status == 152, "\(text): \(bad.err)")
                    #expect(bad.err.contains("Configuration for VMM from one single json failed"), "\(bad.err)")
                }
                let missing = try Monitor(["--no-api", "--config-file", "/none"]).finish()
                #expect(missing.status == 1 && missing.err.hasSuffix("No such file or directory (os error 2)\n"))
            }

            @Test func commandLinesThatAreWrongHaveFirecrackersStatus() throws {
                #expect(try Monitor(["--foo"]).finish().status == 153)
                #expect(try Monitor(["--api-sock"]).finish().status == 153)
                #expect(try Monitor(["--level", "loud"]).finish().status == 152)
                #expect(try Monitor(["--log-path", "/none/log"]).finish().status == 1)
                let version = try Monitor(["--version"]).finish()
                #expect(version.status == 0 && version.out == "Firecracker v\(InstanceInfo.version)\n")
                #expect(try Monitor(["--help"]).finish().out.contains("--api-sock"))
            }

            @Test func aSocketThatIsTakenIsNamedAndLeft() throws {
                let path = try scratch.file("taken", [])
                let outcome = try Monitor(["--api-sock", path]).finish()
                #expect(outcome.status == 1)
                #expect(
                    outcome.err.contains(
                        "Failed to open the API socket at: \(path). Check that it is not already used."))
                #expect(access(path, F_OK) == 0)
            }

            @Test(.needs(.testVM)) func withoutAWordItServesWhereFirecrackerDoes() throws {
                let socket = "/run/firecracker.socket"
                let monitor = try Monitor([])
                #expect(eventually(30) { access(socket, F_OK) == 0 })
                #expect(run("curl", "-sf", "-o", "/dev/null", "--unix-socket", socket, "http://localhost/version") == 0)
                monitor.signal(SIGTERM)
                #expect(try monitor.finish().signal == SIGTERM)
                #expect(access(socket, F_OK) != 0)
            }

            @Test(arguments: [SIGTERM, SIGINT]) func aSignalEndsItAndTakesTheSocketAway(_ signal: CInt) throws {
                let api = try APIClient()
                api.monitor.signal(signal)
                #expect(try api.monitor.finish().signal == signal)
                #expect(access(api.socket, F_OK) != 0)
            }

            @Test(arguments: [
                (SIGHUP, "sighup", 156), (SIGBUS, "sigbus", 149), (SIGSEGV, "sigsegv", 150), (SIGXFSZ, "sigxfsz", 151),
                (SIGXCPU, "sigxcpu", 154), (SIGILL, "sigill", 157),
            ]) func anotherEndsItAsItEndsFirecracker(_ signal: CInt, _ name: String, _ status: CInt) throws {
                let (metrics, log) = (try scratch.file("metrics", []), try scratch.file("log", []))
                let api = try APIClient("--metrics-path", metrics, "--log-path", log)
                api.monitor.signal(signal)
                let outcome = try api.monitor.finish()
                #expect(outcome.status == status && outcome.signal == nil, "\(outcome)")
                #expect(access(api.socket, F_OK) != 0)
                let line = try JSON(parsing: try readText(metrics))
                #expect(line["signals"]?[name] == 1)
                #expect(
                    try readText(log).contains("Shutting down VM after intercepting signal \(signal), code 0."))
            }

            @Test(.needs(.kvm)) func aThousandRequestsLeaveNothingBehind() throws {
                let api = try APIClient("--accept-emulation", "--level", "Error")
                try boot(api)
                let pid = api.monitor.pid
                func descriptors() throws -> Int {
                    let folder = try #require(opendir("/proc/\(pid)/fd"))
                    defer { closedir(folder) }
                    var count = 0
                    while readdir(folder) != nil { count += 1 }
                    return count
                }
                func pages() throws -> Int {
                    let fields = try readText("/proc/\(pid)/statm").split(separator: " ")
                    return try #require(Int(fields[1]))
                }
                func ask(_ count: Int) throws {
                    let client = try UnixSocket.connect(to: api.socket)
                    let request = "GET /vm/config HTTP/1.1\r\n\r\n"
                    let answer = try { () throws in
                        try client.write(request)
                        return try client.next(upTo: 65536)
                    }()
                    for _ in 1..<count {
                        try client.write(request)
                        #expect(try client.next(upTo: 65536).count == answer.count)
                    }
                    // And one that is not finished.
                    try client.write("PUT /drives/a HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
                }
                for _ in 0..<10 { try ask(20) }
                let before = (try descriptors(), try pages())
                for _ in 0..<50 { try ask(20) }
                #expect(try api("GET", "/").status == 200)
                // It may not have heard yet that the last client went.
                #expect(try eventually(10) { try descriptors() <= before.0 })
                // The allocator may keep a few pages; a thousand answers would be a hundred and more.
                #expect(try pages() < before.1 + 64)
            }
        }
    }
#endif
