import Linux

/// What a cgroup used, read in one go; nil where it has not got the controller.
public struct Statistics: Hashable, Sendable {
    public var cpu: CPUStatistics?
    public var memory: MemoryStatistics?
    public var io: [IOStatistics]?
    public var pids: PIDStatistics?
    public var hugePages: [HugePageStatistics]?
    public var rdma: [RDMALimit]?
    public var misc: Counters?
    public var cpuPressure: Pressure?
    public var memoryPressure: Pressure?
    public var ioPressure: Pressure?
}

/// Which parts to read.
public struct StatisticsParts: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let cpu = StatisticsParts(rawValue: 1 << 0)
    public static let memory = StatisticsParts(rawValue: 1 << 1)
    public static let io = StatisticsParts(rawValue: 1 << 2)
    public static let pids = StatisticsParts(rawValue: 1 << 3)
    public static let hugePages = StatisticsParts(rawValue: 1 << 4)
    public static let rdma = StatisticsParts(rawValue: 1 << 5)
    public static let misc = StatisticsParts(rawValue: 1 << 6)
    public static let pressure = StatisticsParts(rawValue: 1 << 7)
    public static let all = StatisticsParts(rawValue: 0xff)
}

extension Cgroup {
    /// What the cgroup used so far. Three system calls for each file that it has.
    ///
    /// - Throws: ``CgroupError`` when the cgroup is gone. A controller that it has not got is no error.
    public func statistics(_ parts: StatisticsParts = .all) throws(CgroupError) -> Statistics {
        // One look tells which files to expect, and asking for none that is not there keeps this cheap.
        let available = try availableControllers()
        var result = Statistics()
        // Even without the controller, every cgroup counts its time.
        if parts.contains(.cpu) { result.cpu = try ifPresent { () throws(CgroupError) in try cpuStatistics() } }
        if parts.contains(.memory), available.contains(.memory), !isRoot { result.memory = try memoryStatistics() }
        if parts.contains(.io), available.contains(.io) { result.io = try ioStatistics() }
        if parts.contains(.pids), available.contains(.pids), !isRoot { result.pids = try pidStatistics() }
        if parts.contains(.hugePages), available.contains(.hugetlb), !isRoot {
            result.hugePages = try hugePageStatistics()
        }
        if parts.contains(.rdma), available.contains(.rdma), !isRoot { result.rdma = try rdmaStatistics() }
        if parts.contains(.misc), available.contains(.misc) { result.misc = try miscCurrent() }
        if parts.contains(.pressure) {
            result.cpuPressure = try ifPresent { () throws(CgroupError) in try pressure(.cpu) }
            // A kernel that does not account pressure at all says so at the first.
            if result.cpuPressure != nil {
                result.memoryPressure = try ifPresent { () throws(CgroupError) in try pressure(.memory) }
                result.ioPressure = try ifPresent { () throws(CgroupError) in try pressure(.io) }
            }
        }
        return result
    }
}
