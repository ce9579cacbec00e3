import OCI
import Testing

@testable import Cgroups
@testable import bulkhead_oci

@Suite struct StatisticsTests {
    @Test func anEventHasTypeAndID() {
        #expect(eventDocument("oom", "web", nil).encoded() == #"{"type":"oom","id":"web"}"#)
        #expect(eventDocument("stats", "web", [:]).encoded() == #"{"type":"stats","id":"web","data":{}}"#)
    }

    @Test func whatIsMissingLeavesTheShapeAlone() {
        let document = statisticsDocument(Statistics())
        for name in ["cpu", "memory", "pids", "blkio", "hugetlb", "cpuset", "intel_rdt"] {
            guard case .object = document[name] else {
                Issue.record("\(name) is no object")
                continue
            }
        }
        #expect(document["cpu"]?["usage"]?["total"]?.integerValue(as: Int.self) == 0)
        #expect(document["memory"]?["usage"]?["failcnt"]?.integerValue(as: Int.self) == 0)
    }

    @Test func eachFieldIsWhereRuncHasIt() {
        var statistics = Statistics()
        statistics.cpu = CPUStatistics(
            counters: counters("usage_usec 7", "user_usec 4", "system_usec 3", "nr_periods 2", "throttled_usec 5"))
        statistics.memory = MemoryStatistics(
            current: 100, peak: 150, max: .value(200), swapCurrent: 10, swapMax: .max, detail: counters("file 30"),
            events: MemoryEvents(counters: counters("max 6", "oom_kill 1")))
        statistics.pids = PIDStatistics(current: 8, max: .max, refusals: 0)
        statistics.io = NestedLine.parse("8:16 rbytes=11 wbytes=12 rios=1 wios=2 dbytes=13 dios=3").compactMap {
            IOStatistics($0)
        }
        let document = statisticsDocument(statistics)
        func number(_ path: String...) -> UInt64? {
            path.reduce(document as JSON?) { $0?[$1] }?.integerValue()
        }
        #expect(number("cpu", "usage", "total") == 7000)
        #expect(number("cpu", "usage", "kernel") == 3000 && number("cpu", "usage", "user") == 4000)
        #expect(number("cpu", "throttling", "throttledTime") == 5000)
        #expect(number("memory", "usage", "usage") == 100 && number("memory", "usage", "limit") == 200)
        #expect(number("memory", "usage", "max") == 150 && number("memory", "usage", "failcnt") == 6)
        #expect(number("memory", "cache") == 30 && number("memory", "raw", "file") == 30)
        #expect(number("memory", "event_count", "oom_kill") == 1)
        // Memory and swap together, and no limit as the largest number, even where a sum would not fit.
        #expect(number("memory", "swap", "usage") == 110 && number("memory", "swap", "limit") == .max)
        #expect(number("pids", "current") == 8 && number("pids", "limit") == 0)
        let bytes = document["blkio"]?["ioServiceBytesRecursive"]?.arrayValue
        #expect(bytes?.count == 3)
        #expect(bytes?[1] == ["major": 8, "minor": 16, "op": "Write", "value": 12])
    }

    private func counters(_ lines: String...) -> Counters { Counters(Array(lines.joined(separator: "\n").utf8)) }
}
