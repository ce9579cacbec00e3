import Glibc
import Linux
import OCI

/// Counters in Firecracker's JSON, a line each time they are flushed.
///
/// Here is only what is really counted: a name that Firecracker has and this monitor does not count is not there, as a
/// zero would be a lie. What goes up only is written as the difference to the line before, as Firecracker does.
final class Metrics {
    private var requests = RequestCounts()
    private var deprecated: UInt64 = 0
    /// The first one ends the program.
    private var ending: FatalSignal?
    /// What the line before said.
    private var flushed: [String: [String: UInt64]] = [:]
    /// What devices that have gone had counted: it stays in the sums of their kinds.
    private var retired: [String: [String: UInt64]] = [:]
    /// Microseconds; what did not happen yet is not there.
    private var latencies: [String: UInt64] = [:]
    private var startUp: [String: UInt64] = [:]
    private var missed: UInt64 = 0
    private var failed: UInt64 = 0
    private var target: Descriptor?
    /// What each line has in front of the counters.
    private var prefix: [JSON.Member] = []

    /// - Throws: where the file can't be opened.
    func open(_ settings: MetricsSettings, instance: InstanceInfo) throws(SystemError) {
        target = try openForLines(settings.path)
        prefix = []
        if settings.namesInstance { prefix.append(.init("id", JSON(instance.id))) }
        if let properties = settings.properties {
            prefix.append(.init("properties", .object(properties.map { .init($0.name, JSON($0.value)) })))
        }
    }

    var isOpen: Bool {
        switch target {
        case .some: true
        case nil: false
        }
    }

    func count(_ request: RequestCounter) { requests.count(request) }
    func countRefusal(_ request: RequestCounter) { requests.countRefusal(request) }
    /// Counts a request with something that is on its way out.
    func countDeprecated() { deprecated += 1 }
    /// Counts a signal that ends the program.
    func count(_ signal: FatalSignal) { ending = signal }

    /// Keeps the counts of a device that has gone in those of its kind; another may have its name from now on.
    func retire(_ device: (kind: String?, own: CounterGroup)?) {
        guard let device else { return }
        if let kind = device.kind {
            for (name, count) in device.own.counters { retired[kind, default: [:]][name, default: 0] += count }
        }
        flushed[device.own.name] = nil
    }

    /// How long something took last.
    func note(_ name: String, microseconds: UInt64) { latencies[name] = microseconds }

    /// How long this program took to be ready.
    func noteStartUp(_ name: String, microseconds: UInt64) { startUp[name] = microseconds }

    /// Writes a line. A line that can't be written whole is counted; the next one has what it would have had.
    ///
    /// - Parameters:
    ///   - pulled: groups of counters that others keep, and that go up only.
    ///   - missedLines: lines of the log that were lost.
    /// - Returns: whether there was a place to write to, and it took the line.
    @discardableResult
    func flush(_ pulled: [CounterGroup], missedLines: UInt64) -> Bool {
        guard isOpen else { return false }
        var now = ["deprecated_api": ["deprecated_http_api_calls": deprecated]]
        for signal in FatalSignal.all {
            now["signals", default: [:]][signal.name] = signal.name == ending?.name ? 1 : 0
        }
        for group in requests.groups { now[group.name] = group.byName }
        for group in pulled { now[group.name] = group.byName }
        for (kind, counts) in retired {
            for (name, count) in counts { now[kind, default: [:]][name, default: 0] += count }
        }
        now["logger"] = [
            "metrics_fails": failed, "missed_log_count": missedLines, "missed_metrics_count": missed,
        ]
        var members: [JSON.Member] = [.init("utc_timestamp_ms", JSON(Self.milliseconds))] + prefix
        var groups: [(String, [JSON.Member])] = now.map { group, values in
            let before = flushed[group] ?? [:]
            return (
                group, values.sorted { $0.key < $1.key }.map { .init($0.key, JSON($0.value &- (before[$0.key] ?? 0))) }
            )
        }
        for group in pulled where !group.values.isEmpty {
            guard let index = groups.firstIndex(where: { $0.0 == group.name }) else { continue }
            groups[index].1 += group.values.map { .init($0.0, JSON($0.1)) }
        }
        if !latencies.isEmpty { groups.append(("latencies_us", Self.members(latencies))) }
        if !startUp.isEmpty { groups.append(("api_server", Self.members(startUp))) }
        members += groups.sorted { $0.0 < $1.0 }.map { .init($0.0, .object($0.1)) }
        let line = JSON.object(members).encodedBytes() + [0x0a]
        switch target {
        case .some(let target):
            let count = line.withUnsafeBytes { write(target.rawValue, $0.baseAddress, $0.count) }
            guard count == line.count else {
                if count < 0 && Errno.current == .wouldBlock { missed += 1 } else { failed += 1 }
                return false
            }
        case nil: return false
        }
        flushed = now
        return true
    }

    private static func members(_ values: [String: UInt64]) -> [JSON.Member] {
        values.sorted { $0.key < $1.key }.map { .init($0.key, JSON($0.value)) }
    }

    private static var milliseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }
}
