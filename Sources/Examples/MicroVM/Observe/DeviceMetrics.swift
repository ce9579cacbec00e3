import Machines
import Virtio

/// A group of counters that go up only, and of values that are what they are at the moment.
struct CounterGroup: Equatable {
    let name: String
    let counters: [(String, UInt64)]
    let values: [(String, UInt64)]

    /// The counters; the last of a name.
    var byName: [String: UInt64] {
        var result: [String: UInt64] = [:]
        for (name, count) in counters { result[name] = count }
        return result
    }

    init(_ name: String, _ counters: [(String, UInt64)], values: [(String, UInt64)] = []) {
        (self.name, self.counters, self.values) = (name, counters, values)
    }

    static func == (left: CounterGroup, right: CounterGroup) -> Bool {
        left.name == right.name && left.counters.elementsEqual(right.counters) { $0 == $1 }
            && left.values.elementsEqual(right.values) { $0 == $1 }
    }

    /// The sums of groups with the same counters.
    static func sum(_ name: String, _ groups: [CounterGroup]) -> CounterGroup {
        var sums = groups[0].counters
        for group in groups.dropFirst() {
            for index in sums.indices { sums[index].1 += group.counters[index].1 }
        }
        return CounterGroup(name, sums)
    }
}

/// The devices' counts by Firecracker's names. A counter of its that has no name here is one that is not counted.
enum DeviceMetrics {
    /// Each kind's sum, and each drive and card by itself.
    ///
    /// - Parameters:
    ///   - drives, networks, pmem: the ids of those there are.
    static func groups(
        _ machine: Machine, drives: [String], networks: [String], pmem: [String]
    ) -> [CounterGroup] {
        var groups = [
            vcpu(machine.exits),
            CounterGroup(
                "uart",
                port("uart", machine.serialCounts).counters + [
                    ("error_count", machine.serialFailures), ("rate_limiter_dropped_bytes", machine.serialLoss),
                ]),
            CounterGroup(
                "i8042",
                port("i8042", machine.keyboardCounts).counters + [("reset_count", machine.keyboardCounts.resets)]),
        ]
        let blocks = drives.compactMap { id in
            machine.disk(id).map { block("block_\(id)", $0.counts, machine.transportCounts(of: $0)) }
        }
        if !blocks.isEmpty { groups += [CounterGroup.sum("block", blocks)] + blocks }
        groups += drives.compactMap { id in machine.servedDisk(id).map { servedBlock(id, $0) } }
        let nets = networks.compactMap { id in
            machine.network(id).map { net("net_\(id)", $0.counts, machine.transportCounts(of: $0)) }
        }
        if !nets.isEmpty { groups += [CounterGroup.sum("net", nets)] + nets }
        let memories = pmem.compactMap { id in
            machine.persistentMemory(id).map {
                persistentMemory("pmem_\(id)", $0.counts, machine.transportCounts(of: $0))
            }
        }
        if !memories.isEmpty { groups += [CounterGroup.sum("pmem", memories)] + memories }
        if let vsock = machine.vsock { groups.append(self.vsock(vsock.counts, machine.transportCounts(of: vsock))) }
        if let balloon = machine.balloon {
            groups.append(self.balloon(balloon.counts, machine.transportCounts(of: balloon)))
        }
        if let memory = machine.hotplugMemory {
            groups.append(self.memory(memory.counts, machine.transportCounts(of: memory)))
        }
        if let entropy = machine.entropy {
            groups.append(self.entropy(entropy.counts, machine.transportCounts(of: entropy)))
        }
        return groups
    }

    /// The counts of a device that has gone, under the name that it had.
    ///
    /// - Returns: and those of its kind that have a sum.
    static func group(of removed: RemovedDevice) -> (kind: String?, own: CounterGroup)? {
        switch (removed.name, removed.device) {
        case (.disk(let id), let disk as Block): ("block", block("block_\(id)", disk.counts, removed.counts))
        case (.disk(let id), let disk as VhostUserBlock): (nil, servedBlock(id, disk))
        case (.network(let id), let card as Network): ("net", net("net_\(id)", card.counts, removed.counts))
        case (.persistentMemory(let id), let memory as PersistentMemory):
            ("pmem", persistentMemory("pmem_\(id)", memory.counts, removed.counts))
        default: nil
        }
    }

    static func persistentMemory(
        _ name: String, _ counts: PersistentMemoryCounts, _ transport: TransportCounts
    ) -> CounterGroup {
        CounterGroup(
            name,
            [
                ("activate_fails", transport.failedStarts), ("event_fails", transport.faults),
                ("queue_event_count", counts.notifications), ("rate_limiter_event_count", counts.throttleEvents),
                ("rate_limiter_throttled_events", counts.throttles),
            ])
    }

    private static func vcpu(_ counts: ExitCounts) -> CounterGroup {
        CounterGroup(
            "vcpu",
            [
                ("exit_io_in", counts.portReads), ("exit_io_out", counts.portWrites),
                ("exit_mmio_read", counts.memoryReads), ("exit_mmio_write", counts.memoryWrites),
                ("failures", counts.failures), ("kvmclock_ctrl_fails", counts.untoldPauses),
            ])
    }

    private static func port(_ name: String, _ counts: PortCounts) -> CounterGroup {
        CounterGroup(
            name,
            [
                ("read_count", counts.reads), ("write_count", counts.writes),
                ("missed_read_count", counts.missedReads), ("missed_write_count", counts.missedWrites),
            ])
    }

