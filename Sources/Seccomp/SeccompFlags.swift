/// How a filter is installed; `SECCOMP_FILTER_FLAG_*`, `seccomp(2)`. Unknown bits survive.
public struct SeccompFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// On every thread of the process, or on none; `TSYNC`.
    public static let synchronizeThreads = SeccompFlags(rawValue: 1 << 0)
    /// All answers but `ALLOW` are logged, as far as the host's `actions_logged` goes; `LOG`.
    public static let log = SeccompFlags(rawValue: 1 << 1)
    /// Without the mitigation of speculative store bypass; `SPEC_ALLOW`.
    public static let allowSpeculation = SeccompFlags(rawValue: 1 << 2)
    /// With a listener; set by ``SeccompProgram/installWithListener(flags:noNewPrivileges:)`` alone; `NEW_LISTENER`.
    public static let newListener = SeccompFlags(rawValue: 1 << 3)
    /// A thread that can't follow makes the call fail with `ESRCH`; `TSYNC_ESRCH`.
    public static let synchronizeThreadsOrFail = SeccompFlags(rawValue: 1 << 4)
    /// Once a listener has received a call, only fatal signals end the caller's wait; Linux 5.19;
    /// `WAIT_KILLABLE_RECV`.
    public static let waitKillable = SeccompFlags(rawValue: 1 << 5)

    static let named: [(name: String, flag: SeccompFlags)] = [
        ("TSYNC", .synchronizeThreads), ("LOG", .log), ("SPEC_ALLOW", .allowSpeculation),
        ("NEW_LISTENER", .newListener), ("TSYNC_ESRCH", .synchronizeThreadsOrFail),
        ("WAIT_KILLABLE_RECV", .waitKillable),
    ]

    /// A flag by the kernel's name, with or without `SECCOMP_FILTER_FLAG_`.
    ///
    /// - Throws: ``SeccompError/unknownFlag(_:)``.
    public init(name: String) throws(SeccompError) {
        let short = name.hasPrefix("SECCOMP_FILTER_FLAG_") ? String(name.dropFirst(20)) : name
        guard let known = Self.named.first(where: { $0.name == short }) else { throw .unknownFlag(name) }
        self = known.flag
    }

    /// The members' names: `SECCOMP_FILTER_FLAG_LOG`.
    public var names: [String] {
        Self.named.filter { contains($0.flag) }.map { "SECCOMP_FILTER_FLAG_\($0.name)" }
    }
}
