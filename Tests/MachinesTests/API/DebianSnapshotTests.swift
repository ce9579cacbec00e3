#if arch(x86_64)
    import Glibc
    import Linux
    import OCI
    import TestSupport
    import Testing

    @testable import Machines
    @testable import bulkhead_vm

    // In the suite of machines, so that they boot one after the other.
    extension MachineTests {
        /// Debian's kernel, saved under load by the API and restored in other processes.
        @Suite(.needs(.testVM), .serialized) struct DebianSnapshotTests {
            private let scratch = Scratch()

            /// A guest and the process that it runs in.
            private final class Guest {
                let shell: GuestShell
                let api: APIClient

                init(in folder: String) throws {
                    shell = try GuestShell()
                    api = try APIClient(terminal: shell.terminal.program.rawValue, in: folder)
                }

                /// In a jail whose root is there already.
                init(jailed id: String, base: String, user: uid_t) throws {
                    shell = try GuestShell()
                    let words = [
                        "--id", id, "--exec-file", try builtProgram("bulkhead-vm"), "--uid", "\(user)", "--gid",
                        "\(user)",
                        "--chroot-base-dir", base, "--", "--api-sock", "/api",
                    ]
                    let monitor = try Monitor(
                        words, terminal: shell.terminal.program.rawValue, program: "bulkhead-jailer")
                    api = APIClient(monitor, at: "\(base)/bulkhead-vm/\(id)/root/api")
                }

                func pause() throws { #expect(try api("PATCH", "/vm", #"{"state": "Paused"}"#) == .done) }
                func resume() throws { #expect(try api("PATCH", "/vm", #"{"state": "Resumed"}"#) == .done) }

                func save(_ kind: String, _ state: String, _ memory: String) throws -> APIClient.Answer {
                    try api(
                        "PUT", "/snapshot/create",
                        #"{"snapshot_type": "\#(kind)", "snapshot_path": "\#(state)", "mem_file_path": "\#(memory)"}"#)
                }

                func load(
                    _ state: String, _ memory: String, _ more: String, kind: String = "File"
                ) throws -> APIClient.Answer {
                    let backend = #"{"backend_type": "\#(kind)", "backend_path": "\#(memory)"}"#
                    return try api(
                        "PUT", "/snapshot/load",
                        #"{"snapshot_path": "\#(state)", "mem_backend": \#(backend), "resume_vm": true\#(more)}"#)
                }

                func kill() throws {
                    api.monitor.signal(SIGKILL)
                    #expect(try api.monitor.finish().status == 128 + SIGKILL)
                }
            }

            @Test func aGuestUnderLoadIsSavedAndGoesOnElsewhere() throws {
                let (kernel, files) = (try #require(debianKernel), try #require(demoFiles))
                let root = scratch.path
                let path = "PATH=$PATH:/usr/sbin:/sbin"
                let (jail, user) = ("jails/bulkhead-vm/third/root", uid_t(12345))
                // Each process has files of the same names in a folder of its own.
                try #require(
                    system(
                        """
                        \(path); cd \(root) && mkdir -p first second small \(jail) && cp \(files)/disk.img first/disk &&
                        ip tuntap add name bhsnap mode tap vnet_hdr && ip address add 10.111.0.1/30 dev bhsnap &&
                        ip link set bhsnap up && ip tuntap add name bhsnap2 mode tap vnet_hdr user \(user) &&
                        mount -t tmpfs -o size=300m small small
                        """) == 0)
                defer {
                    system(
                        """
                        \(path); ip link delete bhsnap; ip link delete bhsnap2; cd \(root)
                        umount small; rm -rf first second small jails
                        """)
                }
                let first = try Guest(in: "\(root)/first")
                try boot(first, kernel.elf, files)

                // Memory that came, with something in it.
                let total = "awk '/MemTotal/ { print $2 }' /proc/meminfo"
                let small = try #require(Int(try first.shell(total)))
                try first.api.resizeMemory(to: 128)
                #expect(try first.shell(total) == "\(small + 128 << 10)")
                let sum = try first.shell(
                    "mkdir /hot; mount -t tmpfs hot /hot; head -c 2097152 /dev/urandom >/hot/fill; md5sum </hot/fill")

                // Files that come and go, packets, and a connection that stays.
                let listener = try UnixSocket.listen(at: "\(root)/first/vsock_1234")
                let began = try first.shell(
                    """
                    mkdir /tmp; touch /tmp/rounds /tmp/pings; mount -t ext4 /dev/vda /mnt; (while sleep 0.4; do head -c 40000 /dev/urandom >/mnt/new; \
                    mv /mnt/new /mnt/file; sync; date >>/tmp/rounds; done) & \
                    (while sleep 1; do ping -c 1 -W 2 10.111.0.1 >/dev/null && date >>/tmp/pings; done) & \
                    (vsock 1234 hello; echo over) >/tmp/vsock 2>&1 & date +%s
                    """)
                try listener.waitReadable()
                let connection = try UnixSocket.accept(on: listener)
                #expect(try connection.next() == Array("hello".utf8))
                let clock = try #require(Int(began)) - time(nil)
                // Bytes that the guest sends back, as long as its monitor is there.
                nonisolated(unsafe) var echoes = 0
                let calls = try MachineThread("calls") {
                    guard let call = try? UnixSocket.connect(to: "\(root)/first/vsock"),
                        (try? call.write("CONNECT 1234\n")) != nil
                    else { return }
                    while let echo = try? call.next(), !echo.isEmpty, (try? call.write("again\n")) != nil {
                        echoes += 1
                        usleep(50_000)
                    }
                }

                try first.pause()
                #expect(try first.save("Full", "../small/state", "../small/memory") == .done)
                #expect(
                    system(
                        "cd \(root) && cp first/disk second && cp first/disk \(jail) && cp small/state \(jail)") == 0
                )
                let savedAt = time(nil)
                // No room for another: the old snapshot stays as it was, and the guest goes on.
                let size = "mount -o remount,size="
                #expect(
                    system(
                        """
                        cd \(root) && cp small/state before && cp small/memory onto &&
                        \(size)$(($(du -sk small | cut -f 1) + 16384))k small
                        """) == 0)
                let full = try first.save("Full", "../small/state", "../small/memory").fault ?? ""
                #expect(full.hasPrefix("Create snapshot error: Cannot write memory file: "), "\(full)")
                #expect(full.contains("ENOSPC"), "\(full)")
                #expect(
                    system(
                        """
                        cd \(root) && cmp small/state before && cmp small/memory onto && ls small >names &&
                        \(size)300m small
                        """) == 0)
                #expect(try readText("\(root)/names") == "memory\nstate\n")
                try first.resume()
                #expect(try goesOn(first, "rounds"))

                // What was written since, onto what was saved, is all there is; but for the mark that each save has.
                try first.pause()
                #expect(try first.save("Diff", "../state2", "../onto") == .done)
                #expect(try first.save("Full", "../state2", "../whole") == .done)
                let mark = 0xdf800
                #expect(
                    system(
                        """
                        cd \(root) && cmp -n \(mark) onto whole && cmp -i \(mark + 16) onto whole &&
                        rm onto whole state2 before names
                        """) == 0)
                // Killed in the middle of one more: the others go on from the old one.
                let saving = "\(root)/small/memory.saving"
                let request = #"{"snapshot_path": "../small/state", "mem_file_path": "../small/memory"}"#
                nonisolated(unsafe) let api = first.api
                let asking = try MachineThread("asking") { _ = try? api("PUT", "/snapshot/create", request) }
                var written = stat()
                #expect(eventually(60) { stat(saving, &written) == 0 && written.st_blocks > 0 })
                try first.kill()
                asking.join()
                calls.join()
                #expect(echoes > 10, "\(echoes)")
                #expect(access(saving, F_OK) == 0)
                #expect(system("rm -f \(root)/first/vsock*") == 0)

                // Both run at once: the second with the time that it is; the third with the time that it was, another tap, and
                // its memory from a handler, in a jail where there is nothing of it.
                let second = try Guest(in: "\(root)/second")
                let faults = try UnixSocket.listen(at: "\(root)/\(jail)/faults")
                #expect(system("chown -R \(user):\(user) \(root)/\(jail)") == 0)
                let handler = try MachineThread("handler") {
                    FaultServer.serve(faults, "\(root)/small/memory", size: (96 + 256) << 20)
                }
                let third = try Guest(jailed: "third", base: "\(root)/jails", user: user)
                #expect(try second.load("../small/state", "../small/memory", #", "clock_realtime": true"#) == .done)
                let tap = #", "network_overrides": [{"iface_id": "eth0", "host_dev_name": "bhsnap2"}]"#
                #expect(try third.load("/state", "/faults", tap, kind: "Uffd") == .done)
                for guest in [second, third] {
                    let answer = try guest.api("GET", "/")
                    #expect(answer.body.contains("Running"), "\(answer) \(guest.api.monitor.complaints)")
                }
                let elapsed = time(nil) - savedAt
                let jailed = try readText("/proc/\(third.api.monitor.pid)/task/\(third.api.monitor.pid)/children")
                let process = try #require(jailed.split(separator: " ").first)
                for thread in try #require(names(in: "/proc/\(process)/task")) {
                    #expect(try readText("/proc/\(process)/task/\(thread)/status").contains("\nSeccomp:\t2\n"))
                }
                // Files and packets go on, the connection is gone, and each has a generation id and random numbers of its own.
                var (told, drift): ([[String]], [Int]) = ([], [])
                for guest in [second, third] {
                    #expect(try goesOn(guest, "rounds"))
                    let words = try guest.shell(
                        """
                        until grep -q over /tmp/vsock; do sleep 0.1; done; devmem 0xdf000 64; devmem 0xdf008 64; \
                        head -c 32 /dev/hwrng | reseed; head -c 8 /dev/urandom | od -A n -t x1 | tr -d ' '; \
                        awk '/ACPI:Ged/ { print $2 }' /proc/interrupts; date +%s
                        """)
                    let parts = words.split(separator: " ").map(String.init)
                    try #require(parts.count == 5, "\(words)")
                    drift.append(try #require(Int(parts[4])) - time(nil) - clock)
                    told.append(parts)
                    // The event device was heard.
                    #expect(Int(parts[3]) ?? 0 > 0, "\(words)")
                }
                #expect(told[0][..<3].elementsEqual(told[1][..<3]) { $0 != $1 }, "\(told)")
                // Seconds: an emulated machine takes some between two looks, and to load.
                #expect(abs(drift[0]) <= 5, "\(drift)")
                #expect(drift[1] <= -elapsed / 2, "\(drift) \(elapsed)")
                #expect(try goesOn(second, "pings"))
                // Memory that came is as it was, goes from one clone and stays with the other.
                for guest in [second, third] { #expect(try guest.shell("md5sum </hot/fill") == sum) }
                _ = try second.shell("rm /hot/fill")
                try second.api.resizeMemory(to: 0)
                #expect(try second.shell(total) == "\(small)")
                #expect(try third.shell(total) == "\(small + 128 << 10)")
                let calling = try UnixSocket.connect(to: "\(root)/second/vsock")
                try calling.write("CONNECT 1234\n")
                #expect(String(decoding: try calling.next(), as: UTF8.self).hasPrefix("OK "))

                // Power off by a guest that was restored, whose file system is whole.
                _ = try second.shell("kill %1; sync; umount /mnt || (sleep 1; umount /mnt)")
                try second.shell.terminal.master.write("poweroff -f\r")
                let outcome = try second.api.monitor.finish()
                #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
                let log = try scratch.file("fsck.log", [])
                let checked = system("\(path) e2fsck -f -n \(root)/second/disk >\(log) 2>&1")
                #expect(checked == 0, "\((try? readText(log)) ?? "")")
                third.api.monitor.signal(SIGTERM)
                #expect(try third.api.monitor.finish().status == 128 + SIGTERM)
                handler.join()
            }

            /// The kernel reseeds its random numbers by itself where it has the driver: nothing in this guest does.
            @Test func aKernelIsToldThatItWasCloned() throws {
                let (kernel, files) = (try #require(debianGenerationKernel), try #require(demoFiles))
                let first = try Guest(in: scratch.path)
                let source =
                    #"{"kernel_image_path": "\#(kernel)", "initrd_path": "\#(files)/initramfs.cpio", "#
                    + #""boot_args": "console=ttyS0 quiet panic=-1 demo.shell"}"#
                #expect(try first.api("PUT", "/boot-source", source) == .done)
                #expect(try first.api("PUT", "/machine-config", #"{"vcpu_count": 1, "mem_size_mib": 160}"#) == .done)
                #expect(try first.api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
                try first.shell.wait(for: "# ")
                let forks = "dmesg | grep -c 'crng reseeded due to virtual machine fork'"
                #expect(try first.shell("\(forks); head -c 8 /dev/urandom | wc -c") == "0 8")
                try first.pause()
                #expect(try first.save("Full", "state", "memory") == .done)
                try first.kill()

                var numbers: Set<String> = []
                for _ in 0..<2 {
                    let clone = try Guest(in: scratch.path)
                    #expect(try clone.load("state", "memory", "") == .done)
                    // Its interrupt comes when the guest runs.
                    let words = try clone.shell(
                        "until [ $(\(forks)) -gt 0 ]; do sleep 0.1; done; \(forks); head -c 8 /dev/urandom | od -A n -t x8"
                    )
                    let parts = words.split(separator: " ")
                    try #require(parts.count == 2 && parts[0] == "1", "\(words)")
                    numbers.insert(String(parts[1]))
                    try clone.kill()
                }
                #expect(numbers.count == 2)
            }

            /// Waits until the guest has written another line to one of its files.
            private func goesOn(_ guest: Guest, _ name: String) throws -> Bool {
                let lines = "$(wc -l </tmp/\(name))"
                return try guest.shell("n=\(lines); until [ \(lines) -gt $n ]; do sleep 0.1; done; echo it does")
                    == "it does"
            }

            private func boot(_ guest: Guest, _ kernel: String, _ files: String) throws {
                func put(_ path: String, _ body: String) throws {
                    #expect(try guest.api("PUT", path, body) == .done, "\(path)")
                }
                try put(
                    "/boot-source",
                    #"{"kernel_image_path": "\#(kernel)", "initrd_path": "\#(files)/initramfs.cpio", "#
                        + #""boot_args": "console=ttyS0 quiet panic=-1 memhp_default_state=online_movable demo.shell"}"#
                )
                try put(
                    "/machine-config", #"{"vcpu_count": 1, "mem_size_mib": 96, "track_dirty_pages": true}"#)
                try put("/drives/root", #"{"drive_id": "root", "is_root_device": true, "path_on_host": "disk"}"#)
                try put("/network-interfaces/eth0", #"{"iface_id": "eth0", "host_dev_name": "bhsnap"}"#)
                try put("/vsock", #"{"guest_cid": 3, "uds_path": "vsock"}"#)
                try put("/entropy", "{}")
                try put("/hotplug/memory", #"{"total_size_mib": 256}"#)
                try put("/balloon", #"{"amount_mib": 0, "deflate_on_oom": true}"#)
                try put("/actions", #"{"action_type": "InstanceStart"}"#)
                try guest.shell.wait(for: "# ")
            }
        }
    }
#endif
