import Glibc

/// The local time with nanoseconds, as the log has it: `2026-11-28T03:15:34.123456789`.
///
/// Up to its point a time is the same for a second, and finding it out is most of what a line costs.
struct LogClock {
    private var second: time_t?
    private var upToSecond: [UInt8] = []

    static var now: timespec {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time
    }

    mutating func append(_ time: timespec, to line: inout [UInt8]) {
        if time.tv_sec != second {
            upToSecond = Self.text(time.tv_sec)
            second = time.tv_sec
        }
        line += upToSecond
        line.append(digits: UInt(time.tv_nsec), from: 100_000_000)
    }

    private static func text(_ second: time_t) -> [UInt8] {
        var (second, parts, text) = (second, tm(), [UInt8]())
        localtime_r(&second, &parts)
        let fields: [(Int32, UInt, StaticString)] = [
            (parts.tm_year + 1900, 1000, "-"), (parts.tm_mon + 1, 10, "-"), (parts.tm_mday, 10, "T"),
            (parts.tm_hour, 10, ":"), (parts.tm_min, 10, ":"), (parts.tm_sec, 10, "."),
        ]
        for (value, divisor, end) in fields {
            text.append(digits: UInt(value), from: divisor)
            text.append(end)
        }
        return text
    }
}
