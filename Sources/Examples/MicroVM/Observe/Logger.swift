import Glibc
import Linux
import Synchronization

/// Writes lines like Firecracker's: `2026-11-28T03:15:34.123456789 [id:main:INFO:file:line] message`.
///
/// Lines go to standard output until a file or a pipe is named. The writer never waits: a line that is not taken at once
/// is counted as missed. Nor does anybody wait for the log: between ``gather()`` and ``flush()`` lines are kept as they are,
/// until one comes that warns or tells of an error.
final class Logger: Sendable {
    private struct State: ~Copyable {
        var target: Descriptor?
        var level = LogLevel.info
        var showsLevel = false
        var showsOrigin = false
        var module: String?
        var missed: UInt64 = 0
        var gathers = false
        var lines: [Line] = []
        /// What the lines say, one behind the other.
        var messages: [UInt8] = []
        /// The text that is written; its room stays.
        var text: [UInt8] = []
        var clock = LogClock()
    }

    private struct Line {
        let time: timespec
        let level: LogLevel
        let file: String
        let number: Int
        /// Where its message ends.
        let end: Int
    }

    /// Bytes: what more text took is given back, and more messages do not wait. A pipe takes so much in one piece.
    private static let mostKept = 4096

    let id: String
    private let first: pthread_t
    private let state = Mutex(State())
    /// The level by itself: who only asks for it does not wait for a line that is being written.
    private let level = Atomic<Int>(LogLevel.info.rawValue)

    /// To be made in the program's first thread.
    init(id: String) {
        self.id = id
        first = pthread_self()
    }

    /// Whether there is somebody who reads lines of a level: for what costs something before there is a line of it.
    func admits(_ level: LogLevel) -> Bool { level.rawValue <= self.level.load(ordering: .relaxed) }

    /// Lines that could not be written.
    var missed: UInt64 { state.withLock { $0.missed } }

    /// Changes what is named; the level is the default again where it is not.
    ///
    /// - Throws: where the file can't be opened; nothing has changed then.
    func apply(_ settings: LoggerSettings) throws(SystemError) {
        var target: Descriptor?
        if let path = settings.path { target = try openForLines(path) }
        state.withLock { state in
            write(&state)
            if let opened = target.take() { state.target = consume opened }
            state.level = settings.level ?? .info
            level.store(state.level.rawValue, ordering: .relaxed)
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

    /// For lines that every request brings: the message is put together where it is kept.
    ///
    /// - Parameter time: when it was, as ``LogClock/now`` had it.
    func info(
        at time: timespec, file: String = #fileID, line: Int = #line, writing message: (inout [UInt8]) -> Void
    ) {
        log(.info, at: time, writing: message, file, line)
    }

    /// Keeps the lines of this thread, the program's first, from now on until ``flush()`` or one that warns; those of others
    /// don't wait.
    func gather() { state.withLock { $0.gathers = true } }

    /// How many lines are kept.
    var waiting: Int { state.withLock { $0.lines.count } }

    /// Writes the lines that are kept, with one call.
    func flush() { state.withLock { write(&$0) } }

    private func log(_ level: LogLevel, _ message: () -> String, _ file: String, _ line: Int) {
        log(level, at: nil, writing: { $0.append(text: message()) }, file, line)
    }

    private func log(
        _ level: LogLevel, at time: timespec?, writing message: (inout [UInt8]) -> Void, _ file: String, _ line: Int
    ) {
        let isFirst = pthread_self() == first
        state.withLock { state in
            guard level <= state.level, state.module.map({ Self.module(file).hasPrefix($0) }) ?? true else { return }
            // The lines before are the first thread's.
            if !isFirst { write(&state) }
            message(&state.messages)
            state.lines.append(
                Line(time: time ?? LogClock.now, level: level, file: file, number: line, end: state.messages.count))
            if !state.gathers || !isFirst || level <= .warn || state.messages.count > Self.mostKept / 4 {
                write(&state, thread: isFirst ? "main" : threadName)
            }
        }
    }

    private func write(_ state: inout State, thread: String = "main") {
        guard !state.lines.isEmpty else { return }
        var start = 0
        for line in state.lines {
            state.clock.append(line.time, to: &state.text)
            state.text.append(" [")
            state.text.append(text: id)
            state.text.append(UInt8(ascii: ":"))
            state.text.append(text: thread)
            if state.showsLevel { state.text.append(text: ":\(line.level.name)") }
            if state.showsOrigin { state.text.append(text: ":\(line.file):\(line.number)") }
            state.text.append("] ")
            state.text += state.messages[start..<line.end]
            state.text.append(UInt8(ascii: "\n"))
            start = line.end
        }
        let number = Self.number(state.target)
        let count = state.text.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
        if count != state.text.count { state.missed += UInt64(state.lines.count) }
        state.lines.removeAll(keepingCapacity: true)
        Self.empty(&state.messages)
        Self.empty(&state.text)
    }

    private static func empty(_ bytes: inout [UInt8]) {
        if bytes.capacity > mostKept { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
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
    private var threadName: String {
        guard let name = try? readText("/proc/thread-self/comm") else { return "-" }
        return String(name.dropLast())
    }
}

/// Opens a file or a named pipe for lines. A pipe whose reader is slow must not stop the monitor, so nothing waits.
func openForLines(_ path: String) throws(SystemError) -> Descriptor {
    // Read and write: a pipe may have no reader yet.
    try Descriptor.open(path, [.readWrite, .create, .nonBlocking, .append], mode: 0o666)
}
