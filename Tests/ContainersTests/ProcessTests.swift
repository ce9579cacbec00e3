import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// Who the program is and what it may do.
    @Suite struct ProcessTests {
        private func capabilities(_ names: [String], ambient: Bool = false) -> Configuration.Process.Capabilities {
            var capabilities = Configuration.Process.Capabilities()
            capabilities.bounding = names
            capabilities.effective = names
            capabilities.permitted = names
            if ambient {
                capabilities.inheritable = names
                capabilities.ambient = names
            }
            return capabilities
        }

        private let capabilityReport = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status | tr -d '\\t'"

        @Test(.needs(.root)) func hasTheCapabilitiesOfTheDocumentAndNoOthers() throws {
            // CAP_CHOWN is bit 0, CAP_KILL bit 5, CAP_SETUID bit 7.
            let bundle = try TestBundle(
                script: capabilityReport
                    + "; chown 1:1 /tmp/file && echo owned; mount -t tmpfs none /tmp || echo no mount")
            try makeFile("\(bundle.rootfs)/tmp/file")
            bundle.configuration.root.readonly = false
            bundle.process.capabilities = capabilities(["CAP_CHOWN", "CAP_KILL"])
            let lines = try bundle.linesOfRun()
            let set = "0000000000000021"
            #expect(
                lines.prefix(6) == [
                    "CapInh:0000000000000000", "CapPrm:\(set)", "CapEff:\(set)", "CapBnd:\(set)",
                    "CapAmb:0000000000000000", "NoNewPrivs:1",
                ])
            #expect(lines.dropFirst(6).first == "owned")
            #expect(lines.last == "no mount")
        }

        @Test(.needs(.root)) func withoutACapabilityTheKernelRefuses() throws {
            let bundle = try TestBundle(script: "chown 1:1 /tmp/file && echo owned")
            try makeFile("\(bundle.rootfs)/tmp/file")
            bundle.configuration.root.readonly = false
            bundle.process.capabilities = capabilities([])
            #expect(try bundle.linesOfRun().first?.contains("Operation not permitted") == true)
        }

        @Test(.needs(.root)) func anotherUserKeepsAmbientCapabilities() throws {
            let bundle = try TestBundle(script: capabilityReport + "; id -u; id -g; id -G")
            bundle.process.user = .init(uid: 1000, gid: 1001)
            bundle.process.user.additionalGids = [20, 30]
            bundle.process.capabilities = capabilities(["CAP_NET_BIND_SERVICE"], ambient: true)
            bundle.process.noNewPrivileges = false
            let set = "0000000000000400"
            #expect(
                try bundle.linesOfRun() == [
                    "CapInh:\(set)", "CapPrm:\(set)", "CapEff:\(set)", "CapBnd:\(set)", "CapAmb:\(set)",
                    "NoNewPrivs:0", "1000", "1001", "1001 20 30",
                ])
        }

        @Test(.needs(.root)) func anotherUserHasNoCapabilitiesOfItsOwn() throws {
            let bundle = try TestBundle(script: capabilityReport)
            bundle.process.user = .init(uid: 1000, gid: 1000)
            bundle.process.capabilities = capabilities(["CAP_CHOWN", "CAP_SYS_ADMIN"])
            let lines = try bundle.linesOfRun()
            #expect(lines.contains("CapEff:0000000000000000"))
            #expect(lines.contains("CapPrm:0000000000000000"))
            #expect(lines.contains("CapBnd:0000000000200001"))
        }

        @Test(.needs(.root)) func limitsAndScoresAreSet() throws {
            let bundle = try TestBundle(
                script: "ulimit -Sn; ulimit -Hn; ulimit -Sc; cat /proc/self/oom_score_adj; umask")
            bundle.process.rlimits = [
                .init(type: .openFiles, soft: 64, hard: 128), .init(type: .core, soft: 0, hard: 0),
            ]
            bundle.process.oomScoreAdj = 500
            bundle.process.user.umask = 0o027
            #expect(try bundle.linesOfRun() == ["64", "128", "0", "500", "0027"])
        }

        @Test(.needs(.root)) func whatNeedsAMissingCapabilitySaysSo() throws {
            let bundle = try TestBundle(script: "cat /proc/self/oom_score_adj")
            bundle.process.oomScoreAdj = -500
            if hasCapability(24) {
                #expect(try bundle.linesOfRun() == ["-500"])
            } else {
                let refusal = bundle.refusal()
                #expect(refusal?.message.hasPrefix("process.oomScoreAdj: ") == true)
                #expect(refusal?.message.hasSuffix("needs CAP_SYS_RESOURCE") == true)
                #expect(bundle.leftovers == [])
            }
        }

        @Test(.needs(.root)) func startsInItsDirectory() throws {
            let bundle = try TestBundle(script: "pwd; readlink /proc/self/cwd")
            bundle.process.cwd = "/srv/not/there/yet"
            #expect(try bundle.linesOfRun() == ["/srv/not/there/yet", "/srv/not/there/yet"])
        }

        @Test(.needs(.root)) func aDirectoryOutsideTheRootIsRefused() throws {
            for number in 3..<24 {
                let bundle = try TestBundle(script: "pwd")
                bundle.process.cwd = "/proc/self/fd/\(number)"
                let refusal = bundle.refusal()
                #expect(refusal?.message.contains("/proc/self/fd/\(number)") == true, "\(bundle.output)")
                #expect(bundle.leftovers == [])
            }
            let file = try TestBundle(script: "pwd")
            file.process.cwd = "/bin/busybox"
            #expect(file.refusal() != nil)
        }

        @Test(.needs(.root)) func homeComesFromTheContainersOwnPasswords() throws {
            let passwords = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"
            for (uid, environment, home) in [
                (0, [], "/root"), (1000, [], "/home/app"), (2000, [], "/"), (1000, ["HOME=/elsewhere"], "/elsewhere"),
            ] as [(UInt32, [String], String)] {
                let bundle = try TestBundle(script: "echo $HOME")
                try makeFile("\(bundle.rootfs)/etc/passwd", passwords)
                bundle.process.user = .init(uid: uid, gid: 0)
                bundle.process.env += environment
                #expect(try bundle.linesOfRun() == [home])
            }
        }

        @Test(.needs(.root)) func theContainersPasswordsAreNotTheHosts() throws {
            let bundle = try TestBundle(script: "echo $HOME")
            try makeFile("\(bundle.folder)/passwd", "root:x:0:0:root:/outside:/bin/sh\n")
            symlink("\(bundle.folder)/passwd", "\(bundle.rootfs)/etc/passwd")
            #expect(try bundle.linesOfRun() == ["/"])
        }

        @Test(.needs(.root)) func theEnvironmentIsTheDocumentsAlone() throws {
            let bundle = try TestBundle(script: "tr '\\0' '\\n' </proc/1/environ; true")
            bundle.process.env = ["PATH=/bin", "HOME=/", "EMPTY=", "SIGNS=a=b c"]
            let lines = try bundle.linesOfRun()
            #expect(lines == ["PATH=/bin", "HOME=/", "EMPTY=", "SIGNS=a=b c"])
        }

        @Test(.needs(.root)) func schedulingIsTheDocuments() throws {
            let bundle = try TestBundle(
                script: "cut -d' ' -f19,41 /proc/self/stat; ionice")
            var scheduler = Configuration.Process.Scheduler(policy: .batch)
            scheduler.nice = 5
            bundle.process.scheduler = scheduler
            bundle.process.ioPriority = .init(class: .bestEffort, priority: 6)
            #expect(try bundle.linesOfRun() == ["5 3", "best-effort: prio 6"])
        }

        @Test(.needs(.root)) func personalityIsTheDocuments() throws {
            let bundle = try TestBundle(script: "uname -m")
            bundle.configuration.linux.personality = .init(domain: .linux32)
            #expect(try bundle.linesOfRun() == ["i686"])
        }

        @Test(.needs(.root)) func clocksAreOffset() throws {
            let bundle = try TestBundle(script: "cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets")
            bundle.configuration.linux.namespaces.append(.init(.time))
            bundle.configuration.linux.timeOffsets.boottime = .init(secs: 7_000_000)
            bundle.configuration.linux.timeOffsets.monotonic = .init(secs: 1000, nanosecs: 5)
            let lines = try bundle.linesOfRun()
            #expect(lines.first.flatMap { Int($0) }.map { $0 >= 7_000_000 } == true)
            let offsets = lines.dropFirst().map { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
            #expect(offsets == [["monotonic", "1000", "5"], ["boottime", "7000000", "0"]])
        }

        @Test(.needs(.root)) func namesAndSysctlsAreTheContainersOwn() throws {
            let host = try readText("/proc/sys/kernel/msgmax")
            let bundle = try TestBundle(
                script: """
                    hostname; cat /proc/sys/kernel/domainname /proc/sys/kernel/msgmax
                    cat /proc/sys/net/ipv4/ip_unprivileged_port_start
                    """)
            bundle.configuration.domainname = "example.org"
            bundle.configuration.linux.sysctl = [
                "kernel.msgmax": "4321", "net.ipv4.ip_unprivileged_port_start": "77",
            ]
            #expect(try bundle.linesOfRun() == ["compartment", "example.org", "4321", "77"])
            #expect(try readText("/proc/sys/kernel/msgmax") == host)
        }

        @Test(.needs(.root)) func aSysctlThatFailsIsNamed() throws {
            for (name, value, message) in [
                ("net.ipv4.ip_forward", "many", "linux.sysctl.net.ipv4.ip_forward: write \"many\": "),
                ("net/ipv4/conf/lo/forwarding", "x", "linux.sysctl.net.ipv4.conf.lo.forwarding: write \"x\": "),
                ("net.ipv4.no_such", "1", "linux.sysctl.net.ipv4.no_such: write \"1\": "),
                ("net.ipv4.conf.e/1.forwarding", "1", "linux.sysctl.net.ipv4.conf.e/1.forwarding: write \"1\": "),
                ("net/ipv4/conf/e.1/forwarding", "1", "linux.sysctl.net.ipv4.conf.e/1.forwarding: write \"1\": "),
            ] {
                let bundle = try TestBundle()
                bundle.configuration.linux.sysctl = [name: value]
                let refusal = bundle.refusal()
                #expect(refusal?.message.contains(message) == true, "\(refusal?.message ?? "ran")")
                #expect(refusal?.message.contains("(E") == true, "\(refusal?.message ?? "ran")")
                #expect(bundle.leftovers == [])
            }
        }

        @Test(.needs(.root)) func sysctlsOfTheHostAreRefused() throws {
            for name in ["kernel.panic", "vm.swappiness", "net/../kernel/panic", "kernel..msgmax", ""] {
                let bundle = try TestBundle()
                bundle.configuration.linux.sysctl = [name: "1"]
                let refusal = bundle.refusal()
                #expect(refusal?.kind == .badDocument)
                #expect(refusal?.message.contains("linux.sysctl") == true)
            }
            let bundle = try TestBundle()
            bundle.configuration.linux.namespaces.removeAll { $0.type == .network }
            bundle.configuration.linux.sysctl = ["net.ipv4.ip_forward": "1"]
            #expect(bundle.refusal()?.message.contains("needs a network namespace") == true)
        }
    }
}

/// Whether this process has a capability, by its bit.
func hasCapability(_ bit: Int) -> Bool {
    let status = (try? readText("/proc/self/status")) ?? ""
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") }),
        let mask = UInt64(line.dropFirst(7).drop { $0 == "\t" }, radix: 16)
    else { return false }
    return mask >> UInt64(bit) & 1 == 1
}
