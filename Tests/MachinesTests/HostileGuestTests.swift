#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    // In the suite of machines, so that they run one after the other.
    extension MachineTests {
        /// A guest whose only program goes for its devices (`scripts/lib/vm-hostile.c`), in a monitor that is jailed and
        /// filtered and has one of each kind.
        @Suite(.needs(.testVM)) struct HostileGuestTests {
            private static let user: uid_t = 12345
            private let jails: Jails
            private let root: String

            init() throws {
                jails = try Jails()
                root = try jails.root("hostile")
            }

            /// A file in the jail, of its user.
            private func put(_ name: String, size: Int) throws {
                try Descriptor.open("\(root)/\(name)", [.writeOnly, .create], mode: 0o600).close()
                guard truncate("\(root)/\(name)", size) == 0, chown("\(root)/\(name)", Self.user, Self.user) == 0 else {
                    throw Errno.current
                }
            }

            private static let configuration = """
                {"machine-config": {"vcpu_count": 1, "mem_size_mib": 32},
                 "boot-source": {"kernel_image_path": "/kernel"}, "serial": {"serial_out_path": "/serial"},
                 "drives": [
                    {"drive_id": "a", "is_root_device": false, "path_on_host": "/disk"},
                    {"drive_id": "b", "is_root_device": false, "path_on_host": "/fixed", "is_read_only": true}],
                 "network-interfaces": [{"iface_id": "net", "host_dev_name": "bhhostile"}],
                 "mmds-config": {"network_interfaces": ["net"]}, "vsock": {"guest_cid": 3, "uds_path": "/run/vsock"},
                 "entropy": {"rate_limiter": {"bandwidth": {"size": 1000000, "refill_time": 100}}},
                 "balloon": {"amount_mib": 4, "deflate_on_oom": true, "stats_polling_interval_s": 1,
                    "free_page_hinting": true, "free_page_reporting": true}}
                """

            private func start() throws -> Monitor {
                let files = try #require(demoFiles)
                try #require(run("cp", "\(files)/hostile", "\(root)/kernel") == 0)
                for name in ["disk", "fixed"] { try put(name, size: 1 << 20) }
                for name in ["serial", "config"] { try put(name, size: 0) }
                try Descriptor.open("\(root)/config", .writeOnly).write(Array(Self.configuration.utf8))
                try #require(
                    run("ip", "tuntap", "add", "name", "bhhostile", "mode", "tap", "vnet_hdr", "user", "\(Self.user)")
                        == 0)
                let words = [
                    "--id", "hostile", "--exec-file", try builtProgram("bulkhead-vm"), "--uid", "\(Self.user)", "--gid",
                    "\(Self.user)", "--chroot-base-dir", jails.path, "--", "--api-sock", "/run/api", "--config-file",
                    "/config",
                ]
                return try Monitor(words, program: "bulkhead-jailer")
            }

            /// What the jail is from outside: nothing of it is the guest's to change.
            private func jail(of pid: pid_t) throws -> [String] {
                var all = try ["root", "cwd", "exe", "ns/mnt", "ns/net", "ns/pid"].map {
                    try link("/proc/\(pid)/\($0)")
                }
                all.append(try readText("/proc/\(pid)/mountinfo"))
                all.append(try readText("/proc/\(pid)/cgroup"))
                for name in ["Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs"] {
                    all.append("\(name): \(try status(pid, name))")
                }
                for thread in try #require(names(in: "/proc/\(pid)/task")).sorted() {
                    let lines = try readText("/proc/\(pid)/task/\(thread)/status").split(separator: "\n")
                    all += lines.filter { $0.hasPrefix("Seccomp") }.map { "\(thread) \($0)" }
                }
                all += try #require(names(in: root)).sorted()
                return all
            }

            private func descriptors(of pid: pid_t) throws -> [String] {
                try #require(names(in: "/proc/\(pid)/fd")).map { try link("/proc/\(pid)/fd/\($0)") }.sorted()
            }

            /// What it has written to besides the guest's memory, which is one mapping of 32 MiB.
            private func kibibytes(of pid: pid_t) throws -> Int {
                var (size, sum) = (0, 0)
                for line in try readText("/proc/\(pid)/smaps").split(separator: "\n") {
                    let words = line.split(separator: " ")
                    guard words.count == 3, let value = Int(words[1]) else { continue }
                    if words[0] == "Size:" { size = value }
                    if words[0] == "Anonymous:", size < 32 << 10 { sum += value }
                }
                return sum
            }

            /// How far the guest has come.
            private var rounds: Int {
                let said = (try? readText("\(root)/serial")) ?? ""
                return said.split(separator: "\n").last { $0.hasPrefix("@rounds ") }.flatMap { Int($0.dropFirst(8)) }
                    ?? 0
            }

            @Test func aHostileDriverHarmsNobody() throws {
                let monitor = try start()
                defer { run("ip", "link", "delete", "bhhostile") }
                #expect(eventually(60) { rounds >= 20 || monitor.hasEnded }, "\(monitor.complaints)")
                let pid = try child(of: monitor.pid)
                let (jail, open, memory) = try (jail(of: pid), descriptors(of: pid), kibibytes(of: pid))
                let first = rounds
                do {
                    let api = try APIConnection("\(root)/run/api")
                    for turn in 0..<20 {
                        #expect(try api.status(of: "GET /vm/config HTTP/1.1\r\n\r\n") == 200)
                        #expect(try api.status("PATCH", "/balloon", #"{"amount_mib": \#(turn % 8)}"#) == 204)
                        let limit = #"{"ops": {"size": \#(turn * 100), "refill_time": 100}}"#
                        #expect(
                            try api.status("PATCH", "/drives/a", #"{"drive_id": "a", "rate_limiter": \#(limit)}"#)
                                == 204)
                        #expect(try api.status("PUT", "/mmds", #"{"latest": {"name": "\#(turn)"}}"#) == 204)
                        #expect(try api.status("PATCH", "/vm", #"{"state": "Paused"}"#) == 204)
                        #expect(try api.status("PATCH", "/vm", #"{"state": "Resumed"}"#) == 204)
                    }
                }
                #expect(eventually(60) { rounds >= first + 60 }, "\(first) and then \(rounds)")
                #expect(try self.jail(of: pid) == jail)
                // A connection of the guest's is one for a moment.
                #expect(try eventually(20) { try descriptors(of: pid).count <= open.count })
                #expect(try kibibytes(of: pid) <= memory + 2048, "\(memory)")
                #expect(try readFile("\(root)/fixed", limit: 2 << 20) == [UInt8](repeating: 0, count: 1 << 20))
                #expect(try Descriptor.open("\(root)/disk", .path).status().size == 1 << 20)
                monitor.signal(SIGTERM)
                let outcome = try monitor.finish()
                #expect(outcome.status == 128 + SIGTERM, "\(outcome.err)")
                #expect(outcome.err.isEmpty)
            }
        }
    }
#endif
