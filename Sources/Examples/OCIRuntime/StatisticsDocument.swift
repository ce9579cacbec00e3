import Cgroups
import OCI

/// An event as runc prints it.
func eventDocument(_ type: String, _ id: String, _ data: JSON?) -> JSON {
    var members: [JSON.Member] = [.init("type", .string(type)), .init("id", .string(id))]
    if let data { members.append(.init("data", data)) }
    return .object(members)
}

/// Statistics in runc's shape: times in nanoseconds, and names that come from cgroup v1.
func statisticsDocument(_ statistics: Statistics) -> JSON {
    let hugePages = (statistics.hugePages ?? []).map { JSON.Member("\($0.size)", hugePageDocument($0)) }
    return [
        "cpu": cpuDocument(statistics),
        "cpuset": [:],
        "memory": memoryDocument(statistics),
        "pids": pidsDocument(statistics.pids),
        "blkio": blockDocument(statistics),
        "hugetlb": .object(hugePages),
        "intel_rdt": [:],
        "network_interfaces": nil,
    ]
}

private func cpuDocument(_ statistics: Statistics) -> JSON {
    let cpu = statistics.cpu
    func nanoseconds(_ microseconds: UInt64?) -> JSON {
        JSON((microseconds ?? 0).multipliedReportingOverflow(by: 1000).partialValue)
    }
    return object([
        (
            "usage",
            [
                "total": nanoseconds(cpu?.usage), "kernel": nanoseconds(cpu?.system), "user": nanoseconds(cpu?.user),
            ]
        ),
        (
            "throttling",
            [
                "periods": JSON(cpu?.periods ?? 0), "throttledPeriods": JSON(cpu?.throttledPeriods ?? 0),
                "throttledTime": nanoseconds(cpu?.throttledTime),
            ]
        ),
        ("psi", pressureDocument(statistics.cpuPressure)),
    ])
}

private func memoryDocument(_ statistics: Statistics) -> JSON {
    guard let memory = statistics.memory else {
        return object([("usage", entry()), ("swap", entry()), ("kernel", entry()), ("kernelTCP", entry())])
    }
    // As cgroup v1 counted it, swap is memory and swap together.
    let swap = memory.swapCurrent.map { sum(memory.current, $0) }
    let swapLimit = memory.swapMax.map { sum(number(memory.max), number($0)) }
    let raw = memory.detail.all.map { JSON.Member($0.name, JSON($0.value)) }
    let events = ["low", "high", "max", "oom", "oom_kill"].map { name in
        JSON.Member(name, JSON(memory.events.counters[name] ?? 0))
    }
    return object([
        ("cache", JSON(memory.file)),
        (
            "usage",
            entry(
                usage: memory.current, limit: number(memory.max), peak: memory.peak, failures: memory.events.max)
        ),
        ("swap", entry(usage: swap, limit: swapLimit, peak: nil)),
        ("kernel", entry(usage: memory.kernel)),
        ("kernelTCP", entry()),
        ("raw", .object(raw)),
        ("psi", pressureDocument(statistics.memoryPressure)),
        ("event_count", .object(events)),
    ])
}

private func entry(usage: UInt64? = nil, limit: UInt64? = nil, peak: UInt64? = nil, failures: UInt64 = 0) -> JSON {
    object([
        ("limit", JSON(limit ?? 0)), ("usage", usage.map { JSON($0) }), ("max", peak.map { JSON($0) }),
        ("failcnt", JSON(failures)),
    ])
}

private func pidsDocument(_ pids: PIDStatistics?) -> JSON {
    guard let pids else { return [:] }
    // runc's "no limit" is 0 here.
    return ["current": JSON(pids.current), "limit": JSON(pids.max.value ?? 0)]
}

private func blockDocument(_ statistics: Statistics) -> JSON {
    let devices = statistics.io ?? []
    func entries(_ operations: [(String, (IOStatistics) -> UInt64)]) -> JSON? {
        guard !devices.isEmpty else { return nil }
        return .array(
            devices.flatMap { device in
                operations.map { name, count in
                    [
                        "major": JSON(device.device.major), "minor": JSON(device.device.minor), "op": .string(name),
                        "value": JSON(count(device)),
                    ]
                }
            })
    }
    return object([
        (
            "ioServiceBytesRecursive",
            entries([
                ("Read", { $0.readBytes }), ("Write", { $0.writtenBytes }), ("Discard", { $0.discardedBytes }),
            ])
        ),
        (
            "ioServicedRecursive",
            entries([("Read", { $0.reads }), ("Write", { $0.writes }), ("Discard", { $0.discards })])
        ),
        ("psi", pressureDocument(statistics.ioPressure)),
    ])
}

private func hugePageDocument(_ pages: HugePageStatistics) -> JSON {
    ["usage": JSON(pages.current), "max": JSON(number(pages.max)), "failcnt": JSON(pages.refusals)]
}

private func pressureDocument(_ pressure: Pressure?) -> JSON? {
    guard let pressure else { return nil }
    func share(_ share: Pressure.Share?) -> JSON? {
        share.map {
            [
                "avg10": .real($0.average10), "avg60": .real($0.average60), "avg300": .real($0.average300),
                "total": JSON($0.totalMicroseconds),
            ]
        }
    }
    return object([("some", share(pressure.some)), ("full", share(pressure.full))])
}

/// runc writes "no limit" as the largest number.
private func number(_ limit: Limit) -> UInt64 { limit.value ?? .max }

private func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
}

/// An object without the members that are absent.
private func object(_ members: [(String, JSON?)]) -> JSON {
    .object(members.compactMap { name, value in value.map { JSON.Member(name, $0) } })
}
