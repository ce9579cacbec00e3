/// Each method of each path, in the order in which they are asked for in each state, and what Firecracker answers.
///
/// A client configures a machine, starts it, pauses it, saves it; another monitor restores it and lets it go on. What ends
/// a state is asked for last. The guest has no drivers.
let everyEndpoint: [Endpoint] = [
    .init(
        method: "GET", path: "/", before: .told(#""state":"Not started""#), after: .told(#""state":"Paused""#),
        otherwise: [.running: .told(#""state":"Running""#), .resumed: .told(#""state":"Running""#)]),
    .init(
        method: "GET", path: "/version", before: .told(#"{"firecracker_version":"1.17.0"#),
        after: .told(#"{"firecracker_version":"1.17.0"#)),

    // Where words and counters go.
    .init(
        method: "PUT", path: "/logger", body: #"{"level": "Info", "show_level": true}"#,
        shape: Shape(
            "LoggerConfig", .may("log_path", .path), .may("level", .text), .may("show_level", .truth),
            .may("show_log_origin", .truth), .may("module", .text)),
        before: .done, after: .postBoot),
    .init(
        method: "PUT", path: "/metrics",
        body: #"{"metrics_path": "$DIR/metrics", "emit_id": true, "properties": {"owner": "test"}}"#,
        shape: Shape(
            "MetricsConfig", .must("metrics_path", .path), .may("emit_id", .truth), .may("properties", .value("a map"))),
        before: .done, after: .postBoot),
    .init(
        method: "PUT", path: "/serial", body: #"{"serial_out_path": "$DIR/serial"}"#,
        shape: Shape("SerialConfig", .may("serial_out_path", .path), .may("rate_limiter", .any)),
        before: .done, after: .postBoot),

    // The machine.
    .init(
        method: "PUT", path: "/machine-config", body: #"{"vcpu_count": 2, "mem_size_mib": 16}"#,
        shape: machine("MachineConfig"),
        before: .done, after: .postBoot),
    .init(
        method: "PATCH", path: "/machine-config", body: #"{"vcpu_count": 1}"#,
        shape: machine("MachineConfigUpdate", isWhole: false), before: .done, after: .postBoot),
    .init(
        method: "GET", path: "/machine-config", before: .told(#"{"vcpu_count":1,"mem_size_mib":16,"#),
        after: .told(#"{"vcpu_count":1,"mem_size_mib":16,"#)),
    .init(
        method: "PUT", path: "/cpu-config", body: #"{"kvm_capabilities": []}"#,
        shape: Shape(
            "CustomCpuTemplate", .may("kvm_capabilities", .list), .may("cpuid_modifiers", .list),
            .may("msr_modifiers", .list)),
        before: .done, after: .postBoot),
    .init(
        method: "PUT", path: "/boot-source", body: #"{"kernel_image_path": "$DIR/kernel", "boot_args": "quiet"}"#,
        shape: Shape(
            "BootSourceConfig", .must("kernel_image_path", .text), .may("initrd_path", .text), .may("boot_args", .text)),
        before: .done, after: .postBoot),

    // Devices that come and go.
    .init(
        method: "PUT", path: "/drives", id: "d",
        body: #"{"drive_id": "d", "is_root_device": false, "path_on_host": "$DIR/disk", "io_engine": "Sync"}"#,
        shape: Shape(
            "BlockDeviceConfig", id: ("drive_id", false), .must("drive_id", .text), .may("partuuid", .text),
            .must("is_root_device", .truth), .may("cache_type", .oneOf(["Unsafe", "Writeback"])),
            .may("is_read_only", .truth), .may("path_on_host", .text), .may("rate_limiter", .limit),
            .may("io_engine", .oneOf(["Async", "Sync"])), .may("socket", .text)),
        before: .done, after: .done, otherwise: [.running: isTaken, .restored: isTaken]),
    .init(
        method: "PATCH", path: "/drives", id: "d", body: #"{"drive_id": "d", "path_on_host": "$DIR/disk"}"#,
        shape: Shape(
            "BlockDeviceUpdateConfig", id: ("drive_id", false), .must("drive_id", .text), .may("path_on_host", .text),
            .may("rate_limiter", .limit)),
        before: .preBoot, after: .done),
    .init(
        method: "PUT", path: "/network-interfaces", id: "n",
        body: #"{"iface_id": "n", "host_dev_name": "$TAP", "guest_mac": "06:00:00:00:00:01"}"#,
        shape: Shape(
            "NetworkInterfaceConfig", id: ("iface_id", true), .must("iface_id", .text), .must("host_dev_name", .text),
            .may("guest_mac", .text), .may("mtu", .number("u16")), .may("rx_rate_limiter", .limit),
            .may("tx_rate_limiter", .limit)),
        before: .done, after: .done, otherwise: [.running: isTaken, .restored: isTaken]),
    .init(
        method: "PATCH", path: "/network-interfaces", id: "n",
        body: #"{"iface_id": "n", "rx_rate_limiter": {"ops": {"size": 10, "refill_time": 100}}}"#,
        shape: Shape(
            "NetworkInterfaceUpdateConfig", id: ("iface_id", true), .must("iface_id", .text),
            .may("rx_rate_limiter", .limit), .may("tx_rate_limiter", .limit)),
        before: .preBoot, after: .done),
    .init(
        method: "PUT", path: "/pmem", id: "p", body: #"{"id": "p", "path_on_host": "$DIR/memory"}"#,
        shape: Shape(
            "PmemConfig", id: ("id", false), .must("id", .text), .must("path_on_host", .text),
            .may("root_device", .truth), .may("read_only", .truth), .may("rate_limiter", .limit)),
        before: .done, after: .done, otherwise: [.running: isTaken, .restored: isTaken]),
    .init(
        method: "PATCH", path: "/pmem", id: "p",
        body: #"{"id": "p", "rate_limiter": {"bandwidth": {"size": 4096, "refill_time": 100}}}"#,
        shape: Shape(
            "PmemDeviceUpdateConfig", id: ("id", false), .must("id", .text), .may("rate_limiter", .limit)),
        before: .preBoot, after: .done),

    // Devices that stay.
    .init(
        method: "PUT", path: "/vsock", body: #"{"guest_cid": 3, "uds_path": "$DIR/vsock"}"#, shape: vsock,
        before: .done,
        after: .postBoot),
    .init(
        method: "PUT", path: "/vsock", body: #"{"vsock_id": "v", "guest_cid": 3, "uds_path": "$DIR/vsock"}"#,
        before: .done, after: .postBoot, isDeprecated: true),
    .init(
        method: "PUT", path: "/entropy", body: "{}", shape: Shape("EntropyDeviceConfig", .may("rate_limiter", .limit)),
        before: .done, after: .postBoot),
    .init(
        method: "PUT", path: "/balloon",
        body: #"{"amount_mib": 1, "deflate_on_oom": true, "stats_polling_interval_s": 1, "free_page_hinting": true}"#,
        shape: Shape(
            "BalloonDeviceConfig", .must("amount_mib", .number("u32")), .must("deflate_on_oom", .truth),
            .may("stats_polling_interval_s", .number("u16")), .may("free_page_hinting", .truth),
            .may("free_page_reporting", .truth)),
        before: .done, after: .postBoot),
    .init(
        method: "GET", path: "/balloon", before: .told(#"{"amount_mib":1,"deflate_on_oom":true,"#),
        after: .told(#"{"amount_mib":2,"deflate_on_oom":true,"#),
        otherwise: [.running: .told(#"{"amount_mib":1,"deflate_on_oom":true,"#)]),
    .init(
        method: "PATCH", path: "/balloon", body: #"{"amount_mib": 2}"#,
        shape: Shape("BalloonUpdateConfig", .must("amount_mib", .number("u32"))), before: .preBoot, after: .done),
    .init(method: "GET", path: "/balloon/statistics", before: .preBoot, after: .told(#""target_mib":2"#)),
    .init(
        method: "PATCH", path: "/balloon/statistics", body: #"{"stats_polling_interval_s": 2}"#,
        shape: Shape("BalloonUpdateStatsConfig", .must("stats_polling_interval_s", .number("u16"))),
        before: .preBoot, after: .done),
    .init(
        method: "PATCH", path: "/balloon/hinting/start", body: #"{"acknowledge_on_stop": false}"#,
        shape: Shape("StartHintingCmd", .may("acknowledge_on_stop", .truth)), mayBeEmpty: true,
        before: .preBoot, after: hasNoDriver),
    .init(method: "PATCH", path: "/balloon/hinting/stop", mayBeEmpty: true, before: .preBoot, after: hasNoDriver),
    .init(
        method: "GET", path: "/balloon/hinting/status", before: .preBoot, after: .told(#"{"host_cmd":0,"guest_cmd":"#)),
    .init(
        method: "PUT", path: "/hotplug/memory", body: #"{"total_size_mib": 128}"#,
        shape: Shape(
            "MemoryHotplugConfig", .must("total_size_mib", .number("u32")), .may("block_size_mib", .number("u32")),
            .may("slot_size_mib", .number("u32"))),
        before: .done, after: .postBoot),
    .init(method: "GET", path: "/hotplug/memory", before: .preBoot, after: .told(#""total_size_mib":128"#)),
    .init(
        method: "PATCH", path: "/hotplug/memory", body: #"{"requested_size_mib": 0}"#,
        shape: Shape("MemoryHotplugSizeUpdate", .must("requested_size_mib", .number("u32"))), before: .preBoot,
        after: .done),

    // What the guest is told of itself.
    .init(
        method: "PUT", path: "/mmds/config", body: #"{"network_interfaces": ["n"]}"#, before: .done, after: .postBoot,
        isDeprecated: true),
    .init(
        method: "PUT", path: "/mmds/config", body: #"{"version": "V2", "network_interfaces": ["n"]}"#,
        shape: Shape(
            "MmdsConfig", .may("version", .oneOf(["V1", "V2"])), .must("network_interfaces", .list),
            .may("ipv4_address", .value("IPv4 address")), .may("imds_compat", .truth)),
        before: .done, after: .postBoot),
    .init(method: "PUT", path: "/mmds", body: #"{"a": 1}"#, before: .done, after: .done),
    .init(method: "PATCH", path: "/mmds", body: #"{"b": 2}"#, before: .done, after: .done),
    .init(method: "GET", path: "/mmds", before: .told(#"{"a":1,"b":2}"#), after: .told(#"{"a":1,"b":2}"#)),

    // The machine as a whole.
    .init(
        method: "GET", path: "/vm/config", before: .told(#""kernel_image_path":"#),
        after: .told(#""kernel_image_path":"#)),
    .init(
        method: "PUT", path: "/actions", body: #"{"action_type": "FlushMetrics"}"#, before: .preBoot, after: .done),
    .init(
        method: "PUT", path: "/actions", body: #"{"action_type": "SendCtrlAltDel"}"#, before: .preBoot, after: .done),
    .init(
        method: "PUT", path: "/snapshot/create",
        body: #"{"snapshot_path": "$DIR/state.$STATE", "mem_file_path": "$DIR/memory.$STATE"}"#,
        shape: Shape(
            "CreateSnapshotParams", .may("snapshot_type", .oneOf(["Diff", "Full"])), .must("snapshot_path", .path),
            .must("mem_file_path", .path)),
        before: .preBoot, after: .done, otherwise: [.running: isRunning, .resumed: isRunning]),
    .init(
        method: "PUT", path: "/snapshot/load",
        body: #"{"snapshot_path": "s", "mem_backend": {"backend_type": "File", "backend_path": "m"}}"#,
        shape: Shape(
            "LoadSnapshotConfig", .must("snapshot_path", .path), .may("mem_file_path", .path),
            .may("mem_backend", .value("struct MemBackendConfig")), .may("enable_diff_snapshots", .truth),
            .may("track_dirty_pages", .truth), .may("resume_vm", .truth), .may("network_overrides", .list),
            .may("vsock_override", .value("struct VsockOverride")), .may("clock_realtime", .truth),
            .may("huge_pages", .oneOf(["Snapshot", "None", "Transparent", "2M"]))),
        before: isConfigured, after: .postBoot),
    .init(
        method: "PUT", path: "/snapshot/load", body: #"{"snapshot_path": "s", "mem_file_path": "m"}"#,
        before: isConfigured, after: .postBoot, isDeprecated: true),
    .init(method: "DELETE", path: "/drives", id: "d", before: .preBoot, after: .done),
    .init(method: "DELETE", path: "/network-interfaces", id: "n", before: .preBoot, after: .done),
    .init(method: "DELETE", path: "/pmem", id: "p", before: .preBoot, after: .done),
    .init(
        method: "PATCH", path: "/vm", body: #"{"state": "Paused"}"#,
        shape: Shape("Vm", .must("state", .oneOf(["Paused", "Resumed"]))), before: .preBoot, after: .done,
        ends: [.running, .resumed]),
    .init(
        method: "PATCH", path: "/vm", body: #"{"state": "Resumed"}"#, before: .preBoot, after: .done,
        ends: [.paused, .restored]),
    .init(
        method: "PUT", path: "/actions", body: #"{"action_type": "InstanceStart"}"#,
        shape: Shape(
            "ActionBody", .must("action_type", .oneOf(["FlushMetrics", "InstanceStart", "SendCtrlAltDel"]))),
        before: .done, after: .postBoot, ends: [.notStarted]),
]

/// What has no place in the table: a path that goes on behind what is looked at, or leads nowhere in its own words.
let oddPlaces: [(method: String, path: String, body: String?, expected: Expected)] = [
    ("GET", "/mmds/config", nil, .told(#"{"a":1,"b":2}"#)),
    ("PATCH", "/mmds/config", #"{"b": 2}"#, .done),
    ("GET", "/machine-config/foo", nil, .told(#"{"vcpu_count":1,"#)),
    ("PUT", "/mmds/foo", "{}", .fault("Unrecognized PUT request path `foo`.")),
    ("GET", "/balloon/foo", nil, .fault("Unrecognized GET request path `foo`.")),
    ("GET", "/balloon/hinting", nil, .fault("Unrecognized GET request path `/hinting/`.")),
    ("GET", "/balloon/hinting/start", nil, .fault("Unrecognized GET request path `/hinting/start`.")),
    ("GET", "/balloon/hinting/stop", nil, .fault("Unrecognized GET request path `/hinting/stop`.")),
    ("PATCH", "/balloon/hinting", nil, .fault("Unrecognized PATCH request path `/hinting/`.")),
    ("PATCH", "/balloon/hinting/status", "{}", .fault("Unrecognized PATCH request path `/hinting/status`.")),
    ("PUT", "/balloon/statistics", "{}", badBody("missing field `amount_mib` at line 1 column 2")),
    ("PUT", "/balloon/hinting/start", "{}", badBody("missing field `amount_mib` at line 1 column 2")),
    ("PUT", "/balloon/hinting/stop", "{}", badBody("missing field `amount_mib` at line 1 column 2")),
    ("PUT", "/balloon/hinting/status", "{}", badBody("missing field `amount_mib` at line 1 column 2")),
    ("PATCH", "/vm/config", "{}", badBody("missing field `state` at line 1 column 2")),
    ("PATCH", "/machine-config", "{}", .fault("Empty PATCH request.")),
    ("PUT", "/snapshot", "{}", .fault("Missing snapshot operation type.")),
    ("PUT", "/snapshot/foo", "{}", .fault("Invalid request method and/or path: PUT /snapshot/foo.")),
    (
        "PUT", "/snapshot/load", #"{"snapshot_path": "s"}"#,
        badBody("missing field: either `mem_backend` or `mem_file_path` is required")
    ),
    (
        "PUT", "/network-interfaces/x", #"{"iface_id": "x", "host_dev_name": "t", "guest_mac": "06:00"}"#,
        badBody("The provided MAC address is invalid. at line 1 column 61")
    ),
    (
        "PUT", "/entropy", #"{"rate_limiter": {"ops": {"size": "1", "refill_time": 1}}}"#,
        badBody("invalid type: string \"1\", expected u64 at line 1 column 37")
    ),
    (
        "PUT", "/entropy", "{\n  \"rate_limiter\": {\n    \"ops\": {\"size\": 1}\n  }\n}",
        badBody("missing field `refill_time` at line 3 column 22")
    ),
    ("PUT", "/foo", "{}", .fault("Invalid request method and/or path: PUT foo.")),
    ("GET", "/hotplug", nil, .fault("Invalid request method and/or path: GET hotplug.")),
    ("PATCH", "/hotplug/cpu", "{}", .fault("Invalid request method and/or path: PATCH hotplug.")),
]

func badBody(_ message: String) -> Expected {
    .fault("An error occurred when deserializing the json body of a request: \(message).")
}

private let hasNoDriver = Expected.fault("Balloon update error: Balloon: Device not activated yet.")
private let isTaken = Expected.fault("Device ID in use")
private let isRunning = Expected.fault(
    "Create snapshot error: Cannot save the microVM state: Operation not allowed: save/restore unavailable while running"
)
private let isConfigured = Expected.fault(
    "Load snapshot error: Loading a microVM snapshot not allowed after configuring boot-specific resources.")

private let vsock = Shape(
    "VsockDeviceConfig", .may("vsock_id", .text), .must("guest_cid", .number("u32")), .must("uds_path", .text))

private func machine(_ type: String, isWhole: Bool = true) -> Shape {
    var shape = Shape(
        type, .must("vcpu_count", .number("u8")), .must("mem_size_mib", .number("usize")), .may("smt", .truth),
        .may("cpu_template", .any), .may("track_dirty_pages", .truth), .may("huge_pages", .any))
    if !isWhole { for index in shape.fields.indices { shape.fields[index].isRequired = false } }
    return shape
}
