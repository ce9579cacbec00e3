import Linux

extension InterfaceFile where Value == Limit {
    /// Bytes; past it, processes are killed; `memory.max`.
    public static var memoryMax: Self { Self("memory.max") }
    /// Bytes; past it, processes are slowed down and memory is reclaimed; `memory.high`.
    public static var memoryHigh: Self { Self("memory.high") }
    /// Bytes that are reclaimed only when nothing else is left; `memory.low`.
    public static var memoryLow: Self { Self("memory.low") }
    /// Bytes that are never reclaimed; `memory.min`.
    public static var memoryMin: Self { Self("memory.min") }
    /// Bytes of swap, not counting memory; `memory.swap.max`.
    public static var swapMax: Self { Self("memory.swap.max") }
    /// Bytes of swap past which processes are slowed down; `memory.swap.high`.
    public static var swapHigh: Self { Self("memory.swap.high") }
    /// Bytes of the compressed cache before swap; `memory.zswap.max`.
    public static var zswapMax: Self { Self("memory.zswap.max") }
}

extension InterfaceFile where Value == Bool {
    /// Whether running out of memory kills all its processes together; `memory.oom.group`.
    public static var killsTogether: Self { Self("memory.oom.group") }
    /// Whether the compressed cache may write to swap; `memory.zswap.writeback`.
    public static var zswapWriteback: Self { Self("memory.zswap.writeback") }
}

extension InterfaceFile where Value == UInt64 {
    /// Bytes in use; `memory.current`.
    public static var memoryCurrent: Self { Self("memory.current") }
    /// The most bytes that were in use; `memory.peak`.
    public static var memoryPeak: Self { Self("memory.peak") }
    /// Bytes of swap in use; `memory.swap.current`.
    public static var swapCurrent: Self { Self("memory.swap.current") }
    /// The most bytes of swap that were in use; `memory.swap.peak`.
    public static var swapPeak: Self { Self("memory.swap.peak") }
    /// Bytes that the compressed cache takes; `memory.zswap.current`.
    public static var zswapCurrent: Self { Self("memory.zswap.current") }
}

/// What the `memory` controller can be told, in bytes; nil leaves a thing as it is.
public struct MemoryLimits: Hashable, Sendable {
    /// Past it, processes are killed.
    public var max: Limit?
    /// Past it, processes are slowed down and memory is reclaimed.
    public var high: Limit?
    /// Reclaimed only when nothing else is left.
    public var low: Limit?
    /// Never reclaimed.
    public var min: Limit?
    /// Swap alone; version 1's and OCI's number for memory and swap together goes through
    /// ``swapMax(fromMemoryAndSwap:memory:)``. No limit, and a limit of zero, hold by themselves on a kernel without
    /// swap accounting, and are no error there.
    public var swapMax: Limit?
    public var swapHigh: Limit?
    public var zswapMax: Limit?
    public var zswapWriteback: Bool?
    /// Whether running out of memory kills all the processes together.
    public var killsTogether: Bool?
    /// Refuses a ``max`` (or a sum of ``max`` and ``swapMax``) below the present usage, instead of having the kernel
    /// kill until it fits.
    public var refusesBelowUsage: Bool

    public init(
        max: Limit? = nil, high: Limit? = nil, low: Limit? = nil, min: Limit? = nil, swapMax: Limit? = nil,
        swapHigh: Limit? = nil, zswapMax: Limit? = nil, zswapWriteback: Bool? = nil, killsTogether: Bool? = nil,
        refusesBelowUsage: Bool = false
    ) {
        self.max = max
        self.high = high
        self.low = low
        self.min = min
        self.swapMax = swapMax
        self.swapHigh = swapHigh
        self.zswapMax = zswapMax
        self.zswapWriteback = zswapWriteback
        self.killsTogether = killsTogether
        self.refusesBelowUsage = refusesBelowUsage
    }

    /// Whether the order of the writes depends on what is set now.
    var needsPresent: Bool { max != nil && swapMax != nil }

    func appendSettings(to settings: inout [Setting], replacing present: PresentLimits) {
        // Swap is the way out when memory shrinks, so its new limit is in force by then; when memory grows,
        // the room is made before swap is taken away. Neither order kills what would fit the new limits.
        let memoryFirst =
            if let max, let presentMax = present.memoryMax { max > presentMax } else { false }
        if memoryFirst, let max { settings.append(.memoryMax, max) }
        if let swapMax {
            settings.append(.swapMax, swapMax, ifAbsent: swapMax == .max || swapMax == 0 ? .skip : .fail)
        }
        if let swapHigh { settings.append(.swapHigh, swapHigh, ifAbsent: swapHigh == .max ? .skip : .fail) }
        if let zswapMax { settings.append(.zswapMax, zswapMax, ifAbsent: zswapMax == .max ? .skip : .fail) }
        if let zswapWriteback { settings.append(.zswapWriteback, zswapWriteback) }
        // Reclaiming comes before killing.
        if let high { settings.append(.memoryHigh, high) }
        if !memoryFirst, let max { settings.append(.memoryMax, max) }
        if let low { settings.append(.memoryLow, low) }
        if let min { settings.append(.memoryMin, min) }
        if let killsTogether { settings.append(.killsTogether, killsTogether) }
    }

