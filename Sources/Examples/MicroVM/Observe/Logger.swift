import Glibc
import Linux
import Synchronization

/// Writes lines like Firecracker's: `2026-11-28T03:15:34.123456789 [id:main:INFO:file:line] message`.
///
/// Lines go to standard output until a file or a pipe is named. The writer never waits: a line that is not taken at once
/// is counted as missed.
final class Logger: Sendable {
    private struct State: ~Copyable {
        var target: Descriptor?
        var level = LogLevel.info
        var showsLevel = false
        var showsOrigin = false
        var module: String?
        var missed: UInt64 = 0
        /// The lines that are to be written, and how many they are; their room stays.
        var lines: [UInt8] = []
        var count: UInt64 = 0
        /// They wait for more.
        var isGathering = false
        var clock = LogClock()
    }

    /// What long lines took is given back, and no more wait: a pipe takes so much in one piece. Bytes.
    private static let mostKept = 4096

    let id: String
    private let first: pthread_t
    private let state = Mutex(State())

    /// To be made in the program's first thread.
    init(id: String) {
        self.id = id
        first = pthread_self()
    }

    /// Lines that could not be written.
    var missed: UInt64 { state.withLock { $0.missed } }

    /// Changes what is named; the level is the default again where it is not.
    ///
    /// - Throws: where the file can't be opened; nothing has changed then.
    func apply(_ settings: LoggerSettings) throws(SystemError) {
        var target: Descriptor?
        if let path = settings.path { target = try openForLines(path) }
        state.withLock { state in
            if let opened = target.take() { state.target = consume opened }
            state.level = settings.level ?? .info
            state.showsLevel = settings.showsLevel ?? state.showsLevel
            state.showsOrigin = settings.showsOrigin ?? state.showsOrigin
            state.module = settings.module ?? state.module
        }
    }

    func error(_ message: @autoclosure () -> String, file: String = #fileID, line: Int = #line) {
        log(.error, message, file, line)
    }

    func warn(_ message: @autoclosure () -> String, file: String = #fileID, line: Int = #line) {
        log(.warn, message, file, line)
    }

    func info(_ message: @autoclosure () -> String, file: String = #fileID, line: Int = #line) {
        log(.info, message, file, line)
    }

    func debug(_ message: @autoclosure () -> String, file: String = #fileID, line: Int = #line) {
        log(.debug, message, file, line)
    }

    /// For lines that every request brings: the message is put together in the line itself.
    func info(file: String = #fileID, line: Int = #line, writing message: (inout [UInt8]) -> Void) {
        log(.info, writing: message, file, line)
    }

    /// Writes the lines of one step of work with one call, when it is done.
    func together<Result>(_ work: () -> Result) -> Result {
        state.withLock { $0.isGathering = true }
        defer {
            state.withLock { state in
                state.isGathering = false
                Self.write(&state)
            }
        }
        return work()
    }

    private func log(_ level: LogLevel, _ message: () -> String, _ file: String, _ line: Int) {
        log(level, writing: { $0.append(text: message()) }, file, line)
    }

    private func log(_ level: LogLevel, writing message: (inout [UInt8]) -> Void, _ file: String, _ line: Int) {
        state.withLock { state in
            guard level <= state.level, state.module.map({ Self.module(file).hasPrefix($0) }) ?? true else { return }
            state.clock.append(to: &state.lines)
            state.lines.append(" [")
            state.lines.append(text: id)
            state.lines.append(UInt8(ascii: ":"))
            state.lines.append(text: thread)
            if state.showsLevel { state.lines.append(text: ":\(level.name)") }
            if state.showsOrigin { state.lines.append(text: ":\(file):\(line)") }
            state.lines.append("] ")
            message(&state.lines)
            state.lines.append(UInt8(ascii: "\n"))
            state.count += 1
            // Half a page is room for another line of its kind.
            if !state.isGathering || state.lines.count > Self.mostKept / 2 { Self.write(&state) }
        }
    }

    private static func write(_ state: inout State) {
        guard !state.lines.isEmpty else { return }
        let number = number(state.target)
        let count = state.lines.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
        if count != state.lines.count { state.missed += state.count }
        state.count = 0
        if state.lines.capacity > mostKept { state.lines = [] } else { state.lines.removeAll(keepingCapacity: true) }
    }

    /// `bulkhead_vm::Logger` for `bulkhead_vm/Logger.swift`.
    private static func module(_ file: String) -> String {
        let parts = file.split(separator: "/").map { $0.hasSuffix(".swift") ? $0.dropLast(6) : $0 }
        return parts.joined(separator: "::")
    }

    private static func number(_ target: borrowing Descriptor?) -> CInt {
        switch target {
        case .some(let target): target.rawValue
        case nil: STDOUT_FILENO
        }
    }

    /// The program's first thread is `main`, the others have the names that `ps` shows.
    private var thread: String {
        if pthread_equal(pthread_self(), first) != 0 { return "main" }
        guard let name = try? readText("/proc/thread-self/comm") else { return "-" }
        return String(name.dropLast())
    }
}

/// Opens a file or a named pipe for lines. A pipe whose reader is slow must not stop the monitor, so nothing waits.
func openForLines(_ path: String) throws(SystemError) -> Descriptor {
    // Read and write: a pipe may have no reader yet.
    try Descriptor.open(path, [.readWrite, .create, .nonBlocking, .append], mode: 0o666)
}
