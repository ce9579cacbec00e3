#if arch(x86_64)
    import Glibc
    import Linux
    import OCI
    import TestSupport
    import Testing

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

                func pause() throws { #expect(try api("PATCH", "/vm", #"{"state": "Paused"}"#) == .done) }
                func resume() throws { #expect(try api("PATCH", "/vm", #"{"state": "Resumed"}"#) == .done) }

                func save(_ kind: String, _ state: String, _ memory: String) throws -> APIClient.Answer {
                    try api(
                        "PUT", "/snapshot/create",
                        #"{"snapshot_type": "\#(kind)", "snapshot_path": "\#(state)", "mem_file_path": "\#(memory)"}"#)
                }

                func load(_ state: String, _ memory: String, _ more: String) throws -> APIClient.Answer {
                    let backend = #"{"backend_type": "File", "backend_path": "\#(memory)"}"#
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
                // Each process has files of the same names in a folder of its own.
                try #require(
                    system(
                        """
                        \(path); cd \(root) && mkdir first second third small && cp \(files)/disk.img first/disk &&
                        ip tuntap add name bhsnap mode tap vnet_hdr && ip address add 10.111.0.1/30 dev bhsnap &&
                        ip link set bhsnap up && ip tuntap add name bhsnap2 mode tap vnet_hdr &&
                        mount -t tmpfs -o size=16m small small
                        """) == 0)
                defer {
                    system(
                        """
                        \(path); ip link delete bhsnap; ip link delete bhsnap2; cd \(root)
                        umount small; rm -rf first second third small
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

                try first.pause()
                #expect(try first.save("Full", "../state", "../memory") == .done)
                #expect(
                    system("cp \(root)/first/disk \(root)/second/disk && cp \(root)/first/disk \(root)/third/disk") == 0
                )
                let savedAt = time(nil)
                // No room: the old snapshot stays as it was, and the guest goes on.
                #expect(system("cd \(root) && cp state small/state && cp state before") == 0)
                let full = try first.save("Full", "../small/state", "../small/memory").fault ?? ""
                #expect(full.hasPrefix("Create snapshot error: Cannot write memory file: "), "\(full)")
                #expect(full.contains("ENOSPC"), "\(full)")
                #expect(system("cd \(root) && cmp before small/state && ls small >names") == 0)
                #expect(try readText("\(root)/names") == "state\n")
                try first.resume()
                #expect(try goesOn(first, "rounds"))

                // What was written since, onto what was saved, is all there is; but for the mark that each save has.
                try first.pause()
                #expect(system("cp \(root)/memory \(root)/onto") == 0)
                #expect(try first.save("Diff", "../state2", "../onto") == .done)
                #expect(try first.save("Full", "../state2", "../whole") == .done)
                let mark = 0xdf800
                #expect(
                    system(
                        """
                        cd \(root) && cmp -n \(mark) onto whole && cmp -i \(mark + 16) onto whole &&
                        rm onto whole state2 before names
                        """) == 0)
                try first.kill()
                #expect(system("rm -f \(root)/first/vsock*") == 0)

                // Both run at once: the second with the time that it is, the third with the time that it was, and another tap.
                let second = try Guest(in: "\(root)/second")
                let third = try Guest(in: "\(root)/third")
                #expect(try second.load("../state", "../memory", #", "clock_realtime": true"#) == .done)
                let tap = #", "network_overrides": [{"iface_id": "eth0", "host_dev_name": "bhsnap2"}]"#
                #expect(try third.load("../state", "../memory", tap) == .done)
                for guest in [second, third] {
                    let answer = try guest.api("GET", "/")
                    #expect(answer.body.contains("Running"), "\(answer) \(guest.api.monitor.complaints)")
                }
                let elapsed = time(nil) - savedAt
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
                try third.kill()
                #expect(system("cd \(root) && rm -f state memory") == 0)
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
