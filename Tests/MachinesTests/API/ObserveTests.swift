import Glibc
import Linux
import OCI
import Testing

@testable import bulkhead_vm

@Suite struct ObserveTests {
    private let scratch = Scratch()

    @Test func linesHaveFirecrackersForm() throws {
        let path = try scratch.file("log", [])
        let logger = Logger(id: "my-vm")
        var settings = LoggerSettings()
        settings.path = path
        try logger.apply(settings)
        logger.info("one")
        logger.debug("not so important")
        settings = LoggerSettings()
        (settings.level, settings.showsLevel, settings.showsOrigin) = (.debug, true, true)
        try logger.apply(settings)
        logger.debug("two", file: "module/File.swift", line: 7)
        (settings.level, settings.module) = (.warn, "bulkhead_vm::")
        try logger.apply(settings)
        logger.info("not important enough", file: "bulkhead_vm/File.swift", line: 8)
        logger.error("of another module", file: "module/File.swift", line: 8)
        logger.warn("three", file: "bulkhead_vm/File.swift", line: 9)
        let lines = try readText(path).split(separator: "\n").map(String.init)
        #expect(lines.count == 3)
        // 2026-11-28T03:15:34.123456789
        let time = "0000-00-00T00:00:00.000000000"
        for line in lines { #expect(String(line.prefix(29).map { $0.isNumber ? "0" : $0 }) == time) }
        // Tests run in threads with names of their own.
        let parts = lines.map { $0.dropFirst(30) }
        #expect(parts[0].hasPrefix("[my-vm:") && parts[0].hasSuffix("] one"))
        #expect(parts[1].hasSuffix(":DEBUG:module/File.swift:7] two"))
        #expect(parts[2].hasSuffix(":WARN:bulkhead_vm/File.swift:9] three"))
        #expect(logger.missed == 0)
    }

    @Test func aPipeNobodyReadsStopsNothing() throws {
        let path = "\(scratch.path)/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let logger = Logger(id: "x")
        var settings = LoggerSettings()
        settings.path = path
        try logger.apply(settings)
        for _ in 0..<1000 { logger.info(String(repeating: "a", count: 200)) }
        #expect(logger.missed > 0)
    }

    @Test func levelsAreRead() {
        #expect(LogLevel("Warning") == .warn && LogLevel("WARN") == .warn && LogLevel("off") == .off)
        #expect(LogLevel("Info") == .info && LogLevel("trace") == .trace && LogLevel("loud") == nil)
    }

    @Test func countersAreDifferences() throws {
        let path = try scratch.file("metrics", [])
        let metrics = Metrics()
        #expect(!metrics.flush([], missedLines: 0))
        try metrics.open(MetricsSettings(path: path), instance: InstanceInfo(id: "i"))
        let get = try #require(RequestCounter(HTTPRequest(.get, "/")))
        metrics.count(get)
        metrics.count(get)
        metrics.countRefusal(get)
        // No name of Firecracker's: only those that change something are counted.
        metrics.count(try #require(RequestCounter(HTTPRequest(.get, "/drives/root"))))
        #expect(metrics.flush([CounterGroup("vcpu", [("exit_io_in", 5)])], missedLines: 1))
        metrics.count(get)
        metrics.note("pause_vm", microseconds: 77)
        #expect(metrics.flush([CounterGroup("vcpu", [("exit_io_in", 12)])], missedLines: 1))
        #expect(metrics.flush([CounterGroup("vcpu", [("exit_io_in", 12)])], missedLines: 4))
        let lines = try readText(path).split(separator: "\n").map { try JSON(parsing: String($0)) }
        func values(_ group: String, _ name: String) -> [UInt64?] {
            lines.map { $0[group]?[name]?.integerValue(as: UInt64.self) }
        }
        #expect(values("get_api_requests", "instance_info_count") == [2, 1, 0])
        #expect(values("get_api_requests", "instance_info_fails") == [nil, nil, nil])
        #expect(values("get_api_requests", "drive_count") == [nil, nil, nil])
        #expect(RequestCounter(HTTPRequest(.delete, "/drives/root")) == nil)
        #expect(RequestCounter(HTTPRequest(.put, "/nothing")) == nil)
        #expect(values("vcpu", "exit_io_in") == [5, 7, 0])
        #expect(values("logger", "missed_log_count") == [1, 0, 3])
        // A time is the last one, and is not there before.
        #expect(values("latencies_us", "pause_vm") == [nil, 77, 77])
        for line in lines { #expect(line["utc_timestamp_ms"]?.integerValue(as: UInt64.self) ?? 0 > 1_700_000_000_000) }
    }

    @Test func whatIsNotWrittenIsWrittenLater() throws {
        let path = "\(scratch.path)/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let metrics = Metrics()
        try metrics.open(MetricsSettings(path: path), instance: InstanceInfo(id: "i"))
        let reader = try Descriptor.open(path, [.readOnly, .nonBlocking])
        // Until the pipe is full.
        var written = 0
        while metrics.flush([], missedLines: 0) { written += 1 }
        #expect(written > 10)
        metrics.count(try #require(RequestCounter(HTTPRequest(.put, "/drives/root"))))
        #expect(!metrics.flush([], missedLines: 0))
        while let bytes = try? reader.read(upTo: 65536), !bytes.isEmpty {}
        #expect(metrics.flush([], missedLines: 0))
        let line = try JSON(parsing: try reader.read(upTo: 65536).dropLast())
        #expect(line["put_api_requests"]?["drive_count"]?.integerValue() == 1)
        #expect(line["logger"]?["missed_metrics_count"]?.integerValue() == 2)
    }
}
