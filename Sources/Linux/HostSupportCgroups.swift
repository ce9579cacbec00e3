import CLinux

extension HostSupport {
    /// The cgroup file systems of this host, and each controller of version 2 with the reason when it can't be used;
    /// `cgroups(7)`.
    public struct CgroupSupport: Hashable, Sendable {
        /// Which versions are mounted.
        public enum Layout: String, Hashable, Sendable {
            /// Version 2 alone.
            case unified
            /// Both versions.
            case hybrid
            /// Version 1 alone.
            case legacy
            /// Neither.
            case none
        }

        /// Why a controller can or can't be used through version 2.
        public enum ControllerState: Hashable, Sendable {
            /// The root of the mounted hierarchy offers it.
            case available
            /// A mounted version 1 hierarchy has it; where, when that is visible.
            case boundToVersion1(at: String?)
            /// The kernel's command line turned it off.
            case disabledAtBoot
            /// The kernel was built without it.
            case notCompiled
            /// The kernel has it, but the cgroup at the root of the mount was not given it.
            case notDelegated
            /// The kernel has it, but no cgroup2 file system is mounted.
            case notMounted
        }

        /// The controllers of version 2 by the kernel's names, in the order in which they are listed.
        public static let controllerNames = ["cpu", "cpuset", "memory", "io", "pids", "hugetlb", "rdma", "misc"]

        /// Which versions are mounted.
        public var layout: Layout
        /// Where version 2 is mounted: `/sys/fs/cgroup` if it is there, else the first such mount.
        public var mountPoint: String?
        /// This process's cgroup in version 2, from the root of its cgroup namespace.
        public var ownPath: String?
        /// Each controller's state. Controllers newer than this library are here too, when they are available.
        public var controllers: [String: ControllerState]
        /// Whether this process may make cgroups at the root of the mount.
        public var isWritable: Bool
        /// Whether the kernel measures pressure (PSI).
        public var measuresPressure: Bool

        /// A state given, as for a test.
        public init(
            layout: Layout, mountPoint: String? = nil, ownPath: String? = nil,
            controllers: [String: ControllerState] = [:], isWritable: Bool = false, measuresPressure: Bool = false
        ) {
            self.layout = layout
            self.mountPoint = mountPoint
            self.ownPath = ownPath
            self.controllers = controllers
            self.isWritable = isWritable
            self.measuresPressure = measuresPressure
        }

        /// The controllers that can be used: those that this library knows, in its order, then any others.
        public var available: [String] { names { $0 == .available } }

        /// The controllers in a state that satisfies a condition.
        public func names(where condition: (ControllerState) -> Bool) -> [String] {
            let others = controllers.keys.filter { !Self.controllerNames.contains($0) }.sorted()
            return (Self.controllerNames + others).filter { controllers[$0].map(condition) ?? false }
        }

        static func probe() -> CgroupSupport {
            let mounts = CgroupMounts(mountinfo: trimmedText("/proc/self/mountinfo") ?? "")
            var support = CgroupSupport(
                mounts: mounts, subsystems: trimmedText("/proc/cgroups") ?? "",
                membership: trimmedText("/proc/self/cgroup") ?? "", commandLine: trimmedText("/proc/cmdline") ?? "",
                offered: mounts.version2.flatMap { trimmedText("\($0)/cgroup.controllers") },
                // The hierarchy's real root has no type; what stands in for it in a cgroup namespace has one.
                isRealRoot: mounts.version2.map { !fileExists("\($0)/cgroup.type") } ?? true)
            support.isWritable = mounts.version2.map { unsafe access($0, W_OK) == 0 } ?? false
            support.measuresPressure = fileExists("/proc/pressure/memory")
            return support
        }
    }
}

