import Linux

/// Everything that a cgroup can be told, as one plain value; what is nil or empty stays as it is.
public struct ResourceLimits: Hashable, Sendable {
    public var cpuset: CPUSetLimits
    public var cpu: CPULimits
    public var memory: MemoryLimits
    public var io: IOLimits
    public var pids: PIDLimits
    public var hugePages: [HugePageLimit]
    public var rdma: [RDMALimit]
    public var misc: [MiscLimit]
    /// Written after the typed ones, so that it has the last word.
    public var raw: [RawSetting]
    /// The rules of the device controller, later ones first; nil leaves a program that is attached alone.
    public var devices: [DeviceRule]?

    public init(
        cpuset: CPUSetLimits = CPUSetLimits(), cpu: CPULimits = CPULimits(), memory: MemoryLimits = MemoryLimits(),
        io: IOLimits = IOLimits(), pids: PIDLimits = PIDLimits(), hugePages: [HugePageLimit] = [],
        rdma: [RDMALimit] = [], misc: [MiscLimit] = [], raw: [RawSetting] = [], devices: [DeviceRule]? = nil
    ) {
        self.cpuset = cpuset
        self.cpu = cpu
        self.memory = memory
        self.io = io
        self.pids = pids
        self.hugePages = hugePages
        self.rdma = rdma
        self.misc = misc
        self.raw = raw
        self.devices = devices
    }

    /// The writes in the order in which ``Cgroup/apply(_:)`` makes them in a new cgroup.
    public var settings: [Setting] { settings(replacing: PresentLimits()) }

    func settings(replacing present: PresentLimits) -> [Setting] {
        var settings: [Setting] = []
        // Where to run and where to allocate is settled before anything is charged.
        cpuset.appendSettings(to: &settings)
        cpu.appendSettings(to: &settings, replacing: present)
        memory.appendSettings(to: &settings, replacing: present)
        io.appendSettings(to: &settings)
        pids.appendSettings(to: &settings)
        for limit in hugePages { limit.appendSettings(to: &settings) }
        for limit in rdma { limit.appendSettings(to: &settings) }
        for limit in misc { limit.appendSettings(to: &settings) }
        for setting in raw { setting.appendSettings(to: &settings) }
        return settings
    }

    /// The controllers that it takes. Writes that a kernel may leave out do not need theirs.
    public var requiredControllers: [Controller] {
        var controllers: [Controller] = []
        for setting in settings where setting.ifAbsent != .skip {
            if let controller = Controller(ofFile: setting.file), !controllers.contains(controller) {
                controllers.append(controller)
            }
        }
        return controllers
    }
}

/// What is in force now, as far as the order of new writes depends on it. A new cgroup has no limits.
struct PresentLimits {
    var memoryMax: Limit?
    var bandwidth: CPUBandwidth?
    var burst: UInt64?
}

extension Cgroup {
    /// Applies limits, in an order in which a running cgroup passes through no state that is tighter than both the old
    /// and the new one.
    ///
    /// The kernel takes them one by one: when one is refused, those before it are in force already. What can be known
    /// beforehand, as a memory limit below the usage, is refused before anything is written.
    ///
    /// - Throws: ``CgroupError``, with the file and the value that was refused.
    public func apply(_ limits: ResourceLimits) throws(CgroupError) { try apply(limits, isNew: false) }

    /// - Parameter isNew: the cgroup was just made; nothing is in it or in force, and nothing need be looked for.
    func apply(_ limits: ResourceLimits, isNew: Bool) throws(CgroupError) {
        var present = PresentLimits()
        if !isNew {
            try limits.memory.check(self)
            if limits.memory.needsPresent { present.memoryMax = try getIfPresent(.memoryMax) }
            if limits.cpu.needsPresent {
                present.bandwidth = try getIfPresent(.cpuMax)
                present.burst = try getIfPresent(.cpuBurst)
            }
        }
        for setting in limits.settings(replacing: present) { try apply(setting) }
        if let devices = limits.devices {
            try attach(DeviceProgram(devices), inPlaceOf: isNew ? [] : devicePrograms().filter { $0.isOurs })
        }
    }
}
