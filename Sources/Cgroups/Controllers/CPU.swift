import Linux

/// What `cpu.max` says: so much CPU time in each period.
public struct CPUBandwidth: Hashable, Sendable {
    /// Microseconds of CPU time, 1,000 or more; ``Limit/max`` for as much as there is.
    public var quota: Limit
    /// Microseconds, 1,000 to 1,000,000.
    public var period: UInt64

    public init(quota: Limit, period: UInt64 = 100_000) {
        self.quota = quota
        self.period = period
    }
}

extension CPUBandwidth: InterfaceValue {
    public init?(interfaceText: String) {
        let words = interfaceText.split(separator: " ")
        guard words.count == 2, let quota = Limit(words[0]), let period = UInt64(words[1]) else { return nil }
        self.init(quota: quota, period: period)
    }
    public var interfaceText: String { "\(quota) \(period)" }
}

/// A share of a CPU's capacity, for the frequency governor and the placement of tasks.
public enum UtilizationClamp: Hashable, Sendable {
    /// Hundredths of a percent, 0 to 10,000.
    case hundredths(Int)
    /// The whole capacity.
    case max
}

extension UtilizationClamp: InterfaceValue {
    public init?(interfaceText: String) {
        if interfaceText == "max" {
            self = .max
            return
        }
        let parts = interfaceText.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = Int(parts[0]), (0...100).contains(whole) else { return nil }
        var fraction = 0
        if parts.count == 2 {
            guard (1...2).contains(parts[1].count), let digits = Int(parts[1]), digits >= 0 else { return nil }
            fraction = parts[1].count == 1 ? digits * 10 : digits
        }
        self = .hundredths(whole * 100 + fraction)
    }

    public var interfaceText: String {
        switch self {
        case .max: "max"
        case .hundredths(let value): "\(value / 100).\(value % 100 < 10 ? "0" : "")\(value % 100)"
        }
    }
}

extension InterfaceFile where Value == UInt64 {
    /// The share among siblings, 1 to 10,000, 100 by default; `cpu.weight`.
    public static var cpuWeight: Self { Self("cpu.weight") }
    /// Microseconds that may be saved up from quiet periods, at most the quota; `cpu.max.burst`.
    public static var cpuBurst: Self { Self("cpu.max.burst") }
}

extension InterfaceFile where Value == Int {
    /// The share as a nice value, -20 to 19; `cpu.weight.nice`.
    public static var cpuWeightNice: Self { Self("cpu.weight.nice") }
}

extension InterfaceFile where Value == CPUBandwidth {
    /// `cpu.max`.
    public static var cpuMax: Self { Self("cpu.max") }
}

extension InterfaceFile where Value == Bool {
    /// Whether it gets only what others leave; `cpu.idle`. Its weight can't be set meanwhile.
    public static var cpuIdle: Self { Self("cpu.idle") }
}

extension InterfaceFile where Value == UtilizationClamp {
    /// `cpu.uclamp.min`.
    public static var cpuClampMinimum: Self { Self("cpu.uclamp.min") }
    /// `cpu.uclamp.max`.
    public static var cpuClampMaximum: Self { Self("cpu.uclamp.max") }
}

/// What the `cpu` controller can be told; nil leaves a thing as it is.
public struct CPULimits: Hashable, Sendable {
    /// The share among siblings, 1 to 10,000. See ``weight(fromShares:)`` for version 1's shares.
    public var weight: UInt64?
    /// The same as a nice value; written after ``weight``.
    public var weightNice: Int?
    /// Microseconds of CPU time in each ``period``.
    public var quota: Limit?
    /// Microseconds; alone, it keeps the present quota.
    public var period: UInt64?
    /// Microseconds that may be saved up, at most the quota.
    public var burst: UInt64?
    /// Whether it gets only what others leave.
    public var idle: Bool?
    public var clampMinimum: UtilizationClamp?
    public var clampMaximum: UtilizationClamp?

    public init(
        weight: UInt64? = nil, weightNice: Int? = nil, quota: Limit? = nil, period: UInt64? = nil,
        burst: UInt64? = nil, idle: Bool? = nil, clampMinimum: UtilizationClamp? = nil,
        clampMaximum: UtilizationClamp? = nil
    ) {
        self.weight = weight
        self.weightNice = weightNice
        self.quota = quota
        self.period = period
        self.burst = burst
        self.idle = idle
        self.clampMinimum = clampMinimum
        self.clampMaximum = clampMaximum
    }

    /// Whether the order or the values of the writes depend on what is set now.
    var needsPresent: Bool {
        (period != nil && quota == nil) || (quota != nil && (burst != nil || period == nil))
    }

    func appendSettings(to settings: inout [Setting], replacing present: PresentLimits) {
        // An idle cgroup's weight is refused: leave idleness first, enter it last.
        if idle == false { settings.append(.cpuIdle, false) }
        if let weight { settings.append(.cpuWeight, weight) }
        if let weightNice { settings.append(.cpuWeightNice, weightNice) }
        if idle == true { settings.append(.cpuIdle, true) }

        // A burst never exceeds the quota, at no moment: a shrinking one goes first.
        let bandwidth: CPUBandwidth? =
            quota == nil && period == nil
            ? nil
            : CPUBandwidth(
                quota: quota ?? present.bandwidth?.quota ?? .max,
                period: period ?? present.bandwidth?.period ?? 100_000)
        let burstGoesFirst =
            if let bandwidth, let presentBurst = present.burst { bandwidth.quota < .value(presentBurst) } else { false }
        if burstGoesFirst, let burst { settings.append(.cpuBurst, burst) }
        if let bandwidth { settings.append(.cpuMax, bandwidth) }
        if !burstGoesFirst, let burst { settings.append(.cpuBurst, burst) }

        if let clampMaximum { settings.append(.cpuClampMaximum, clampMaximum) }
        if let clampMinimum { settings.append(.cpuClampMinimum, clampMinimum) }
    }
}

/// CPU time used; `cpu.stat`. Every cgroup has the times, those with the controller the throttling too.
public struct CPUStatistics: Hashable, Sendable {
    /// Every counter, those without a property too.
    public let counters: Counters

    /// Microseconds.
    public var usage: UInt64 { counters["usage_usec"] ?? 0 }
    /// Microseconds in user space.
    public var user: UInt64 { counters["user_usec"] ?? 0 }
    /// Microseconds in the kernel.
    public var system: UInt64 { counters["system_usec"] ?? 0 }
    /// Periods in which it ran.
    public var periods: UInt64? { counters["nr_periods"] }
    /// Periods in which the quota stopped it.
    public var throttledPeriods: UInt64? { counters["nr_throttled"] }
    /// Microseconds for which it was stopped.
    public var throttledTime: UInt64? { counters["throttled_usec"] }
    /// Periods in which saved time was used.
    public var bursts: UInt64? { counters["nr_bursts"] }
    /// Microseconds of saved time used.
    public var burstTime: UInt64? { counters["burst_usec"] }
}

extension Cgroup {
    /// `cpu.stat`.
    public func cpuStatistics() throws(CgroupError) -> CPUStatistics {
        CPUStatistics(counters: try counters("cpu.stat"))
    }
}
