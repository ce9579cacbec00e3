import Linux

extension InterfaceFile where Value == Limit {
    /// The most processes and threads; a fork past it fails with `EAGAIN`; `pids.max`.
    public static var pidsMax: Self { Self("pids.max") }
}

extension InterfaceFile where Value == UInt64 {
    /// Processes and threads in it and below; `pids.current`.
    public static var pidsCurrent: Self { Self("pids.current") }
    /// The most there were; `pids.peak`.
    public static var pidsPeak: Self { Self("pids.peak") }
}

/// What the `pids` controller can be told; nil leaves a thing as it is.
public struct PIDLimits: Hashable, Sendable {
    /// The most processes and threads.
    public var max: Limit?

    public init(max: Limit? = nil) { self.max = max }

    func appendSettings(to settings: inout [Setting]) {
        if let max { settings.append(.pidsMax, max) }
    }
}

/// Processes and threads.
public struct PIDStatistics: Hashable, Sendable {
    public var current: UInt64
    /// Since Linux 6.1.
    public var peak: UInt64?
    public var max: Limit
    /// Forks that were refused.
    public var refusals: UInt64
}

extension Cgroup {
    /// `pids.current` and the files around it.
    public func pidStatistics() throws(CgroupError) -> PIDStatistics {
        PIDStatistics(
            current: try get(.pidsCurrent),
            peak: try getIfPresent(.pidsPeak),
            max: try get(.pidsMax),
            refusals: has("pids.events") ? try counters("pids.events")["max"] ?? 0 : 0)
    }
}
