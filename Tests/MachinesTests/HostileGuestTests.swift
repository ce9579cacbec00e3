#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    // In the suite of machines, so that they run one after the other.
    extension MachineTests {
        /// A guest whose only program goes for its devices (`scripts/lib/vm-hostile.c`), in a monitor that is jailed and
        /// filtered and has one of each kind. It is asked for what it should refuse, saved, and restored in another jail.
        @Suite(.needs(.testVM)) struct HostileGuestTests {
            private static let user: uid_t = 12345
            private let jails: Jails
            private let root: String
            private let secondRoot: String

            init() throws {
                jails = try Jails()
                root = try jails.root("hostile")
                secondRoot = try jails.root("second")
            }

            /// A file in a jail, of its user.
            private func put(_ name: String, size: Int, in root: String) throws {
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
                for name in ["disk", "fixed"] { try put(name, size: 1 << 20, in: root) }
                for name in ["serial", "config"] { try put(name, size: 0, in: root) }
                try Descriptor.open("\(root)/config", .writeOnly).write(Array(Self.configuration.utf8))
                return try jailed("hostile", tap: "bhhostile", "--config-file", "/config")
            }

            private func jailed(_ id: String, tap: String, _ more: String...) throws -> Monitor {
                try #require(
                    run("ip", "tuntap", "add", "name", tap, "mode", "tap", "vnet_hdr", "user", "\(Self.user)") == 0)
                let words = [
                    "--id", id, "--exec-file", try builtProgram("bulkhead-vm"), "--uid", "\(Self.user)", "--gid",
                    "\(Self.user)", "--chroot-base-dir", jails.path, "--", "--api-sock", "/run/api",
                ]
                return try Monitor(words + more, program: "bulkhead-jailer")
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
                    #expect(lines.contains("Seccomp:\t2"), "\(thread)")
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
            private var rounds: Int { rounds(in: root) }

            private func rounds(in root: String) -> Int {
                let said = (try? readText("\(root)/serial")) ?? ""
                return said.split(separator: "\n").last { $0.hasPrefix("@rounds ") }.flatMap { Int($0.dropFirst(8)) }
                    ?? 0
            }

            private static func files(_ folder: String, _ more: String = "") -> String {
                #"{"snapshot_path": "\#(folder)state", "mem_file_path": "\#(folder)memory"\#(more)}"#
            }

            /// Saves it, and lets it go on in another jail as well.
            private func restore() throws {
                let api = try APIConnection("\(root)/run/api")
                #expect(try api.status("PATCH", "/vm", #"{"state": "Paused"}"#) == 204)
                #expect(try api.status("PUT", "/snapshot/create", Self.files("/")) == 204)
                // A save that fails leaves it, and the guest goes on.
                let saved = try readFile("\(root)/state")
                let wrong = #"{"snapshot_path": "/state", "mem_file_path": "/none/memory"}"#
                #expect(try api.status("PUT", "/snapshot/create", wrong) == 400)
                #expect(try readFile("\(root)/state") == saved)
                for name in ["state", "memory", "disk", "fixed"] {
                    try #require(run("cp", "--sparse=always", "\(root)/\(name)", secondRoot) == 0)
                    try #require(chown("\(secondRoot)/\(name)", Self.user, Self.user) == 0)
                }
                try put("serial", size: 0, in: secondRoot)
                #expect(try api.status("PATCH", "/vm", #"{"state": "Resumed"}"#) == 204)
                let before = rounds

                let second = try jailed("second", tap: "bhhostile2")
                defer { run("ip", "link", "delete", "bhhostile2") }
                #expect(eventually(60) { access("\(secondRoot)/run/api", F_OK) == 0 }, "\(second.complaints)")
                let other = try APIConnection("\(secondRoot)/run/api")
                #expect(try other.status("PUT", "/serial", #"{"serial_out_path": "/serial"}"#) == 204)
                let tap =
                    #", "resume_vm": true, "network_overrides": [{"iface_id": "net", "host_dev_name": "bhhostile2"}]"#
                func flip() throws {
                    let state = try Descriptor.open("\(secondRoot)/state", .readWrite)
                    var byte = saved[saved.count / 2]
                    try #require(pread(state.rawValue, &byte, 1, off_t(saved.count / 2)) == 1)
                    byte ^= 1
                    try #require(pwrite(state.rawValue, &byte, 1, off_t(saved.count / 2)) == 1)
                }
                try flip()
                #expect(try other.status("PUT", "/snapshot/load", Self.files("/", tap)) == 400)
                try flip()
                #expect(try other.status("PUT", "/snapshot/load", Self.files("/", tap)) == 204)
                #expect(eventually(60) { rounds(in: secondRoot) > before }, "\(second.complaints)")
                #expect(eventually(60) { rounds > before })
                _ = try jail(of: try child(of: second.pid))
                second.signal(SIGTERM)
                let outcome = try second.finish()
                #expect(outcome.status == 128 + SIGTERM && outcome.err.isEmpty, "\(outcome.err)")
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
                        #expect(try api.status("PUT", "/snapshot/create", Self.files("/none/")) == 400)
                        #expect(try api.status("PATCH", "/vm", #"{"state": "Resumed"}"#) == 204)
                        for (path, body) in [("/drives/a", "{"), ("/foo", "{}"), ("/boot-source", "{}")] {
                            #expect(try api.status("PUT", path, body) == 400)
                        }
                        // Clients that send half, and that announce and send too much, and leave.
                        try APIConnection("\(root)/run/api").send(
                            "PUT /drives/a HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
                        try APIConnection("\(root)/run/api")
                            .send("PUT /mmds HTTP/1.1\r\nContent-Length: 104857600\r\n\r\n", andThen: 1 << 20)
                    }
                }
                #expect(eventually(60) { rounds >= first + 60 }, "\(first) and then \(rounds)")
                #expect(try self.jail(of: pid) == jail)
                // A connection of the guest's is one for a moment.
                #expect(try eventually(20) { try descriptors(of: pid).count <= open.count })
                #expect(try kibibytes(of: pid) <= memory + 2048, "\(memory)")
                #expect(try readFile("\(root)/fixed", limit: 2 << 20) == [UInt8](repeating: 0, count: 1 << 20))
                #expect(try Descriptor.open("\(root)/disk", .path).status().size == 1 << 20)
                try restore()
                monitor.signal(SIGTERM)
                let outcome = try monitor.finish()
                #expect(outcome.status == 128 + SIGTERM, "\(outcome.err)")
                #expect(outcome.err.isEmpty)
            }
        }
    }
#endif
