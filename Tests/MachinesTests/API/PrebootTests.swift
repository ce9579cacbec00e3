import Glibc
import Linux
import Machines
import OCI
import TestSupport
import Testing

@testable import bulkhead_vm

/// What can be asked of a machine that was not started, and what it would be then.
@Suite struct PrebootTests {
    private let scratch = Scratch()

    @Test func whatIsForARunningMachineIsRefused() {
        let controller = PrebootController.new()
        let requests: [(HTTPRequest.Method, String, String?)] = [
            (.put, "/actions", #"{"action_type": "FlushMetrics"}"#),
            (.put, "/actions", #"{"action_type": "SendCtrlAltDel"}"#),
            (.put, "/snapshot/create", #"{"snapshot_path": "s", "mem_file_path": "m"}"#),
            (.patch, "/vm", #"{"state": "Paused"}"#), (.patch, "/vm", #"{"state": "Resumed"}"#),
            (.patch, "/drives/a", #"{"drive_id": "a"}"#),
            (.patch, "/network-interfaces/a", #"{"iface_id": "a"}"#),
            (.patch, "/balloon", #"{"amount_mib": 1}"#),
            (.patch, "/balloon/statistics", #"{"stats_polling_interval_s": 1}"#),
            (.get, "/balloon/statistics", nil), (.patch, "/balloon/hinting/start", nil),
            (.patch, "/balloon/hinting/stop", nil), (.get, "/balloon/hinting/status", nil),
            (.get, "/hotplug/memory", nil), (.patch, "/hotplug/memory", #"{"requested_size_mib": 0}"#),
            (.delete, "/drives/a", nil), (.delete, "/network-interfaces/a", nil),
        ]
        for (method, path, body) in requests {
            #expect(controller.refusal(method, path, body) == Fault.preBoot.message, "\(method) \(path)")
        }
        #expect(!controller.hasBootResources)
    }

    @Test func settingsOfTheMachineAreKept() throws {
        let controller = PrebootController.new()
        let all = #"{"vcpu_count": 4, "mem_size_mib": 512, "track_dirty_pages": true}"#
        _ = try controller.perform(.put, "/machine-config", all)
        _ = try controller.perform(.patch, "/machine-config", #"{"vcpu_count": 2}"#)
        #expect(
            try controller.perform(.get, "/machine-config").json == [
                "vcpu_count": 2, "mem_size_mib": 512, "smt": false, "track_dirty_pages": true, "huge_pages": "None",
            ])
        _ = try controller.perform(.patch, "/machine-config", #"{"smt": true}"#)
        let json = try #require(try controller.perform(.get, "/machine-config").json)
        #expect(json["smt"] == true)
        let kernel = try scratch.file("kernel", [1])
        _ = try controller.perform(.put, "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#)
        #expect(try controller.resources.configuration(acceptsEmulation: true).threadsPerCore == 2)
        _ = try controller.perform(.patch, "/machine-config", #"{"huge_pages": "Transparent"}"#)
        #expect(try controller.resources.configuration(acceptsEmulation: true).pageSize == .transparentHuge)
        // PUT sets back what it does not name.
        _ = try controller.perform(.put, "/machine-config", #"{"vcpu_count": 1, "mem_size_mib": 64}"#)
        #expect(controller.resources.machine == MachineSettings(memory: 64))
        #expect(controller.hasBootResources)
    }

    @Test func theLastTemplateCounts() throws {
        let controller = PrebootController.new()
        let kernel = try scratch.file("kernel", [1])
        _ = try controller.perform(.put, "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#)
        func template() throws -> ProcessorTemplate? {
            try controller.resources.configuration(acceptsEmulation: true).processorTemplate
        }
        func name() throws -> JSON? {
            try controller.perform(.get, "/machine-config").json?["cpu_template"]
        }
        _ = try controller.perform(.patch, "/machine-config", #"{"cpu_template": "T2S"}"#)
        #expect(try name() == "T2S" && template() == StaticTemplate.t2s.template)
        // What is not said stays, also by PUT.
        _ = try controller.perform(.put, "/machine-config", #"{"vcpu_count": 2, "mem_size_mib": 64}"#)
        #expect(try name() == "T2S")
        let own = #"{"msr_modifiers": [{"addr": "0x10", "bitmap": "0b1"}]}"#
        _ = try controller.perform(.put, "/cpu-config", own)
        #expect(try name() == nil && template()?.registers.map(\.index) == [0x10])
        _ = try controller.perform(.put, "/machine-config", #"{"vcpu_count": 2, "mem_size_mib": 64}"#)
        #expect(try template()?.registers.map(\.index) == [0x10])
        _ = try controller.perform(.patch, "/machine-config", #"{"cpu_template": "C3"}"#)
        #expect(try name() == "C3" && template() == StaticTemplate.c3.template)
        _ = try controller.perform(.patch, "/machine-config", #"{"cpu_template": "None"}"#)
        #expect(try name() == nil && template() == nil)
        // That of another kind of processor is none.
        let other = controller.refusal(.patch, "/machine-config", #"{"cpu_template": "V1N1"}"#)
        #expect(
            other?.contains("unknown variant `V1N1`, expected one of `C3`, `T2`, `T2S`, `T2CL`, `T2A`, `None`") == true)
    }

    @Test(arguments: [
        (#"{"vcpu_count": 0}"#, "The number of vCPUs must be greater than 0"),
        (#"{"vcpu_count": 33}"#, "The number of vCPUs must be greater than 0"),
        (#"{"vcpu_count": 3, "smt": true}"#, "must be 1 or an even number"),
        (#"{"mem_size_mib": 0}"#, "The memory size (MiB) is either 0"),
        (#"{"mem_size_mib": 129, "huge_pages": "2M"}"#, "not a multiple of the configured page size"),
        (#"{"mem_size_mib": 129, "huge_pages": "Transparent"}"#, "not a multiple of the configured page size"),
        (#"{"mem_size_mib": 8}"#, "8 MiB are not 16 to"),
        (#"{"mem_size_mib": 18446744073709551615}"#, "MiB are not"),
    ]) func settingsThatCanNotBeAreRefused(_ body: String, _ why: String) {
        let controller = PrebootController.new()
        #expect(controller.refusal(.patch, "/machine-config", body)?.contains(why) == true)
        #expect(controller.resources.machine == MachineSettings())
    }

    @Test func theRootDriveIsTheFirst() throws {
        let controller = PrebootController.new()
        let disk = try scratch.hole("disk", size: 4096)
        func put(_ id: String, isRoot: Bool, more: String = "") -> String? {
            controller.refusal(
                .put, "/drives/\(id)",
                #"{"drive_id": "\#(id)", "is_root_device": \#(isRoot), "path_on_host": "\#(disk)"\#(more)}"#)
        }
        #expect(put("a", isRoot: false) == nil)
        #expect(put("b", isRoot: true) == nil)
        #expect(controller.resources.drives.map(\.id) == ["b", "a"])
        #expect(put("a", isRoot: true) == "Drive config error: A root block device already exists!")
        // The same drive again replaces it.
        #expect(put("b", isRoot: false, more: #", "is_read_only": true"#) == nil)
        #expect(put("a", isRoot: true) == nil)
        #expect(controller.resources.drives.map(\.id) == ["a", "b"])
        #expect(controller.resources.drives.map(\.isReadOnly) == [false, true])
    }

    @Test func persistentMemoryMayBeTheRoot() throws {
        let controller = PrebootController.new()
        let kernel = try scratch.file("kernel", [1])
        _ = try controller.perform(
            .put, "/boot-source", #"{"kernel_image_path": "\#(kernel)", "boot_args": "quiet"}"#)
        let path = try scratch.hole("memory", size: 4096)
        func put(_ id: String, _ more: String) -> String? {
            controller.refusal(.put, "/pmem/\(id)", #"{"id": "\#(id)", "path_on_host": "\#(path)"\#(more)}"#)
        }
        func line() throws -> String { try controller.resources.configuration(acceptsEmulation: true).commandLine }
        #expect(put("a", "") == nil)
        #expect(try line() == "quiet pci=off")
        #expect(put("b", #", "root_device": true, "read_only": true"#) == nil)
        #expect(try line() == "quiet pci=off root=/dev/pmem1 ro")
        #expect(put("a", #", "root_device": true"#) == "Pmem config error: A root pmem device already exist")
        #expect(put("b", #", "root_device": true, "rate_limiter": {"ops": {"size": 3, "refill_time": 1}}"#) == nil)
        #expect(try line() == "quiet pci=off root=/dev/pmem1 rw")
        let drive = #"{"drive_id": "d", "is_root_device": true, "path_on_host": "\#(path)"}"#
        #expect(
            controller.refusal(.put, "/drives/d", drive) == "Drive config error: A root block device already exists!")
        let made = try controller.resources.configuration(acceptsEmulation: true)
        #expect(made.persistentMemory.map(\.id) == ["a", "b"] && made.persistentMemory[1].limit.operations?.size == 3)
        let json = try #require(try controller.perform(.get, "/vm/config").json)
        #expect(
            json["pmem"]?.arrayValue?.first == [
                "id": "a", "path_on_host": JSON(path), "root_device": false, "read_only": false, "rate_limiter": nil,
            ])
        #expect(put("b", "") == nil)
        #expect(controller.refusal(.put, "/drives/d", drive) == nil)
        #expect(
            put("c", #", "root_device": true"#)
                == "Pmem config error: Attempt to add pmem as a root device while the root device defined as a block "
                + "device")
    }

    @Test func persistentMemoryThatCanNotBeIsNamed() throws {
        let controller = PrebootController.new()
        let empty = try scratch.file("empty", [])
        for (path, why) in [
            ("/none", "No such file or directory (os error 2) /none"), (empty, "\(empty): it is empty"),
            ("/dev/null", "/dev/null: it is no regular file"),
        ] {
            let fault = controller.refusal(.put, "/pmem/a", #"{"id": "a", "path_on_host": "\#(path)"}"#)
            let prefix = "Pmem config error: Unable to create the virtio-pmem device: Error accessing backing file: "
            #expect(fault?.hasPrefix(prefix) == true && fault?.hasSuffix(why) == true, "\(fault ?? "none")")
        }
        #expect(controller.resources.pmem.isEmpty)
        #expect(controller.refusal(.patch, "/pmem/a", #"{"id": "a"}"#) == Fault.preBoot.message)
        #expect(controller.refusal(.delete, "/pmem/a") == Fault.preBoot.message)
    }

    @Test func filesThatAreMissingAreNamed() throws {
        let controller = PrebootController.new()
        let missing = "No such file or directory (os error 2)"
        #expect(
            controller.refusal(.put, "/boot-source", #"{"kernel_image_path": "/none"}"#)
                == "Boot source error: The kernel file cannot be opened: \(missing)")
        let kernel = try scratch.file("kernel", [])
        #expect(
            controller.refusal(.put, "/boot-source", #"{"kernel_image_path": "\#(kernel)", "initrd_path": "/none"}"#)?
                .hasSuffix("invalid path or invalid permissions. \(missing)") == true)
        #expect(
            controller.refusal(
                .put, "/drives/a", #"{"drive_id": "a", "is_root_device": false, "path_on_host": "/none"}"#)
                == "Drive config error: Unable to create the virtio block device: Virtio backend error: Error "
                + "manipulating the backing file: \(missing) /none")
        #expect(
            controller.refusal(.put, "/drives/a", #"{"drive_id": "a", "is_root_device": false}"#)?
                .hasSuffix("Invalid block config.") == true)
        #expect(
            controller.refusal(.put, "/drives/a", #"{"drive_id": "a", "is_root_device": false, "socket": "/none"}"#)
                == "Drive config error: Unable to create the virtio block device: Vhost user backend error: "
                + "Vhost-user error: Failed to connect to UDS Unix stream: \(missing)")
        for member in [
            #""path_on_host": "p""#, #""is_read_only": false"#, #""io_engine": "Sync""#, #""rate_limiter": {}"#,
        ] {
            #expect(
                controller.refusal(
                    .put, "/drives/a",
                    #"{"drive_id": "a", "is_root_device": false, "socket": "/none", \#(member)}"#)
                    == "Drive config error: Unable to create the virtio block device: Invalid block config.")
        }
        #expect(
            controller.refusal(.put, "/vsock", #"{"guest_cid": 3, "uds_path": "\#(kernel)"}"#)?
                .hasSuffix("Error binding to the host-side Unix socket: Address already in use (os error 98)") == true)
        #expect(controller.refusal(.put, "/vsock", #"{"guest_cid": 2, "uds_path": "v"}"#)?.contains("CID 2") == true)
        #expect(
            controller.refusal(.put, "/logger", #"{"log_path": "/none/log"}"#)
                == "Logger error: Failed to open target file: \(missing)")
        #expect(controller.resources == Resources())
    }

    @Test(.needs(.program("qemu-storage-daemon"))) func aServedDriveIsConnectedToWhenItIsNamed() throws {
        let controller = PrebootController.new()
        let daemon = try StorageDaemon(size: 1 << 20, isWritable: false)
        let body = #"{"drive_id": "a", "is_root_device": true, "partuuid": "p", "socket": "\#(daemon.socket)"}"#
        // Again is on the connection that there is: the daemon takes one at a time.
        for _ in 0..<2 { #expect(controller.refusal(.put, "/drives/a", body) == nil) }
        let shown = try #require(controller.resources.json["drives"]?.arrayValue?.first)
        #expect(shown["socket"]?.stringValue == daemon.socket && shown["partuuid"]?.stringValue == "p")
        for name in ["path_on_host", "is_read_only", "io_engine", "rate_limiter"] { #expect(shown[name] == .null) }
        let kernel = try scratch.file("kernel", [])
        _ = try controller.perform(
            .put, "/boot-source", #"{"kernel_image_path": "\#(kernel)", "boot_args": "quiet"}"#)
        let configuration = try controller.resources.configuration(acceptsEmulation: false)
        #expect(configuration.commandLine == "quiet pci=off root=PARTUUID=p ro")
        #expect(configuration.disks.map(\.path) == [""])
        // One that has died is asked for anew.
        daemon.end()
        #expect(controller.refusal(.put, "/drives/a", body)?.contains("Failed to connect to UDS Unix stream") == true)
    }

    @Test func theBalloonFitsTheMemory() throws {
        let controller = PrebootController.new()
        #expect(controller.refusal(.get, "/balloon") == "Balloon config error: No balloon device found.")
        let body = #"{"amount_mib": 100, "deflate_on_oom": true, "free_page_reporting": true}"#
        _ = try controller.perform(.put, "/balloon", body)
        #expect(
            controller.refusal(.patch, "/machine-config", #"{"mem_size_mib": 64}"#)?
                .contains("smaller than the previously set balloon device target size") == true)
        #expect(
            controller.refusal(.put, "/balloon", #"{"amount_mib": 129, "deflate_on_oom": true}"#)
                == "Balloon config error: Amount of pages requested is too large.")
        #expect(
            try controller.perform(.get, "/balloon")
                == .value([
                    "amount_mib": 100, "deflate_on_oom": true, "stats_polling_interval_s": 0,
                    "free_page_hinting": false, "free_page_reporting": true,
                ]))
    }

    @Test func hotPlugMemoryHasItsDefaults() throws {
        let controller = PrebootController.new()
        let name = "memory-hotplug"
        #expect(controller.resources.json[name] == .null)
        _ = try controller.perform(.put, "/hotplug/memory", #"{"total_size_mib": 256}"#)
        #expect(
            controller.resources.json[name] == ["total_size_mib": 256, "block_size_mib": 2, "slot_size_mib": 128])
        _ = try controller.perform(
            .put, "/hotplug/memory",
            #"{"total_size_mib": 1024, "slot_size_mib": 256, "block_size_mib": 64}"#)
        #expect(controller.resources.memoryHotplug?.choice == .init(size: 1 << 30, slot: 256 << 20, block: 64 << 20))
        #expect(controller.hasBootResources)
        // What there is room for beside it.
        #expect(
            controller.refusal(.patch, "/machine-config", #"{"mem_size_mib": 1048576}"#)
                == "Memory hotplug config error: Total size must not be larger than what there are addresses for (0 MiB): "
                + "total_size_mib is 1024")
        #expect(controller.resources.machine.memory == 128)
    }

    @Test(arguments: [
        (#""total_size_mib": 100"#, "Total size must not be lower than slot size (128 MiB): total_size_mib is 100"),
        (#""total_size_mib": 0"#, "Total size must not be lower than slot size (128 MiB): total_size_mib is 0"),
        (#""total_size_mib": 200"#, "Total size must be a multiple of slot size (128 MiB): total_size_mib is 200"),
        (
            #""total_size_mib": 256, "block_size_mib": 1"#,
            "Block size must not be lower than 2 MiB: block_size_mib is 1"
        ),
        (#""total_size_mib": 256, "block_size_mib": 3"#, "Block size must be a power of 2: block_size_mib is 3"),
        (
            #""total_size_mib": 256, "slot_size_mib": 64"#,
            "Slot size must not be lower than 128 MiB: slot_size_mib is 64"
        ),
        (
            #""total_size_mib": 520, "slot_size_mib": 130, "block_size_mib": 4"#,
            "Slot size must be a multiple of block size (4 MiB): slot_size_mib is 130"
        ),
        (
            #""total_size_mib": 1048576"#,
            "Total size must not be larger than what there are addresses for (1044480 MiB): total_size_mib is 1048576"
        ),
        (
            #""total_size_mib": 4294967168"#,
            "Total size must not be larger than what there are addresses for (1044480 MiB): total_size_mib is "
                + "4294967168"
        ),
    ]) func hotPlugMemoryThatCanNotBeIsRefused(_ members: String, _ why: String) {
        let controller = PrebootController.new()
        #expect(
            controller.refusal(.put, "/hotplug/memory", "{\(members)}") == "Memory hotplug config error: \(why)")
        #expect(controller.resources == Resources())
    }

    @Test func aMachineIsMadeOfAllThat() throws {
        let controller = PrebootController.new()
        #expect(throws: Fault("Start microvm error: Cannot start microvm without kernel configuration.")) {
            _ = try controller.resources.configuration(acceptsEmulation: false)
        }
        let kernel = try scratch.file("kernel", [1])
        let disk = try scratch.hole("disk", size: 4096)
        _ = try controller.perform(.put, "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#)
        func configuration() throws -> MachineConfiguration {
            try controller.resources.configuration(acceptsEmulation: true)
        }
        #expect(try configuration().commandLine == BootSource.defaultArguments + " pci=off")
        #expect(try !configuration().hasEntropy)
        let drive = #"{"drive_id": "r", "is_root_device": true, "path_on_host": "\#(disk)""#
        _ = try controller.perform(.put, "/drives/r", drive + "}")
        #expect(try configuration().commandLine == BootSource.defaultArguments + " pci=off root=/dev/vda rw")
        _ = try controller.perform(.put, "/drives/r", drive + #", "is_read_only": true, "partuuid": "1-2"}"#)
        _ = try controller.perform(
            .put, "/boot-source",
            #"{"kernel_image_path": "\#(kernel)", "boot_args": "console=ttyS0 -- single"}"#)
        // What follows two hyphens is for init.
        #expect(try configuration().commandLine == "console=ttyS0 pci=off root=PARTUUID=1-2 ro -- single")
        _ = try controller.perform(.put, "/entropy", #"{"rate_limiter": {"bandwidth": {"size": 5, "refill_time": 1}}}"#)
        _ = try controller.perform(.put, "/vsock", #"{"guest_cid": 9, "uds_path": "\#(scratch.path)/v"}"#)
        let made = try configuration()
        #expect(made.hasEntropy && made.entropyLimit.bandwidth?.size == 5)
        #expect(made.vsock == .init(cid: 9, path: "\(scratch.path)/v"))
        #expect(made.disks.map(\.id) == ["r"] && made.disks[0].engine == .synchronous)
        #expect(made.hasKeyboard && made.acceptsEmulation)
        try made.validate()
    }

    @Test func tapsThatCanNotBeHadAreNamed() {
        let controller = PrebootController.new()
        func refusal(_ tap: String) -> String? {
            controller.refusal(.put, "/network-interfaces/a", #"{"iface_id": "a", "host_dev_name": "\#(tap)"}"#)
        }
        let prefix = "Network config error: Could not create the network device: Open tap device failed: "
        #expect(refusal("sixteen-letters!") == "\(prefix)Invalid interface name")
        func opening(_ operation: String, _ errno: CInt) -> String {
            NetworkInterface.opening(SystemError(operation, Errno(rawValue: errno)), "x")
        }
        #expect(
            opening(#"open "/dev/net/tun""#, EACCES)
                == "Open tap device failed: Couldn't open /dev/net/tun: Permission denied (os error 13)")
        #expect(
            opening("set the tap's header size", EINVAL)
                == "Setting vnet header size failed: Error while setting size of the vnet header: Invalid argument (os "
                + "error 22)")
    }

    @Test(.needs(.root)) func anInterfaceThatIsNoTapIsRefusedInFirecrackersWords() {
        let controller = PrebootController.new()
        #expect(
            controller.refusal(.put, "/network-interfaces/a", #"{"iface_id": "a", "host_dev_name": "lo"}"#)
                == "Network config error: Could not create the network device: Open tap device failed: Error while "
                + "creating ifreq structure: Invalid argument (os error 22). Invalid TUN/TAP Backend provided by lo. "
                + "Check our documentation on setting up the network devices.")
        #expect(controller.resources.networks.isEmpty)
    }

    /// A tap that nobody else has is there for as long as it is looked at.
    @Test(.needs(.root)) func aTapIsOneCardsAlone() {
        let controller = PrebootController.new()
        let tap = "bhb\(getpid())"
        func refusal(_ id: String, _ address: String) -> String? {
            controller.refusal(
                .put, "/network-interfaces/\(id)",
                #"{"iface_id": "\#(id)", "host_dev_name": "\#(tap)", "guest_mac": "\#(address)"}"#)
        }
        // As Firecracker takes a group's address, its clients can give one.
        #expect(refusal("a", "07:00:00:00:00:01") == nil)
        #expect(refusal("a", "07:00:00:00:00:01") == nil)
        #expect(refusal("b", "02:00:00:00:00:01")?.contains("Device or resource busy (os error 16)") == true)
        #expect(controller.resources.networks.map(\.id) == ["a"])
    }

    @Test func metricsAreOpenedOnce() throws {
        let controller = PrebootController.new()
        let path = try scratch.file("metrics", [])
        _ = try controller.perform(.put, "/metrics", #"{"metrics_path": "\#(path)"}"#)
        #expect(
            controller.refusal(.put, "/metrics", #"{"metrics_path": "\#(path)"}"#)?
                .hasSuffix("Reinitialization of metrics not allowed.") == true)
    }
}