    static func block(_ name: String, _ counts: BlockCounts, _ transport: TransportCounts) -> CounterGroup {
        CounterGroup(
            name,
            [
                ("activate_fails", transport.failedStarts), ("event_fails", transport.faults),
                ("no_avail_buffer", counts.missingRequests), ("execute_fails", counts.failures),
                ("flush_count", counts.flushes),
                ("invalid_reqs_count", counts.unsupported), ("queue_event_count", counts.notifications),
                ("rate_limiter_event_count", counts.throttleEvents),
                ("rate_limiter_throttled_events", counts.throttles), ("read_bytes", counts.readBytes),
                ("read_count", counts.reads), ("update_count", counts.updates),
                ("update_fails", counts.failedUpdates), ("write_bytes", counts.writtenBytes),
                ("write_count", counts.writes),
            ])
    }

    private static func servedBlock(_ id: String, _ disk: VhostUserBlock) -> CounterGroup {
        let counts = disk.counts
        return CounterGroup(
            "vhost_user_block_\(id)",
            [("activate_fails", counts.activationFailures), ("cfg_fails", counts.configurationFailures)],
            values: [
                ("activate_time_us", counts.activationTime / 1000),
                ("config_change_time_us", counts.configurationTime / 1000), ("init_time_us", disk.setUpTime / 1000),
            ])
    }

    static func net(_ name: String, _ counts: NetworkCounts, _ transport: TransportCounts) -> CounterGroup {
        CounterGroup(
            name,
            [
                ("activate_fails", transport.failedStarts), ("event_fails", transport.faults),
                ("no_rx_avail_buffer", counts.missingBuffers), ("no_tx_avail_buffer", counts.missingFrames),
                ("rx_bytes_count", counts.receivedBytes), ("rx_count", counts.received),
                ("rx_packets_count", counts.received), ("rx_queue_event_count", counts.receiveNotifications),
                ("rx_event_rate_limiter_count", counts.receiveThrottleEvents),
                ("rx_rate_limiter_throttled", counts.receiveThrottles), ("rx_tap_event_count", counts.cableEvents),
                ("tap_read_fails", counts.failedReads), ("tap_write_fails", counts.failedWrites),
                ("tx_bytes_count", counts.sentBytes), ("tx_count", counts.sent),
                ("tx_malformed_frames", counts.malformed), ("tx_packets_count", counts.sent),
                ("tx_queue_event_count", counts.transmitNotifications),
                ("tx_rate_limiter_event_count", counts.transmitThrottleEvents),
                ("tx_rate_limiter_throttled", counts.transmitThrottles),
            ])
    }

    static func vsock(_ counts: VsockCounts, _ transport: TransportCounts) -> CounterGroup {
        CounterGroup(
            "vsock",
            [
                ("activate_fails", transport.failedStarts), ("tx_write_fails", counts.failedWrites),
                ("tx_flush_fails", counts.failedFlushes),
                ("conns_added", counts.added), ("conns_killed", counts.killed), ("conns_removed", counts.removed),
                ("rx_bytes_count", counts.receivedBytes), ("rx_packets_count", counts.received),
                ("rx_queue_event_count", counts.receiveNotifications), ("tx_bytes_count", counts.sentBytes),
                ("tx_packets_count", counts.sent), ("tx_queue_event_count", counts.transmitNotifications),
            ])
    }

    static func balloon(_ counts: BalloonCounts, _ transport: TransportCounts) -> CounterGroup {
        CounterGroup(
            "balloon",
            [
                ("activate_fails", transport.failedStarts), ("event_fails", transport.faults),
                ("free_page_hint_fails", counts.failedHints), ("free_page_report_fails", counts.failedReports),
                ("deflate_count", counts.deflations), ("free_page_hint_count", counts.hints),
                ("free_page_hint_freed", counts.hintedBytes), ("free_page_report_count", counts.reports),
                ("free_page_report_freed", counts.reportedBytes), ("inflate_count", counts.inflations),
                ("stats_updates_count", counts.statistics),
            ])
    }

    static func memory(_ counts: MemoryCounts, _ transport: TransportCounts) -> CounterGroup {
        CounterGroup(
            "memory_hotplug",
            [
                ("activate_fails", transport.failedStarts), ("queue_event_fails", transport.faults),
                ("plug_bytes", counts.pluggedBytes), ("plug_count", counts.plugs), ("plug_fails", counts.failedPlugs),
                ("queue_event_count", counts.notifications), ("state_count", counts.questions),
                ("state_fails", counts.failedQuestions), ("unplug_all_count", counts.unplugAlls),
                ("unplug_all_fails", counts.failedUnplugAlls), ("unplug_bytes", counts.unpluggedBytes),
                ("unplug_count", counts.unplugs), ("unplug_discard_fails", counts.failedDiscards),
                ("unplug_fails", counts.failedUnplugs),
            ])
    }

    static func entropy(_ counts: EntropyCounts, _ transport: TransportCounts) -> CounterGroup {
        CounterGroup(
            "entropy",
            [
                ("activate_fails", transport.failedStarts), ("entropy_event_fails", transport.faults),
                ("entropy_bytes", counts.bytes), ("entropy_event_count", counts.requests),
                ("entropy_rate_limiter_throttled", counts.throttles), ("host_rng_fails", counts.failures),
                ("rate_limiter_event_count", counts.throttleEvents),
            ])
    }

    static func mmds(_ counters: MetadataCounters) -> CounterGroup {
        let names: [(String, MetadataCounters.Event)] = [
            ("connections_created", .opened), ("connections_destroyed", .closed), ("rx_accepted", .accepted),
            ("rx_accepted_err", .malformed), ("rx_accepted_unusual", .unusual), ("rx_count", .segment),
            ("rx_invalid_token", .invalidToken), ("rx_no_token", .noToken), ("tx_bytes", .sentBytes),
            ("tx_count", .sentFrame), ("tx_frames", .sentFrame),
        ]
        return CounterGroup("mmds", names.map { ($0, counters[$1]) })
    }
}
