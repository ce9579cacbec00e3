import CLinux
import Linux

/// How far a time namespace's clocks are from the machine's; `time_namespaces(7)`.
public struct TimeOffsets: Hashable, Sendable {
    /// A length of time: `seconds`, which may be negative, plus `nanoseconds`.
    public struct Offset: Hashable, Sendable {
        public var seconds: Int64
        /// 0 to 999,999,999; added, also to negative seconds.
        public var nanoseconds: UInt32

        public init(seconds: Int64, nanoseconds: UInt32 = 0) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    /// For `CLOCK_MONOTONIC` and its kin; nil leaves it.
    public var monotonic: Offset?
    /// For `CLOCK_BOOTTIME` and its kin, `/proc/uptime` included; nil leaves it.
    public var boottime: Offset?

    public init(monotonic: Offset? = nil, boottime: Offset? = nil) {
        self.monotonic = monotonic
        self.boottime = boottime
    }

    /// What `/proc/PID/timens_offsets` is given: a line for each clock with its name, seconds and nanoseconds.
    public var text: String {
        var lines = ""
        if let monotonic { lines += "monotonic \(monotonic.seconds) \(monotonic.nanoseconds)\n" }
        if let boottime { lines += "boottime \(boottime.seconds) \(boottime.nanoseconds)\n" }
        return lines
    }

    /// Reads the form of `/proc/PID/timens_offsets`; nil when it is malformed. Clocks are known by name or number.
    public init?(parsing text: some StringProtocol) {
        self.init()
        for line in text.split(separator: "\n") {
            let fields = line.split { $0 == " " || $0 == "\t" }
            guard fields.count == 3, let seconds = Int64(fields[1]), let nanoseconds = decimal(fields[2]),
                nanoseconds < 1_000_000_000
            else { return nil }
            let offset = Offset(seconds: seconds, nanoseconds: nanoseconds)
            switch fields[0] {
            case "monotonic", "1": monotonic = offset
            case "boottime", "7": boottime = offset
            default: return nil
            }
        }
    }

    /// Sets the clocks of the time namespace that a process's next children get. No process may be in it yet.
    ///
    /// - Parameter pid: a process or thread that has unshared ``NamespaceKind/time``.
    /// - Throws: `EACCES` when a process is in the namespace, `EPERM` without `CAP_SYS_TIME` in the user namespace that
    ///   owns it, `ERANGE` when a clock would be negative or beyond 146 years, `EINVAL` for a billion nanoseconds or
    ///   more.
    public func write(toProcess pid: pid_t) throws(SystemError) {
        if text.isEmpty { return }
        try failing(hint: timeHint) { () throws(SystemError) in
            try writeText(text, to: "/proc/\(pid)/timens_offsets")
        }
    }

    /// The clocks of the time namespace that a process's next children get.
    ///
    /// - Throws: `ENOENT` when there is no such process or the kernel has no time namespaces.
    public static func ofProcess(_ pid: pid_t) throws(SystemError) -> TimeOffsets {
        let path = "/proc/\(pid)/timens_offsets"
        guard let offsets = TimeOffsets(parsing: try readText(path)) else {
            throw SystemError("read \(quoted(path))", .invalidArgument, hint: "not in the kernel's form")
        }
        return offsets
    }
}

private func timeHint(_ errno: Errno) -> String? {
    switch errno {
    case .permissionDenied: "a process is in the time namespace already, or it is not new"
    case .notPermitted: "needs CAP_SYS_TIME in the user namespace that owns the time namespace"
    case .outOfRange: "a clock would be negative or beyond 146 years"
    default: nil
    }
}
