#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    @testable import bulkhead_vm

    // In the suite of machines, so that they boot one after the other.
    extension MachineTests {
        /// What Debian's kernel and a program of its user space make of the metadata service.
        @Suite(.needs(.testVM), .serialized) struct MetadataGuestTests {
            private let scratch = Scratch()
            private let address = "169.254.169.254"

            /// A guest whose card leads to the service, and a shell in it.
            private func start(_ settings: String, template: String? = nil) throws -> (APIClient, GuestShell) {
                let kernel = try #require(debianKernel)
                let files = try #require(demoFiles)
                let path = "PATH=$PATH:/usr/sbin:/sbin"
                // One that an earlier test left, if it failed, is not in the way.
                try #require(
                    system(
                        """
                        \(path); ip link delete bhmmds 2>/dev/null; ip tuntap add name bhmmds mode tap vnet_hdr &&
                        ip address add 10.111.0.1/30 dev bhmmds && ip link set bhmmds up
                        """) == 0)
                let shell = try GuestShell()
                let api = try APIClient(terminal: shell.terminal.program.rawValue)
                shell.monitor = api.monitor
                let source =
                    #"{"kernel_image_path": "\#(kernel.elf)", "initrd_path": "\#(files)/initramfs.cpio", "#
                    + #""boot_args": "console=ttyS0 quiet panic=-1 demo.shell"}"#
                #expect(try api("PUT", "/boot-source", source) == .done)
                let card = #"{"iface_id": "eth0", "host_dev_name": "bhmmds"}"#
                #expect(try api("PUT", "/network-interfaces/eth0", card) == .done)
                #expect(try api("PUT", "/mmds/config", settings) == .done)
                if let template { #expect(try api("PUT", "/cpu-config", template) == .done) }
                let contents = #"{"latest": {"meta-data": {"name": "bulkhead", "more": {"a": "1"}}}}"#
                #expect(try api("PUT", "/mmds", contents) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
                try shell.wait(for: "# ")
                #expect(try shell("ip route add \(address) dev eth0; echo $?") == "0")
                return (api, shell)
            }

            private func end(_ api: APIClient, _ shell: GuestShell) throws {
                try shell.terminal.master.write("poweroff -f\r")
                let outcome = try api.monitor.finish()
                #expect(outcome.status == 0, "\(outcome.err)")
                system("PATH=$PATH:/usr/sbin:/sbin ip link delete bhmmds")
            }

            @Test func aGuestAsksWithoutAToken() throws {
                // Without RDRAND (leaf 1, ECX, bit 30), and of another name: "Bulk" first.
                func change(_ leaf: String, _ register: String, _ bitmap: String) -> String {
                    #"{"leaf": "\#(leaf)", "subleaf": "0x0", "flags": 0, "modifiers": "#
                        + #"[{"register": "\#(register)", "bitmap": "\#(bitmap)"}]}"#
                }
                let changes = [
                    change("0x1", "ecx", "0bx0" + String(repeating: "x", count: 30)),
                    change("0x80000002", "eax", "0b01101011_01101100_01110101_01000010"),
                ]
                let (api, run) = try start(
                    #"{"network_interfaces": ["eth0"]}"#,
                    template: #"{"cpuid_modifiers": [\#(changes.joined(separator: ", "))]}"#)
                #expect(try run("grep -c -w rdrand /proc/cpuinfo") == "0")
                #expect(try run("grep -c '^model name.*: Bulk' /proc/cpuinfo") == "1")
                #expect(try run.takesLongInput(5000))
                let get = "wget -q -O - http://\(address)"
                #expect(try run("\(get)/latest/meta-data/") == "more/ name")
                #expect(try run("\(get)/latest/meta-data/name") == "bulkhead")
                #expect(
                    try run("\(get)/latest/meta-data --header 'Accept: application/json'")
                        == #"{"more":{"a":"1"},"name":"bulkhead"}"#)
                #expect(try run("wget -O - http://\(address)/none 2>&1 | grep -o '404 Not Found'") == "404 Not Found")
                // What changes while the guest runs, and more than a segment of it.
                let long = String(repeating: "0123456789", count: 4000)
                #expect(try api("PATCH", "/mmds", #"{"latest": null, "long": "\#(long)"}"#) == .done)
                let sum = try run("\(get)/long | wc -c; for i in 1 2 3 4; do \(get)/long | md5sum & done; wait")
                #expect(sum.hasPrefix("40000 ") && Set(sum.split(separator: " ").dropFirst()).count == 2, "\(sum)")
                // The host is reached as ever.
                #expect(try run("ping -c 1 -W 5 10.111.0.1 | grep -c '1 packets received'") == "1")
                try end(api, run)
            }

            @Test func aGuestAsksWithATokenAndGetsDevices() throws {
                let (api, run) = try start(#"{"network_interfaces": ["eth0"], "version": "V2"}"#)
                // What the other guest has not.
                #expect(try run("grep -c -w rdrand /proc/cpuinfo") == "1")
                let name = "http://\(address)/latest/meta-data/name"
                #expect(
                    try run("wget -O - \(name) 2>&1 | grep -o '401 Unauthorized'") == "401 Unauthorized")
                let ask = "PUT /latest/api/token HTTP/1.1\\r\\nX-metadata-token-ttl-seconds: 60\\r\\nConnection: close"
                #expect(
                    try run("token=$(printf '\(ask)\\r\\n\\r\\n' | nc \(address) 80 | tail -n 1); echo ${#token}")
                        == "40")
                #expect(try run("wget -q -O - --header \"X-metadata-token: $token\" \(name)") == "bulkhead")
                #expect(
                    try run("wget -O - --header \"X-metadata-token: a$token\" \(name) 2>&1 | grep -c '401 '") == "1")
                try plugDevices(api, run)
                try end(api, run)
            }

            /// A drive and a card come while the guest runs, under the threads' filters.
            private func plugDevices(_ api: APIClient, _ run: GuestShell) throws {
                let text = Array("from the new one".utf8) + [UInt8](repeating: 0, count: 4080)
                let disk = try scratch.file("new", text)
                let drive = #"{"drive_id": "new", "is_root_device": false, "path_on_host": "\#(disk)"}"#
                #expect(try api("PUT", "/drives/new", drive) == .done)
                #expect(try api("PUT", "/drives/new", drive).fault == "Device ID in use")
                #expect(
                    try api(
                        "PUT", "/drives/other",
                        drive.replacing("\"new\"", with: "\"other\"").replacing("false", with: "true")
                    )
                    .fault == "Drive config error: A root block device already exists!")
                #expect(
                    try run("until [ -e /dev/vda ]; do sleep 0.1; done; dd if=/dev/vda bs=16 count=1 2>/dev/null")
                        == "from the new one")
                let limit = #"{"drive_id": "new", "rate_limiter": {"ops": {"size": 1000, "refill_time": 1000}}}"#
                #expect(try api("PATCH", "/drives/new", limit) == .done)
                let card = #"{"iface_id": "eth1", "host_dev_name": "bhmmds1", "guest_mac": "02:00:00:00:00:09"}"#
                #expect(try api("PUT", "/network-interfaces/eth1", card) == .done)
                let found = "cat /sys/class/net/eth1/address"
                #expect(try run("until \(found) 2>/dev/null; do sleep 0.1; done") == "02:00:00:00:00:09")
                let config = try api("GET", "/vm/config").json()
                #expect(config["drives"]?.arrayValue?.count == 1)
                #expect(config["network-interfaces"]?.arrayValue?.count == 2)
                try unplugDevices(api, run, disk)
            }

            /// They go again, when a program in the guest has heard of it; and one comes back to a place that was used.
            private func unplugDevices(_ api: APIClient, _ run: GuestShell, _ disk: String) throws {
                func drives() throws -> Int? { try api("GET", "/vm/config").json()["drives"]?.arrayValue?.count }
                func isOpen(_ path: String) throws -> Bool {
                    try #require(names(in: "/proc/\(api.monitor.pid)/fd")).contains { number in
                        guard let target = realpath("/proc/\(api.monitor.pid)/fd/\(number)", nil) else { return false }
                        defer { free(target) }
                        return String(cString: target) == path
                    }
                }
                #expect(
                    try run("echo by the guest | dd of=/dev/vda conv=fsync 2>/dev/null") == "")
                #expect(try readText(disk).hasPrefix("by the guest\n"))
                // Nobody listens yet, so it stays.
                #expect(try api("DELETE", "/drives/new") == .done)
                #expect(try run("cat /sys/block/vda/size") == "8")
                #expect(try drives() == 1 && isOpen(disk))
                _ = try run("(uevent devices >/dev/null 2>&1 &)")
                // Its socket for the kernel's events, number 15.
                let listens = "grep -q \"15 *$(pgrep uevent) \" /proc/net/netlink"
                _ = try run("until \(listens); do sleep 0.1; done")
                #expect(try api("DELETE", "/drives/new") == .done)
                #expect(try run("while [ -e /sys/block/vda ]; do sleep 0.1; done; ls /sys/block | grep -c vd") == "0")
                #expect(try eventually(30) { try drives() == 0 })
                #expect(try !isOpen(disk))
                #expect(access("/sys/class/net/bhmmds1", F_OK) == 0)
                #expect(try api("DELETE", "/network-interfaces/eth1") == .done)
                #expect(try run("while [ -e /sys/class/net/eth1 ]; do sleep 0.1; done; ls /sys/class/net") == "eth0 lo")
                // The tap was the monitor's own.
                #expect(eventually(30) { access("/sys/class/net/bhmmds1", F_OK) != 0 })
                #expect(try api("GET", "/vm/config").json()["network-interfaces"]?.arrayValue?.count == 1)
                // Six more fill what was never used; what comes then is where the first one was.
                for id in ["a", "b", "c", "d", "e", "f", "again"] {
                    let path = id == "again" ? disk : try scratch.hole(id, size: 4096)
                    let drive = #"{"drive_id": "\#(id)", "is_root_device": false, "path_on_host": "\#(path)"}"#
                    #expect(try api("PUT", "/drives/\(id)", drive) == .done)
                }
                let last = "head -c 12 /dev/vdg 2>/dev/null"
                #expect(try run("until [ -e /dev/vdg ]; do sleep 0.1; done; \(last)") == "by the guest")
                // One whose container the guest ejects goes, too, and one that was not asked for does not.
                _ = try run("kill $(pgrep uevent)")
                #expect(try api("DELETE", "/drives/f") == .done)
                let eject = "cd /sys/devices/system/container/ACPI0004:0$n; echo 0 >online; echo 1 >firmware_node/eject"
                _ = try run("for n in 7 8; do \(eject); done; cd /")
                #expect(try eventually(30) { try drives() == 6 })
                #expect(try !isOpen("\(scratch.path)/f") && isOpen("\(scratch.path)/e"))
            }
        }
    }
#endif
