import Machines
import OCI
import Virtio

/// `/balloon`: memory that the guest gives back.
struct BalloonDevice: Hashable {
    /// MiB.
    var amount: UInt32
    var deflatesOnOOM: Bool
    /// Seconds; 0 for no statistics.
    var interval: UInt16
    var hasHinting: Bool
    var hasReporting: Bool

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(
            json, "BalloonDeviceConfig",
            ["amount_mib", "deflate_on_oom", "stats_polling_interval_s", "free_page_hinting", "free_page_reporting"])
        amount = try members.required("amount_mib", Value.u32)
        deflatesOnOOM = try members.required("deflate_on_oom", Value.truth)
        interval = try members.value("stats_polling_interval_s", or: 0, Value.u16)
        hasHinting = try members.value("free_page_hinting", or: false, Value.truth)
        hasReporting = try members.value("free_page_reporting", or: false, Value.truth)
    }

    var choice: MachineConfiguration.BalloonChoice {
        var choice = MachineConfiguration.BalloonChoice(
            target: UInt64(amount) << 20, deflatesOnOOM: deflatesOnOOM, reportsFreePages: hasReporting)
        choice.statisticsInterval = UInt32(interval)
        choice.hintsFreePages = hasHinting
        return choice
    }

    var json: JSON {
        [
            "amount_mib": JSON(amount), "deflate_on_oom": .bool(deflatesOnOOM),
            "stats_polling_interval_s": JSON(interval), "free_page_hinting": .bool(hasHinting),
            "free_page_reporting": .bool(hasReporting),
        ]
    }

    /// `PATCH /balloon`: MiB.
    static func amount(_ json: JSON) throws(BodyError) -> UInt32 {
        try Members(json, "BalloonUpdateConfig", ["amount_mib"]).required("amount_mib", Value.u32)
    }

    /// `PATCH /balloon/statistics`: seconds.
    static func interval(_ json: JSON) throws(BodyError) -> UInt16 {
        let name = "stats_polling_interval_s"
        return try Members(json, "BalloonUpdateStatsConfig", [name]).required(name, Value.u16)
    }

    /// `PATCH /balloon/hinting/start`: whether the guest gets its pages back as soon as it has named all.
    static func acknowledges(_ json: JSON) throws(BodyError) -> Bool {
        let name = "acknowledge_on_stop"
        return try Members(json, "StartHintingCmd", [name]).value(name, or: true, Value.truth)
    }
}

extension Balloon {
    /// `GET /balloon/statistics`. What the guest left out is not there.
    var statisticsJSON: JSON {
        let (target, actual) = (target, actual)
        var members: [JSON.Member] = [
            .init("target_pages", JSON(target / Balloon.pageSize)),
            .init("actual_pages", JSON(actual / Balloon.pageSize)),
            .init("target_mib", JSON(target >> 20)), .init("actual_mib", JSON(actual >> 20)),
        ]
        let names: [(String, BalloonStatistics.Tag)] = [
            ("swap_in", .swapIn), ("swap_out", .swapOut), ("major_faults", .majorFaults),
            ("minor_faults", .minorFaults), ("free_memory", .free), ("total_memory", .total),
            ("available_memory", .available), ("disk_caches", .diskCaches),
            ("hugetlb_allocations", .hugePageAllocations), ("hugetlb_failures", .hugePageFailures),
            // Since Linux 6.12; VIRTIO_BALLOON_S_OOM_KILL and those behind it.
            ("oom_kill", .init(rawValue: 10)), ("alloc_stall", .init(rawValue: 11)),
            ("async_scan", .init(rawValue: 12)), ("direct_scan", .init(rawValue: 13)),
            ("async_reclaim", .init(rawValue: 14)), ("direct_reclaim", .init(rawValue: 15)),
        ]
        let latest = statistics
        for (name, tag) in names {
            if let value = latest?[tag] { members.append(.init(name, JSON(value))) }
        }
        return .object(members)
    }
}
