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
        /// The line that is written; its room stays.
        var line: [UInt8] = []
        var clock = LogClock()
    }

    /// What a long line took is given back: bytes.
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

    private func log(_ level: LogLevel, _ message: () -> String, _ file: String, _ line: Int) {
        log(level, writing: { $0.append(text: message()) }, file, line)
    }

    private func log(_ level: LogLevel, writing message: (inout [UInt8]) -> Void, _ file: String, _ line: Int) {
        state.withLock { state in
            guard level <= state.level, state.module.map({ Self.module(file).hasPrefix($0) }) ?? true else { return }
            state.line.removeAll(keepingCapacity: true)
            state.clock.append(to: &state.line)
            state.line.append(" [")
            state.line.append(text: id)
            state.line.append(UInt8(ascii: ":"))
            state.line.append(text: thread)
            if state.showsLevel { state.line.append(text: ":\(level.name)") }
            if state.showsOrigin { state.line.append(text: ":\(file):\(line)") }
            state.line.append("] ")
            message(&state.line)
            state.line.append(UInt8(ascii: "\n"))
            let number = Self.number(state.target)
            let count = state.line.withUnsafeBytes { write(number, $0.baseAddress, $0.count) }
            if count != state.line.count { state.missed += 1 }
            if state.line.count > Self.mostKept { state.line = [] }
        }
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
