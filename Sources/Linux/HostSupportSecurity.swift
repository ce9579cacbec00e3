import CLinux

extension HostSupport {
    /// What a seccomp filter may do here; `seccomp(2)`.
    public struct SeccompSupport: Hashable, Sendable {
        /// Whether a filter can be installed.
        public var filter: Availability
        /// The actions a filter may answer with, by the names of `/proc/sys/kernel/seccomp/actions_avail`.
        public var actions: [String]
        /// The flags of `SECCOMP_SET_MODE_FILTER` that the kernel knows, in the kernel's spelling.
        public var flags: [String]
        /// Whether a filter may leave the decision to another process.
        public var userNotification: Bool
        /// Whether this process is under a filter already.
        public var isFiltered: Bool

        /// A state given, as for a test.
        public init(
            filter: Availability, actions: [String], flags: [String], userNotification: Bool, isFiltered: Bool
        ) {
            self.filter = filter
            self.actions = actions
            self.flags = flags
            self.userNotification = userNotification
            self.isFiltered = isFiltered
        }

        /// The actions that this library knows, in the kernel's order of precedence.
        public static let knownActions = knownActionValues.map { $0.name }

        private static let knownActionValues: [(name: String, value: UInt32)] = [
            ("kill_process", 0x8000_0000), ("kill_thread", 0), ("trap", 0x0003_0000), ("errno", 0x0005_0000),
            ("user_notif", 0x7fc0_0000), ("trace", 0x7ff0_0000), ("log", 0x7ffc_0000), ("allow", 0x7fff_0000),
        ]

        static func probe() -> SeccompSupport {
            let fault = Errno(rawValue: EFAULT)
            let newListener: UInt32 = 8
            let flags: [(name: String, value: UInt32)] = [
                ("TSYNC", 1), ("LOG", 2), ("SPEC_ALLOW", 4), ("NEW_LISTENER", newListener), ("TSYNC_ESRCH", 16),
                // It means nothing without a listener, and the kernel says so.
                ("WAIT_KILLABLE_RECV", 32 | newListener),
            ]
            var actions = knownActionValues.filter { bh_probe_seccomp_action($0.value) == 0 }.map { $0.name }
            let listed = (trimmedText("/proc/sys/kernel/seccomp/actions_avail") ?? "").split(separator: " ")
            actions += listed.map(String.init).filter { !knownActions.contains($0) }
            return SeccompSupport(
                filter: Availability(answer: bh_probe_seccomp_flags(0), known: [fault]),
                actions: actions,
                flags: flags.filter { bh_probe_seccomp_flags($0.value) == EFAULT }.map { $0.name },
                userNotification: actions.contains("user_notif") && bh_probe_seccomp_notification() == 0,
                isFiltered: statusField("Seccomp", of: threadStatus()) == "2")
        }
    }

    /// Landlock and the security modules that are active.
    public struct SecuritySupport: Hashable, Sendable {
        /// The version of Landlock's ABI, 1 or more; nil where the kernel has none or booted without it;
        /// `landlock(7)`.
        public var landlockVersion: Int?
        /// The active security modules in the order in which they are asked; nil where the kernel does not say.
        public var modules: [String]?

        /// A state given, as for a test.
        public init(landlockVersion: Int?, modules: [String]?) {
            self.landlockVersion = landlockVersion
            self.modules = modules
        }

        /// Whether AppArmor labels can be set.
        public var hasAppArmor: Bool { modules?.contains("apparmor") == true }
        /// Whether SELinux labels can be set.
        public var hasSELinux: Bool { modules?.contains("selinux") == true }

        static func probe() -> SecuritySupport {
            let version = bh_probe_landlock()
            let listed = trimmedText("/sys/kernel/security/lsm").map { $0.split(separator: ",").map(String.init) }
            return SecuritySupport(
                landlockVersion: version > 0 ? Int(version) : nil, modules: listed ?? asked() ?? seen())
        }

        /// By `lsm_list_modules(2)`, which needs no securityfs.
        private static func asked() -> [String]? {
            var identifiers = [UInt64](repeating: 0, count: 64)
            let count = unsafe identifiers.withUnsafeMutableBufferPointer {
                unsafe bh_probe_security_modules($0.baseAddress, UInt32($0.count))
            }
            guard count >= 0 else { return nil }
            return identifiers.prefix(Int(count)).map { names[$0] ?? "module \($0)" }
        }

        /// By what the modules themselves show, where the kernel has no list: nil when nothing is seen.
        private static func seen() -> [String]? {
            var modules: [String] = []
            if trimmedText("/sys/module/apparmor/parameters/enabled") == "Y" { modules.append("apparmor") }
            if fileExists("/sys/fs/selinux/enforce") { modules.append("selinux") }
            return modules.isEmpty ? nil : modules
        }

        private static let names: [UInt64: String] = [
            100: "capability", 101: "selinux", 102: "smack", 103: "tomoyo", 104: "apparmor", 105: "yama",
            106: "loadpin", 107: "safesetid", 108: "lockdown", 109: "bpf", 110: "landlock", 111: "ima", 112: "evm",
            113: "ipe",
        ]
    }

    /// Which of the kernel's capabilities this process has, by the calling thread; `capabilities(7)`.
    public struct CapabilitySupport: Hashable, Sendable {
        /// The number of the kernel's last capability.
        public var last: Int
        /// The effective set, a bit for each number.
        public var effective: UInt64
        /// The bounding set: what no program that this process starts can ever exceed.
        public var bounding: UInt64

        /// Sets given, as for a test.
        public init(last: Int, effective: UInt64, bounding: UInt64) {
            self.last = last
            self.effective = effective
            self.bounding = bounding
        }

        /// The capabilities that this process lacks, by name; a container that asks for one does not get it.
        public var missing: [String] { names(notIn: effective) }

        /// The capabilities that not even a set-uid program started by this process could get.
        public var missingFromBounding: [String] { names(notIn: bounding) }

        private func names(notIn set: UInt64) -> [String] {
            (0...Swift.min(Swift.max(last, 0), 63)).filter { set >> UInt64($0) & 1 == 0 }.map(Self.name)
        }

        /// A capability's name, such as `CAP_SYS_ADMIN`; `capability 63` for one newer than this library.
        public static func name(_ number: Int) -> String {
            names.indices.contains(number) ? "CAP_\(names[number])" : "capability \(number)"
        }

        static func probe() -> CapabilitySupport {
            let status = threadStatus()
            func set(_ field: String) -> UInt64 {
                statusField(field, of: status).flatMap { UInt64($0, radix: 16) } ?? 0
            }
            return CapabilitySupport(
                last: trimmedText("/proc/sys/kernel/cap_last_cap").flatMap { Int($0) } ?? names.count - 1,
                effective: set("CapEff"), bounding: set("CapBnd"))
        }

        private static let names = [
            "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
            "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
            "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
            "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
            "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
            "CHECKPOINT_RESTORE",
        ]
    }
}

/// The status of the calling thread: each thread has its own capabilities and filters, and hands them to its children.
private func threadStatus() -> String {
    trimmedText("/proc/thread-self/status") ?? trimmedText("/proc/self/status") ?? ""
}

/// A field of `/proc/PID/status`.
private func statusField(_ name: String, of status: String) -> String? {
    for line in status.split(separator: "\n") where line.hasPrefix("\(name):") {
        return String(line.dropFirst(name.count + 1).drop(while: { $0.isWhitespace }))
    }
    return nil
}
