#if arch(x86_64)
    import Glibc
    import Linux
    import OCI
    import TestSupport
    import Testing

    @testable import bulkhead_vm

    // In the suite of machines, so that they boot one after the other.
    extension MachineTests {
        /// A disk that QEMU's storage daemon serves to Debian's kernel, with all filters on.
        @Suite(.needs(.testVM), .serialized) struct ServedDiskTests {
            private let scratch = Scratch()

            @Test func aGuestReadsAndWritesADiskOfAnotherProcess() throws {
                let kernel = try #require(debianKernel)
                let files = try #require(demoFiles)
                let daemon = try StorageDaemon(size: 1 << 20)
                let metrics = try scratch.file("metrics", [])
                let run = try GuestShell()
                let api = try APIClient("--metrics-path", metrics, terminal: run.terminal.program.rawValue)
                run.monitor = api.monitor
                let source =
                    #"{"kernel_image_path": "\#(kernel.elf)", "initrd_path": "\#(files)/initramfs.cpio", "#
                    + #""boot_args": "console=ttyS0 quiet panic=-1 demo.shell"}"#
                #expect(try api("PUT", "/boot-source", source) == .done)
                #expect(try api("PUT", "/machine-config", #"{"vcpu_count": 1, "mem_size_mib": 128}"#) == .done)
                let drive =
                    #"{"drive_id": "d", "is_root_device": true, "partuuid": "p", "socket": "\#(daemon.socket)"}"#
                #expect(try api("PUT", "/drives/d", drive) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)

                try run.wait(for: "# ")
                #expect(try run("cut -d ' ' -f 5-7 /proc/cmdline") == "pci=off root=PARTUUID=p rw")
                let size = "blockdev --getsize64 /dev/vda"
                #expect(try run(size) == "\(1 << 20)")
                // Sector 5, of bytes of 35.
                let read = "dd if=/dev/vda bs=512 count=1 skip=5 iflag=direct 2>/dev/null | tr -d '#' | wc -c"
                #expect(try run(read) == "0")
                _ = try run("echo by the guest | dd of=/dev/vda bs=512 seek=9 conv=sync,fsync 2>/dev/null")
                #expect(try daemon.bytes(sector: 9, count: 13) == Array("by the guest\n".utf8))

                #expect(try api("PATCH", "/vm", #"{"state": "Paused"}"#) == .done)
                let save = #"{"snapshot_path": "\#(scratch.path)/s", "mem_file_path": "\#(scratch.path)/m"}"#
                #expect(
                    try api("PUT", "/snapshot/create", save).fault
                        == "Create snapshot error: Cannot save the microVM state: Operation not allowed: Devices without "
                        + "snapshot support are present: vhost-user-block(id: d)")
                #expect(try api("PATCH", "/vm", #"{"state": "Resumed"}"#) == .done)

                #expect(try api("PATCH", "/drives/d", #"{"drive_id": "d"}"#) == .done)
                #expect(try run("\(size); \(read)") == "\(1 << 20) 0")
                let refusal = "Drive config error: Unable to patch the block device: Block: "
                let advice = " Please verify the request arguments."
                #expect(
                    try api("PATCH", "/drives/d", #"{"drive_id": "d", "path_on_host": "/none"}"#).fault
                        == "\(refusal)Running method expected different backend.\(advice)")

                // Another comes while the guest runs, and goes with its driver.
                let second = try StorageDaemon(size: 1 << 20, isWritable: false)
                let other = #"{"drive_id": "e", "is_root_device": false, "socket": "\#(second.socket)"}"#
                #expect(try api("PUT", "/drives/e", other) == .done)
                #expect(try run("until [ -e /dev/vdb ]; do sleep 0.1; done; cat /sys/block/vdb/ro") == "1")
                _ = try run(
                    "d=$(readlink -f /sys/block/vdb/device/..); echo ${d##*/} >/sys/bus/platform/drivers/virtio-mmio/unbind"
                )
                #expect(try api("DELETE", "/drives/e") == .done)

                // Who serves it dies, and the guest goes on.
                daemon.end()
                #expect(try run("echo and now") == "and now")
                let fault = try #require(try api("PATCH", "/drives/d", #"{"drive_id": "d"}"#).fault)
                #expect(fault.hasPrefix("\(refusal)Vhost user backend error: ") && fault.hasSuffix(advice))
                #expect(try api("PUT", "/actions", #"{"action_type": "FlushMetrics"}"#) == .done)
                let line = try #require(try readText(metrics).split(separator: "\n").last)
                let counted = try JSON(parsing: String(line))["vhost_user_block_d"]
                #expect(counted?["cfg_fails"] == 1 && counted?["activate_fails"] == 0)
                #expect(counted?["activate_time_us"]?.integerValue(as: Int.self) ?? 0 > 0)
                #expect(try api("PUT", "/actions", #"{"action_type": "SendCtrlAltDel"}"#) == .done)
                let outcome = try api.monitor.finish()
                #expect(outcome.status == 0, "\(outcome.err)")
            }
        }
    }
#endif
