/// How important a line of the log is; the least first.
enum LogLevel: Int, Hashable, Comparable, Sendable {
    case off
    case error
    case warn
    case info
    case debug
    case trace

    /// Reads a level, however it is written; `Warning` is one, too.
    init?(_ text: String) {
        switch text.lowercased() {
        case "off": self = .off
        case "error": self = .error
        case "warn", "warning": self = .warn
        case "info": self = .info
        case "debug": self = .debug
        case "trace": self = .trace
        default: return nil
        }
    }

    static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }

    /// As a line has it.
    var name: String {
        switch self {
        case .off: "OFF"
        case .error: "ERROR"
        case .warn: "WARN"
        case .info: "INFO"
        case .debug: "DEBUG"
        case .trace: "TRACE"
        }
    }
}
