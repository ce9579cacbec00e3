import Glibc
import Linux
import OCI

/// The log that callers read: containerd, docker and podman look for the last error in the file of `--log`.
struct Log {
    enum Format: String {
        case text
        case json
    }

    enum Level: String, Comparable {
        case error
        case warning
        case debug

        private var rank: Int {
            switch self {
            case .error: 0
            case .warning: 1
            case .debug: 2
            }
        }

        static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }
    }

    /// The file of `--log`; nil logs to standard error.
    var path: String?
    var format = Format.text
    var level = Level.warning

    /// Logs why the program fails, and says it on standard error too.
    func error(_ message: String) {
        let message = oneLine(message)
        if path != nil {
            append(.error, message)
        } else if format == .json {
            return complain(Self.entry(.error, message, .json, time: now()))
        }
        complain("bulkhead-oci: \(message)\n")
    }

    func warning(_ message: String) { note(.warning, message) }
    func debug(_ message: @autoclosure () -> String) {
        if level == .debug { note(.debug, message()) }
    }

    private func note(_ level: Level, _ message: String) {
        guard level <= self.level else { return }
        let message = oneLine(message)
        if path != nil { return append(level, message) }
        complain(
            format == .json
                ? Self.entry(level, message, .json, time: now()) : "bulkhead-oci: \(level.rawValue): \(message)\n")
    }

    // Opened only when there is something to say, so that a start that goes well does not pay for it.
    private func append(_ level: Level, _ message: String) {
        guard let path else { return }
        do throws(SystemError) {
            let file = try Descriptor.open(path, [.writeOnly, .create, .append], mode: 0o600)
            try file.write(Self.entry(level, message, format, time: now()))
        } catch { complain("bulkhead-oci: \(error)\n") }
    }

    /// One entry with its newline, as runc's logger writes it.
    static func entry(_ level: Level, _ message: String, _ format: Format, time: String) -> String {
        switch format {
        case .json:
            let line: JSON = ["level": .string(level.rawValue), "msg": .string(message), "time": .string(time)]
            return line.encoded() + "\n"
        case .text:
            return "time=\"\(time)\" level=\(level.rawValue) msg=\(quoted(message))\n"
        }
    }

    private func now() -> String { timestamp(secondsSince1970: Glibc.time(nil)) }
}

/// A time as RFC 3339 writes it, in UTC.
func timestamp(secondsSince1970 seconds: time_t) -> String {
    var (seconds, parts) = (seconds, tm())
    gmtime_r(&seconds, &parts)
    func padded(_ number: CInt, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    return "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
        + "T\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))Z"
}

/// A message without what would break a line or act on a terminal.
func oneLine(_ message: String) -> String {
    guard message.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return message }
    var result = String.UnicodeScalarView()
    for scalar in message.unicodeScalars {
        result.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return String(result)
}
