#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    /// A jail with a real monitor in it, looked at from `/proc`; and what is left of one that could not be made.
    @Suite(.needs(.testVM), .serialized) struct JailTests {
        private static let waits: [UInt8] = [0x66, 0xba, 0xf8, 0x03, 0xb0, UInt8(ascii: "!"), 0xee, 0xf4, 0xeb, 0xfd]
        private static let user: uid_t = 12345
        private static let group: gid_t = 23456

        private let jails: Jails

        init() throws { jails = try Jails() }

        private func words(_ id: String, _ more: [String], file: String? = nil) throws -> [String] {
            [
                "--id", id, "--exec-file", try file ?? builtProgram("bulkhead-vm"), "--uid", "\(Self.user)", "--gid",
                "\(Self.group)", "--chroot-base-dir", jails.path,
            ] + more
        }

        private func jailer(_ id: String, _ more: String..., file: String? = nil) throws -> Monitor {
            try Monitor(try words(id, more, file: file), program: "bulkhead-jailer")
        }

        /// A guest that waits in a jail.
        private func machine(_ id: String, _ more: String...) throws -> Monitor {
            let root = try jails.root(id)
            let file = try Descriptor.open("\(root)/kernel", [.writeOnly, .create], mode: 0o644)
            try file.write(TestELF(code: Self.waits).bytes)
            let guest = ["--", "run", "--kernel", "/kernel", "--memory", "32", "--vsock", "3,/run/vsock"]
            return try Monitor(try words(id, more + guest), program: "bulkhead-jailer")
        }

        private func file(_ path: String) throws -> FileStatus { try Descriptor.open(path, .path).status() }

        @Test func theJailIsWhatItSays() throws {
            #expect(run("ip", "netns", "add", "jail") == 0)
            defer { _ = run("ip", "netns", "delete", "jail") }
            let running = try machine(
                "one", "--netns", "/run/netns/jail", "--cgroup", "memory.max=256M", "--cgroup", "pids.max=20",
                "--parent-cgroup", "jails/of-a-test", "--resource-limit", "no-file=100", "--resource-limit",
                "fsize=1000000")
            defer {
                for cgroup in ["jails/of-a-test/one", "jails/of-a-test", "jails"] { rmdir("/sys/fs/cgroup/\(cgroup)") }
            }
            running.wait(for: "!")
            let (root, pid) = ("\(jails.path)/bulkhead-vm/one/root", try child(of: running.pid))
            #expect(try readText("\(root)/bulkhead-vm.pid") == "\(pid)")
            #expect(try readText("/proc/\(pid)/cmdline").hasPrefix("/bulkhead-vm\0"))

            // Where it is.
            let seen = try file("/proc/\(pid)/root/")
            #expect(try (seen.device, seen.inode) == (file(root).device, file(root).inode))
            #expect(try link("/proc/\(pid)/cwd") == "/" && link("/proc/\(pid)/exe") == "/bulkhead-vm")
            let mounts = try readText("/proc/\(pid)/mountinfo").split(separator: "\n")
            #expect(mounts.count == 1 && mounts[0].contains(" / ") && mounts[0].contains("nosuid"), "\(mounts)")
            #expect(try link("/proc/\(pid)/ns/mnt") != link("/proc/self/ns/mnt"))
            #expect(try link("/proc/\(pid)/ns/net") != link("/proc/self/ns/net"))
            let network = try file("/run/netns/jail")
            let own = try Descriptor.open("/proc/\(pid)/ns/net", .readOnly).status()
            #expect((own.device, own.inode) == (network.device, network.inode))

            // Who it is.
            #expect(try status(pid, "Uid") == Array(repeating: "\(Self.user)", count: 4))
            #expect(try status(pid, "Gid") == Array(repeating: "\(Self.group)", count: 4))
            #expect(try status(pid, "Groups") == [])
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                #expect(try status(pid, set) == ["0000000000000000"], "\(set)")
            }
            #expect(try status(pid, "NoNewPrivs") == ["1"])
            #expect(try readText("/proc/\(pid)/environ") == "")
            // Who waits for it has no more rights.
            #expect(try status(running.pid, "Uid") == Array(repeating: "\(Self.user)", count: 4))
            #expect(try status(running.pid, "CapEff") == ["0000000000000000"])

            // What it may use.
            #expect(try readText("/proc/\(pid)/cgroup") == "0::/jails/of-a-test/one\n")
            #expect(try readText("/sys/fs/cgroup/jails/of-a-test/one/memory.max") == "268435456\n")
            #expect(try readText("/sys/fs/cgroup/jails/of-a-test/one/pids.max") == "20\n")
            let limits = try readText("/proc/\(pid)/limits").split(separator: "\n").map { $0.split(separator: " ") }
            #expect(limits.contains { $0.starts(with: ["Max", "open", "files", "100", "100"]) }, "\(limits)")
            #expect(limits.contains { $0.starts(with: ["Max", "file", "size", "1000000", "1000000"]) }, "\(limits)")

            // What it holds: nothing of the host's but what its standard descriptors lead to.
            for number in try #require(names(in: "/proc/\(pid)/fd")) where Int(number)! > 2 {
                let target = try link("/proc/\(pid)/fd/\(number)")
                let standard = try [0, 1].map { try link("/proc/\(pid)/fd/\($0)") }
                let isOwn =
                    target.hasPrefix("anon_inode:") || target.hasPrefix("socket:") || target.hasPrefix("pipe:")
                    || target.hasPrefix("/memfd:") || target == "/dev/kvm" || target == "/kernel"
                    // A copy of standard input or output.
                    || standard.contains(target)
                #expect(isOwn, "descriptor \(number) is \(target)")
            }

            // What it may ask for.
            #expect(eventually(30) { (try? status(pid, "Seccomp")) == ["2"] })
            for thread in try #require(names(in: "/proc/\(pid)/task")) {
                let lines = try readText("/proc/\(pid)/task/\(thread)/status").split(separator: "\n")
                #expect(lines.contains("Seccomp:\t2") && lines.contains("Seccomp_filters:\t1"), "\(thread)")
            }

            // What there is for it.
            for (path, major, minor) in [("kvm", 10, 232), ("net/tun", 10, 200), ("urandom", 1, 9)] {
                let device = try file("\(root)/dev/\(path)")
                #expect(device.isCharacterDevice && device.mode & 0o7777 == 0o600, "\(path)")
                #expect(device.representedDevice == UInt64(major << 8 | minor), "\(path)")
                #expect((device.owner, device.group) == (Self.user, Self.group), "\(path)")
            }
            for path in ["", "/dev", "/dev/net", "/run"] {
                let directory = try file(root + path)
                #expect(directory.mode & 0o7777 == 0o700, "\(path)")
                #expect((directory.owner, directory.group) == (Self.user, Self.group), "\(path)")
            }
            #expect(try file("\(root)/bulkhead-vm").owner == 0)
            #expect(access("\(root)/run/vsock", F_OK) == 0)

            running.signal(SIGTERM)
            #expect(try running.finish().signal == SIGTERM)
            #expect(access("\(root)/run/vsock", F_OK) != 0)
        }

        @Test func firecrackersAPIIsServedInAJail() throws {
            let root = try jails.root("api")
            let file = try Descriptor.open("\(root)/kernel", [.writeOnly, .create], mode: 0o644)
            try file.write(TestELF(code: Self.waits).bytes)
            let running = try jailer("api", "--", "--api-sock", "/run/api")
            let socket = "\(root)/run/api"
            #expect(eventually(60) { access(socket, F_OK) == 0 })
            let pid = try child(of: running.pid)
            func put(_ path: String, _ body: String) -> CInt {
                run("curl", "-sf", "--unix-socket", socket, "-X", "PUT", "http://localhost\(path)", "-d", body)
            }
            #expect(put("/machine-config", #"{"vcpu_count": 2, "mem_size_mib": 32}"#) == 0)
            #expect(put("/vsock", #"{"guest_cid": 3, "uds_path": "/run/vsock"}"#) == 0)
            #expect(put("/boot-source", #"{"kernel_image_path": "/kernel"}"#) == 0)
            // Who serves a disk is outside, and its socket in the jail.
            let daemon = try StorageDaemon(size: 1 << 20, at: "\(root)/disk.socket")
            let drive = #"{"drive_id": "d", "is_root_device": false, "socket": "/disk.socket"}"#
            #expect(put("/drives/d", drive) != 0)
            #expect(chmod(daemon.socket, 0o666) == 0)
            #expect(put("/drives/d", drive) == 0)
            #expect(put("/actions", #"{"action_type": "InstanceStart"}"#) == 0)
            running.wait(for: "!")
            #expect(access("\(root)/run/vsock", F_OK) == 0)
            // The machine's threads are under the filter of the one that made them, too.
            for thread in try #require(names(in: "/proc/\(pid)/task")) {
                let lines = try readText("/proc/\(pid)/task/\(thread)/status").split(separator: "\n")
                #expect(lines.contains("Seccomp:\t2"), "\(thread)")
                #expect(lines.contains(thread == "\(pid)" ? "Seccomp_filters:\t1" : "Seccomp_filters:\t2"), "\(thread)")
            }
            // By these names clients find the processors' threads.
            let threads = try #require(names(in: "/proc/\(pid)/task"))
            let told = Set(try threads.map { try readText("/proc/\(pid)/task/\($0)/comm") })
            #expect(told.isSuperset(of: ["fc_vcpu 0\n", "fc_vcpu 1\n", "devices\n", "bulkhead-vm\n"]), "\(told)")
            running.signal(SIGTERM)
            #expect(try running.finish().signal == SIGTERM)
        }

        /// Files are not copied into a jail where they can be mounted there.
        @Test func whatIsMountedBelowItIsInIt() throws {
            let (root, images) = (try jails.root("mounted"), "\(jails.path)/images")
            for directory in [images, "\(root)/images"] { try #require(mkdir(directory, 0o755) == 0) }
            let file = try Descriptor.open("\(images)/kernel", [.writeOnly, .create], mode: 0o644)
            try file.write(TestELF(code: Self.waits).bytes)
            try #require(run("mount", "--bind", images, "\(root)/images") == 0)
            defer { _ = run("umount", "\(root)/images") }
            let running = try jailer("mounted", "--", "run", "--kernel", "/images/kernel", "--memory", "32")
            running.wait(for: "!")
            running.signal(SIGTERM)
            #expect(try running.finish().signal == SIGTERM)
        }

        @Test func aDaemonOutlivesItsJailer() throws {
            let outcome = try machine("daemon", "--daemonize").finish()
            #expect(outcome.status == 0, "\(outcome.err)")
            let root = "\(jails.path)/bulkhead-vm/daemon/root"
            let pid = try #require(pid_t(try readText("\(root)/bulkhead-vm.pid")))
            defer { kill(pid, SIGKILL) }
            #expect(eventually(60) { access("\(root)/run/vsock", F_OK) == 0 })
            #expect(getsid(pid) == pid)
            #expect(try link("/proc/\(pid)/exe") == "/bulkhead-vm")
            kill(pid, SIGTERM)
            #expect(eventually(60) { access("\(root)/run/vsock", F_OK) != 0 })
        }

        @Test func aDaemonInAPidNamespaceIsLeftAlone() throws {
            let outcome = try machine("two", "--daemonize", "--new-pid-ns").finish()
            #expect(outcome.status == 0, "\(outcome.err)")
            let root = "\(jails.path)/bulkhead-vm/two/root"
            let pid = try #require(pid_t(try readText("\(root)/bulkhead-vm.pid")))
            defer { kill(pid, SIGKILL) }
            #expect(try status(pid, "NSpid") == ["\(pid)", "1"])
            #expect(try link("/proc/\(pid)/ns/pid") != link("/proc/self/ns/pid"))
            #expect(getsid(pid) == pid)
            for number in 0...2 { #expect(try link("/proc/\(pid)/fd/\(number)") == "/dev/null") }
            #expect(eventually(60) { access("\(root)/run/vsock", F_OK) == 0 })
            #expect(eventually(60) { (try? status(pid, "Seccomp")) == ["2"] })
            #expect(try status(pid, "CapEff") == ["0000000000000000"])
            // It takes its signals as a process of its own.
            kill(pid, SIGTERM)
            #expect(eventually(60) { access("\(root)/run/vsock", F_OK) != 0 })
        }

        @Test func theMonitorDiesWithItsJailer() throws {
            let running = try machine("three")
            running.wait(for: "!")
            let pid = try child(of: running.pid)
            running.signal(SIGKILL)
            #expect(try running.finish().signal == SIGKILL)
            #expect(eventually(30) { (try? status(pid, "State").first).map { $0 == "Z" } ?? true })
        }

        @Test func evenRootHasNoRightsInIt() throws {
            // The later of two is an error: so they are whole.
            let root = try jails.root("root")
            let file = try Descriptor.open("\(root)/kernel", [.writeOnly, .create], mode: 0o644)
            try file.write(TestELF(code: Self.waits).bytes)
            let running = try Monitor(
                [
                    "--id", "root", "--exec-file", try builtProgram("bulkhead-vm"), "--uid", "0", "--gid", "0",
                    "--chroot-base-dir", jails.path, "--", "run", "--kernel", "/kernel", "--memory", "32",
                ], program: "bulkhead-jailer")
            running.wait(for: "!")
            let pid = try child(of: running.pid)
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                #expect(try status(pid, set) == ["0000000000000000"], "\(set)")
            }
            running.signal(SIGTERM)
            #expect(try running.finish().signal == SIGTERM)
        }

        // MARK: - What fails

        private func fails(
            _ complaint: String, _ jailer: Monitor, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let outcome = try jailer.finish()
            #expect(outcome.status == 1, "\(outcome.err)", sourceLocation: sourceLocation)
            #expect(
                outcome.err.hasPrefix("bulkhead-jailer: ") && outcome.err.contains(complaint), "\(outcome.err)",
                sourceLocation: sourceLocation)
            #expect(outcome.err.count { $0 == "\n" } == 1, "\(outcome.err)", sourceLocation: sourceLocation)
        }

        @Test func aStepThatFailsLeavesNothing() throws {
            let before = try #require(names(in: "/sys/fs/cgroup")).sorted()
            func leavesNothing(
                _ complaint: String, _ jailer: Monitor, sourceLocation: SourceLocation = #_sourceLocation
            ) throws {
                try fails(complaint, jailer, sourceLocation: sourceLocation)
                #expect(jails.isEmpty, sourceLocation: sourceLocation)
                #expect(names(in: "/sys/fs/cgroup")?.sorted() == before, sourceLocation: sourceLocation)
            }
            try leavesNothing("--netns: ", try jailer("a", "--netns", "/nonexistent"))
            try leavesNothing("it is no namespace", try jailer("a", "--netns", "/etc/passwd"))
            try leavesNothing("expected kind", try jailer("a", "--netns", "/proc/self/ns/uts"))
            try leavesNothing("memory.maximum", try jailer("a", "--cgroup", "memory.maximum=1"))
            try leavesNothing("pids.max", try jailer("a", "--cgroup", "memory.max=64M", "--cgroup", "pids.max=few"))
            try leavesNothing("colour", try jailer("a", "--cgroup", "colour.max=1"))
            try leavesNothing("--cgroup: open ", try jailer("a", "--parent-cgroup", "not/there"))
            // The kernel refuses what lies above its own limit; by then all the rest is there.
            try leavesNothing(
                "limit RLIMIT_NOFILE",
                try jailer("a", "--cgroup", "pids.max=9", "--resource-limit", "no-file=9999999999"))
            // A program that needs a loader, and one that is none.
            try leavesNothing("is it linked statically?", try jailer("a", "--new-pid-ns", file: "/usr/bin/env"))
            try leavesNothing("ENOEXEC", try jailer("a", "--cgroup", "pids.max=9", file: try noProgram()))
        }

        /// A file that may be executed and can't.
        private func noProgram() throws -> String {
            let path = "\(jails.path).none"
            let file = try Descriptor.open(path, [.writeOnly, .create, .truncate], mode: 0o755)
            try file.write("no program")
            return path
        }

        @Test func whatWasThereStaysAsItWas() throws {
            let root = try jails.root("a")
            chmod(root, 0o751)
            chown(root, 7, 8)
            mkdir("\(root)/dev", 0o711)
            let file = try Descriptor.open("\(root)/dev/own", [.writeOnly, .create], mode: 0o600)
            try file.close()
            try fails("limit RLIMIT_NOFILE", try jailer("a", "--resource-limit", "no-file=9999999999"))
            #expect(names(in: root) == ["dev"] && names(in: "\(root)/dev") == ["own"])
            let status = try self.file(root)
            #expect((status.owner, status.group, status.mode & 0o7777) == (7, 8, 0o751))
            #expect(try self.file("\(root)/dev").mode & 0o7777 == 0o711)
            #expect(try self.file("\(root)/dev").owner == 0)
        }

        @Test func anIdIsUsedOnce() throws {
            let running = try machine("a")
            running.wait(for: "!")
            try fails("--id: \"a\" is in use", try jailer("a"))
            // The one that has it does not notice.
            #expect(access("\(jails.path)/bulkhead-vm/a/root/dev/kvm", F_OK) == 0)
            running.signal(SIGTERM)
            #expect(try running.finish().signal == SIGTERM)
        }

        @Test func aLinkInTheJailLeadsNowhere() throws {
            // As an earlier monitor, which owned its root, might have left it.
            let root = try jails.root("a")
            let outside = "\(jails.path)/outside"
            mkdir(outside, 0o755)
            symlink(outside, "\(root)/dev")
            try fails("own \"/dev\" in the jail", try jailer("a"))
            #expect(names(in: outside)?.isEmpty == true)
            #expect(try file(outside).owner == 0)
            unlink("\(root)/dev")
            symlink("\(outside)/monitor", "\(root)/bulkhead-vm")
            try fails("--id: ", try jailer("a"))
            #expect(names(in: outside)?.isEmpty == true)
        }
    }
#endif
