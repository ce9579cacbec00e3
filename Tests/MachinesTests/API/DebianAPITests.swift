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
                let drive = #"{"drive_id": "rootfs", "is_root_device": true, "path_on_host": "\#(disk)"}"#
                #expect(try api("PUT", "/drives/rootfs", drive) == .done)
                #expect(try api("PUT", "/entropy", "{}") == .done)
                let balloon = #"{"amount_mib": 0, "deflate_on_oom": true, "stats_polling_interval_s": 1}"#
                #expect(try api("PUT", "/balloon", balloon) == .done)
                #expect(try api("PUT", "/hotplug/memory", #"{"total_size_mib": 256}"#) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)

                try run.wait(for: "# ")
                #expect(try run("cut -d ' ' -f 6- /proc/cmdline") == "root=/dev/vda rw")
                #expect(try run("blockdev --getsize64 /dev/vda") == "\(try readFile(disk, limit: 32 << 20).count)")
                #expect(try readText(log).contains("Guest-boot-time = "))

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
                #expect(try api("PATCH", "/vm", #"{"state": "Resumed"}"#) == .done)
                #expect(try run("echo and now") == "and now")

                // The guest's own numbers come with the balloon's statistics.
                let memory = try eventuallyNotNil(30) {
                    try api("GET", "/balloon/statistics").json()["total_memory"]?.integerValue(as: Int.self)
                }
                #expect(memory ?? 0 > 100 << 20)
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
                #expect(try JSON(parsing: String(line))["vcpu"]?["exit_io_out"]?.integerValue(as: Int.self) ?? 0 > 1000)
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
                    try run("dd if=/dev/zero of=/hot/fill bs=1M count=32 2>/dev/null; stat -c %s /hot/fill")
                        == "\(32 << 20)")
                let full = try resident()
                #expect(full > empty + 30 << 10, "\(empty) \(full)")
                // Only in memory that can go there is so much of what was written.
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