    /// Throws when the usage would not fit.
    func check(_ cgroup: borrowing Cgroup) throws(CgroupError) {
        guard refusesBelowUsage, case .value(let newMax)? = max else { return }
        let usage = try cgroup.get(.memoryCurrent)
        if usage > newMax {
            throw CgroupError(
                .write(String(newMax)), path: cgroup.path, file: "memory.max",
                cause: .belowUsage(limit: newMax, usage: usage))
        }
        guard case .value(let newSwap)? = swapMax else { return }
        let (sum, overflows) = newMax.addingReportingOverflow(newSwap)
        let both = usage + (try cgroup.getIfPresent(.swapCurrent) ?? 0)
        if !overflows, both > sum {
            throw CgroupError(
                .write(String(newSwap)), path: cgroup.path, file: "memory.swap.max",
                cause: .belowUsage(limit: sum, usage: both))
        }
    }
}

/// Memory used.
public struct MemoryStatistics: Hashable, Sendable {
    /// Bytes.
    public var current: UInt64
    /// The most bytes so far; since Linux 5.19.
    public var peak: UInt64?
    public var max: Limit
    /// Bytes of swap; nil without swap accounting.
    public var swapCurrent: UInt64?
    public var swapPeak: UInt64?
    public var swapMax: Limit?
    /// Bytes that the compressed cache takes.
    public var zswapCurrent: UInt64?
    /// `memory.stat`: bytes by kind, and counts of what reclaim did.
    public var detail: Counters
    public var events: MemoryEvents

    /// Bytes of memory that no file backs.
    public var anonymous: UInt64 { detail["anon"] ?? 0 }
    /// Bytes of the page cache.
    public var file: UInt64 { detail["file"] ?? 0 }
    /// Bytes that the kernel itself uses for it.
    public var kernel: UInt64 { detail["kernel"] ?? 0 }
    /// Page faults, and those among them that had to wait for a device.
    public var pageFaults: UInt64 { detail["pgfault"] ?? 0 }
    public var majorPageFaults: UInt64 { detail["pgmajfault"] ?? 0 }
}

/// How often limits were met; `memory.events`.
public struct MemoryEvents: Hashable, Sendable {
    /// Every counter, those without a property too.
    public let counters: Counters

    /// Times it was reclaimed from although under ``MemoryLimits/low``.
    public var low: UInt64 { counters["low"] ?? 0 }
    /// Times it was slowed down.
    public var high: UInt64 { counters["high"] ?? 0 }
    /// Times the limit was about to be passed.
    public var max: UInt64 { counters["max"] ?? 0 }
    /// Times an allocation was about to fail.
    public var outOfMemory: UInt64 { counters["oom"] ?? 0 }
    /// Processes killed for it.
    public var kills: UInt64 { counters["oom_kill"] ?? 0 }
}

extension Cgroup {
    /// `memory.current`, `memory.stat` and the files around them.
    public func memoryStatistics() throws(CgroupError) -> MemoryStatistics {
        MemoryStatistics(
            current: try get(.memoryCurrent),
            peak: try getIfPresent(.memoryPeak),
            max: try get(.memoryMax),
            swapCurrent: try getIfPresent(.swapCurrent),
            swapPeak: try getIfPresent(.swapPeak),
            swapMax: try getIfPresent(.swapMax),
            zswapCurrent: try getIfPresent(.zswapCurrent),
            detail: try counters("memory.stat"), events: try memoryEvents())
    }

    /// How often limits were met, here and below. ``watch(_:)`` of `memory.events` tells of a change.
    public func memoryEvents() throws(CgroupError) -> MemoryEvents {
        MemoryEvents(counters: try counters("memory.events"))
    }

    /// The same, of this cgroup without those below it; `memory.events.local`.
    public func localMemoryEvents() throws(CgroupError) -> MemoryEvents {
        MemoryEvents(counters: try counters("memory.events.local"))
    }

    /// Takes memory back from its processes; `memory.reclaim`.
    ///
    /// - Throws: `EAGAIN` when less than that could be had.
    public func reclaimMemory(bytes: UInt64) throws(CgroupError) { try write(String(bytes), to: "memory.reclaim") }
}
