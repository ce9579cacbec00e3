#if arch(x86_64)
    import Glibc
    import Linux
    import OCI
    import TestSupport
    import Testing

    @testable import bulkhead_vm

    // In the suite of machines, so that they boot one after the other.
    extension MachineTests {
        /// Debian's kernel, started and changed by the API, with a shell to see what came of it.
        @Suite(.needs(.testVM), .serialized) struct DebianAPITests {
            private let scratch = Scratch()

            @Test func aGuestIsBootedChangedPausedAndRestarted() throws {
                let kernel = try #require(debianKernel)
                let files = try #require(demoFiles)
                let (log, metrics) = (try scratch.file("log", []), try scratch.file("metrics", []))
                let disk = try scratch.file("disk", try readFile("\(files)/disk.img", limit: 32 << 20))
                let other = try scratch.hole("other", size: 5 << 20)
                let run = try GuestShell()
                let api = try APIClient(
                    "--log-path", log, "--metrics-path", metrics, "--boot-timer",
                    terminal: run.terminal.program.rawValue)
                run.monitor = api.monitor
                let arguments = "console=ttyS0 quiet panic=-1 memhp_default_state=online_movable demo.shell"
                let source =
                    #"{"kernel_image_path": "\#(kernel.elf)", "initrd_path": "\#(files)/initramfs.cpio", "#
                    + #""boot_args": "\#(arguments)"}"#
                #expect(try api("PUT", "/boot-source", source) == .done)
                #expect(try api("PUT", "/machine-config", #"{"vcpu_count": 1, "mem_size_mib": 192}"#) == .done)
                let (memory, fixed) = (
                    try scratch.hole("memory", size: 3 << 20), try scratch.file("fixed", Array("as it is".utf8))
                )
                // In blocks of a page's size, which is what a file system without the page cache takes.
                try #require(system("PATH=$PATH:/sbin mke2fs -q -t ext4 -O ^has_journal -b 4096 \(memory)") == 0)
                #expect(try api("PUT", "/pmem/m", #"{"id": "m", "path_on_host": "\#(memory)"}"#) == .done)
                let readOnly = #"{"id": "f", "path_on_host": "\#(fixed)", "read_only": true}"#
                #expect(try api("PUT", "/pmem/f", readOnly) == .done)
                let drive = #"{"drive_id": "rootfs", "is_root_device": true, "path_on_host": "\#(disk)"}"#
                #expect(try api("PUT", "/drives/rootfs", drive) == .done)
                #expect(try api("PUT", "/entropy", "{}") == .done)
                let balloon = #"{"amount_mib": 0, "deflate_on_oom": true, "stats_polling_interval_s": 1}"#
                #expect(try api("PUT", "/balloon", balloon) == .done)
                #expect(try api("PUT", "/hotplug/memory", #"{"total_size_mib": 256}"#) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)

                try run.wait(for: "# ")
                #expect(try run("cut -d ' ' -f 6-8 /proc/cmdline") == "pci=off root=/dev/vda rw")
                #expect(try run("grep -c 'rw virtio_mmio.device=4K@0xc0001000:5 ' /proc/cmdline") == "1")
                #expect(try run("blockdev --getsize64 /dev/vda") == "\(try readFile(disk, limit: 32 << 20).count)")
                #expect(try readText(log).contains("Guest-boot-time = "))

                try usePersistentMemory(api, run, memory, fixed)

                // Another disk in its place, which the guest hears of.
                let patch = #"{"drive_id": "rootfs", "path_on_host": "\#(other)"}"#
                #expect(try api("PATCH", "/drives/rootfs", patch) == .done)
                // Its driver looks a little later.
                let size = "blockdev --getsize64 /dev/vda"
                #expect(try run("until \(size) | grep -qx \(5 << 20); do sleep 0.1; done; \(size)") == "\(5 << 20)")

                // A limit under which the second request waits for days, and none any more.
                func limit(_ size: Int) -> String {
                    #"{"drive_id": "rootfs", "rate_limiter": {"ops": {"size": \#(size), "refill_time": 1000000000}}}"#
                }
                #expect(try api("PATCH", "/drives/rootfs", limit(1)) == .done)
                let reads = "for n in 1 2 3; do dd if=/dev/vda of=/dev/null bs=4k count=1 skip=$n iflag=direct; done"
                _ = try run("mkdir -p /tmp; (\(reads); echo done >/tmp/read) 2>/dev/null & true")
                // It stays so: nobody has to be quick.
                let waits = "until grep -q ' 1 *0' /sys/block/vda/inflight; do sleep 0.1; done"
                #expect(try run("\(waits); cat /sys/block/vda/inflight; ls /tmp") == "1 0")
                #expect(try api("PATCH", "/drives/rootfs", limit(0)) == .done)
                #expect(try run("until [ -e /tmp/read ]; do sleep 0.1; done; cat /tmp/read") == "done")

                #expect(try api("PATCH", "/vm", #"{"state": "Paused"}"#) == .done)
                #expect(try api("GET", "/").json()["state"] == "Paused")
                // What comes meanwhile is found later.
                let late = try scratch.hole("late", size: 3 << 20)
                #expect(
                    try api(
                        "PUT", "/drives/late",
                        #"{"drive_id": "late", "is_root_device": false, "path_on_host": "\#(late)"}"#) == .done)
                #expect(try api("PATCH", "/vm", #"{"state": "Resumed"}"#) == .done)
                #expect(
                    try run("until [ -e /dev/vdb ]; do sleep 0.1; done; blockdev --getsize64 /dev/vdb") == "\(3 << 20)")

                // The guest's own numbers come with the balloon's statistics.
                let bytes = try eventuallyNotNil(30) {
                    try api("GET", "/balloon/statistics").json()["total_memory"]?.integerValue(as: Int.self)
                }
                #expect(bytes ?? 0 > 100 << 20)
                #expect(try api("PATCH", "/balloon", #"{"amount_mib": 16}"#) == .done)
                let actual = try eventuallyNotNil(30) {
                    let pages = try api("GET", "/balloon/statistics").json()["actual_mib"]?.integerValue(as: Int.self)
                    return pages == 16 ? pages : nil
                }
                #expect(actual == 16)

                try memoryComesAndGoes(run, api)

                // Three keys, which make Linux restart: by the machine's reset, which ends it well.
                #expect(try api("PUT", "/actions", #"{"action_type": "SendCtrlAltDel"}"#) == .done)
                let outcome = try api.monitor.finish()
                let lines = try readText(log)
                #expect(outcome.status == 0, "\(outcome.err)\(lines)")
                #expect(lines.contains("Vmm is stopping: the guest reset its machine."))
                #expect(access(api.socket, F_OK) != 0)
                let line = try #require(try readText(metrics).split(separator: "\n").last)
                let counted = try JSON(parsing: String(line))
                #expect(counted["vcpu"]?["exit_io_out"]?.integerValue(as: Int.self) ?? 0 > 1000)
                // Flushes of what has gone since.
                #expect(counted["pmem"]?["queue_event_count"]?.integerValue(as: Int.self) ?? 0 > 0)
            }

            /// A file system that is mapped, and a file that nobody may write.
            private func usePersistentMemory(
                _ api: APIClient, _ run: GuestShell, _ memory: String, _ fixed: String
            ) throws {
                #expect(
                    try run("while read m; do insmod /modules/$m; done </modules/pmem; ls /dev/pmem*")
                        == "/dev/pmem0 /dev/pmem1")
                #expect(try run("blockdev --getsize64 /dev/pmem0; head -c 8 /dev/pmem1") == "\(4 << 20) as it is")
                let mounted =
                    "mount -t ext4 -o dax /dev/pmem0 /mnt && grep -o 'pmem0.*dax' /proc/mounts | cut -d ' ' -f 1"
                #expect(try run("\(mounted); echo by the guest >/mnt/file; sync; umount /mnt; echo $?") == "pmem0 0")
                let said = try scratch.file("said", [])
                #expect(system("PATH=$PATH:/sbin debugfs -R 'cat /file' \(memory) >\(said) 2>/dev/null") == 0)
                #expect(try readText(said) == "by the guest\n")
                #expect(system("PATH=$PATH:/sbin e2fsck -f -n \(memory) >\(said) 2>&1") == 0)
                // What is written there is lost, and the guest goes on.
                _ = try run("echo otherwise >/dev/pmem1; sync; echo 3 >/proc/sys/vm/drop_caches")
                #expect(try run("head -c 8 /dev/pmem1") == "as it is")
                #expect(try readText(fixed) == "as it is")
                // It goes as other devices do, where its driver was told to let it go.
                _ = try run(
                    """
                    for d in /sys/bus/virtio/drivers/virtio_pmem/virtio*; do d=$(readlink -f $d/..); \
                    echo ${d##*/} >/sys/bus/platform/drivers/virtio-mmio/unbind; done
                    """
                )
                #expect(try run("ls /dev/pmem* 2>/dev/null | wc -l") == "0")
                for id in ["m", "f"] { #expect(try api("DELETE", "/pmem/\(id)") == .done) }
                #expect(try api("GET", "/vm/config").json()["pmem"]?.arrayValue?.isEmpty == true)
            }

            /// What the guest has is as much as it is asked to have, and what it gave back is the host's.
            private func memoryComesAndGoes(_ run: GuestShell, _ api: APIClient) throws {
                func total() throws -> Int { try #require(Int(try run("awk '/MemTotal/ { print $2 }' /proc/meminfo"))) }
                func resident() throws -> Int {
                    let text = try readText("/proc/\(api.monitor.pid)/status")
                    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
                    return try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) })
                }
                let before = try total()
                try api.resizeMemory(to: 128)
                // KiB, all of them.
                #expect(try total() == before + 128 << 10)
                _ = try run("mkdir /hot; mount -t tmpfs hot /hot")
                let empty = try resident()
                #expect(
                    try run("dd if=/dev/zero of=/hot/fill bs=1M count=48 2>/dev/null; stat -c %s /hot/fill")
                        == "\(48 << 20)")
                let full = try resident()
                #expect(full > empty + 30 << 10, "\(empty) \(full)")
                // Only in memory that can go there is so much of what was written; the guest's own goes on to fill meanwhile.
                _ = try run("rm /hot/fill")
                try api.resizeMemory(to: 0)
                #expect(try total() == before)
                let gone = try resident()
                #expect(gone < full - 30 << 10, "\(full) \(gone)")
            }

            private func eventuallyNotNil<T>(_ seconds: Int, _ body: () throws -> T?) rethrows -> T? {
                var found: T?
                _ = try eventually(seconds) {
                    found = try body()
                    return found != nil
                }
                return found
            }
        }
    }
#endif