extension HostSupport.CgroupSupport {
    /// Reads the state out of the kernel's files.
    ///
    /// - Parameters:
    ///   - subsystems: `/proc/cgroups`.
    ///   - membership: `/proc/self/cgroup`.
    ///   - commandLine: `/proc/cmdline`.
    ///   - offered: `cgroup.controllers` of the version 2 mount.
    ///   - isRealRoot: whether that mount shows the hierarchy's own root.
    init(
        mounts: CgroupMounts, subsystems: String, membership: String, commandLine: String, offered: String?,
        isRealRoot: Bool
    ) {
        self.init(layout: mounts.layout, mountPoint: mounts.version2)
        ownPath = membership.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
        let offered = Set((offered ?? "").split(whereSeparator: { $0.isWhitespace }).map(String.init))
        let known = Subsystem.parse(subsystems)
        let bound = Set(
            membership.split(separator: "\n").flatMap { line in
                let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
                return fields.count == 3 ? fields[1].split(separator: ",").map(String.init) : []
            })
        let disabled = Set(
            commandLine.split(whereSeparator: { $0.isWhitespace })
                .compactMap { $0.hasPrefix("cgroup_disable=") ? $0.dropFirst("cgroup_disable=".count) : nil }
                .flatMap { $0.split(separator: ",").map(String.init) })

        for name in Self.controllerNames {
            // The block controller is the only one that version 2 renamed.
            let old = name == "io" ? "blkio" : name
            let subsystem = known[old]
            if offered.contains(name) {
                controllers[name] = .available
            } else if disabled.contains(name) || disabled.contains(old) || subsystem?.isEnabled == false {
                controllers[name] = .disabledAtBoot
            } else if let place = mounts.version1[old] {
                controllers[name] = .boundToVersion1(at: place)
            } else if bound.contains(old) || (subsystem?.hierarchy ?? 0) != 0 {
                controllers[name] = .boundToVersion1(at: nil)
            } else if subsystem == nil, isRealRoot {
                controllers[name] = .notCompiled
            } else {
                controllers[name] = mounts.version2 == nil ? .notMounted : .notDelegated
            }
        }
        for name in offered where controllers[name] == nil { controllers[name] = .available }
    }

    /// A line of `/proc/cgroups`.
    private struct Subsystem {
        var hierarchy: Int
        var isEnabled: Bool

        static func parse(_ text: String) -> [String: Subsystem] {
            var result: [String: Subsystem] = [:]
            for line in text.split(separator: "\n") where !line.hasPrefix("#") {
                let fields = line.split(whereSeparator: { $0.isWhitespace })
                guard fields.count >= 4, let hierarchy = Int(fields[1]) else { continue }
                result[String(fields[0])] = Subsystem(hierarchy: hierarchy, isEnabled: fields[3] != "0")
            }
            return result
        }
    }
}

/// Where the cgroup file systems are mounted.
struct CgroupMounts: Hashable {
    /// Where version 2 is.
    var version2: String?
    /// Where each controller of version 1 is.
    var version1: [String: String] = [:]
    /// Whether any version 1 hierarchy is mounted that has controllers: systemd's named one does not count.
    var layout: HostSupport.CgroupSupport.Layout {
        switch (version2, version1.isEmpty) {
        case (nil, true): .none
        case (nil, false): .legacy
        case (_, true): .unified
        case (_, false): .hybrid
        }
    }

    /// Reads `/proc/self/mountinfo`; `proc_pid_mountinfo(5)`.
    init(mountinfo: String) {
        for line in mountinfo.split(separator: "\n") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: false)
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { continue }
            let place = unescape(fields[4])
            switch fields[dash + 1] {
            case "cgroup2":
                if version2 == nil || place == "/sys/fs/cgroup" { version2 = place }
            case "cgroup":
                for option in fields[dash + 3].split(separator: ",") where !isMountOption(option) {
                    version1[String(option)] = place
                }
            default: continue
            }
        }
    }
}

/// Whether a version 1 super block's option is not the name of a controller.
private func isMountOption(_ option: Substring) -> Bool {
    option.contains("=")
        || ["rw", "ro", "none", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "favordynmods"]
            .contains(option)
}

/// A path of mountinfo, where space, tab, newline and backslash are `\` and three octal digits.
private func unescape(_ field: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = field.utf8[...]
    while let byte = rest.popFirst() {
        let digits = rest.prefix(3)
        if byte == UInt8(ascii: "\\"), digits.count == 3,
            let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
        {
            bytes.append(value)
            rest = rest.dropFirst(3)
        } else {
            bytes.append(byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
