import CLaunch
import CLinux
import Linux

/// A child that runs, or has run, its plan.
///
/// Dropping the value does not end the process; but a child that still waits for this parent ends by itself once the
/// parent's side of the channel is closed.
public struct LaunchedProcess: ~Copyable, Sendable {
    /// Its id in the caller's pid namespace.
    public let pid: pid_t
    public let process: ProcessDescriptor

    /// Why `CLONE_INTO_CGROUP` was refused, where it was: the parent then moved the process itself.
    public let cgroupRefusal: Errno?

    private let channel: Descriptor
    private let operations: [Operation]
    private let trace: SharedMemory?
    private let hookInput: SharedMemory?

    init(
        pid: pid_t, process: consuming ProcessDescriptor, cgroupRefusal: Errno?, channel: consuming Descriptor,
        operations: [Operation], trace: consuming SharedMemory?, hookInput: consuming SharedMemory?
    ) {
        self.pid = pid
        self.process = process
        self.cgroupRefusal = cgroupRefusal
        self.channel = channel
        self.operations = operations
        self.trace = trace
        self.hookInput = hookInput
    }

    /// What the child has come to.
    public enum Progress: Hashable, Sendable {
        /// It waits at a sync point.
        case reached(SyncPoint)
        /// It waits for its start (``Operation/awaitStart(on:)``).
        case readyToStart
        /// Its program runs, or its plan has ended.
        case executed
    }

    /// Waits for the child's next word.
    ///
    /// - Throws: what it failed at. The child has then ended and been reaped.
    @discardableResult
    public func next() throws(LaunchError) -> Progress {
        var descriptor: Descriptor?
        return try next(receiving: &descriptor)
    }

    /// The same, with the descriptor that came along with a ``Operation/synchronize(_:sending:)``.
    public func next(receiving descriptor: inout Descriptor?) throws(LaunchError) -> Progress {
        do throws(LaunchError) {
            return try readProgress(channel, receiving: &descriptor) { index in
                operations.indices.contains(index) ? .operation(index: index, operations[index]) : nil
            }
        } catch {
            // It said its last word and exits: nothing of it may stay.
            _ = try? process.wait()
            throw error
        }
    }

    /// Lets a child that waits at a sync point go on.
    public func proceed() throws(SystemError) {
        try channel.write([1])
    }

    /// Lets the child run through every sync point on its way until its program runs.
    public func waitUntilExecuted() throws(LaunchError) {
        while true {
            switch try next() {
            case .executed, .readyToStart: return
            case .reached:
                do throws(SystemError) { try proceed() } catch { throw LaunchError(error) }
            }
        }
    }

    /// Sets what hooks that run from here on read from their standard input; at most 256 KiB less 16 bytes.
    public func setHookInput(_ bytes: [UInt8]) throws(SystemError) {
        try hookInput?.store(bytes)
    }

    /// Waits until the process has ended, reaps it, and says how it ended.
    public func wait() throws(SystemError) -> ExitStatus { try process.wait() }

    /// The time each operation took, in nanoseconds, as far as the child has come; empty without
    /// ``LaunchPlan/isTraced``.
    public func times() -> [UInt64] {
        guard let start = unsafe trace?.address() else { return [] }
        let stamps = unsafe start.assumingMemoryBound(to: UInt64.self)
        var result: [UInt64] = []
        for index in 1...operations.count {
            let (stamp, before) = unsafe (stamps[index], stamps[index - 1])
            guard stamp != 0 else { break }
            result.append(stamp - before)
        }
        return result
    }
}

extension SharedMemory {
    func store(_ bytes: [UInt8]) throws(SystemError) {
        guard bytes.count <= HookInput.capacity else {
            throw SystemError(
                "hand \(bytes.count) bytes to hooks", Errno(rawValue: E2BIG), hint: "at most \(HookInput.capacity)")
        }
        unsafe start.storeBytes(of: UInt32(bytes.count), as: UInt32.self)
        unsafe bytes.withUnsafeBytes {
            if let source = $0.baseAddress {
                unsafe (start + HookInput.textOffset).copyMemory(from: source, byteCount: $0.count)
            }
        }
    }
}

/// Reads one report of a child's.
func readProgress(
    _ channel: borrowing Descriptor, receiving descriptor: inout Descriptor?,
    stage: (Int) -> LaunchError.Stage?
) throws(LaunchError) -> LaunchedProcess.Progress {
    var report = bh_report()
    var received: CInt = -1
    let number = channel.rawValue
    let count: Int
    do throws(SystemError) {
        count = try systemCall("read the child's report") {
            unsafe bh_receive_descriptor(number, &report, MemoryLayout<bh_report>.size, &received)
        }
    } catch { throw LaunchError(error) }
    if received >= 0 { descriptor = Descriptor(owning: received) }
    if count == 0 { return .executed }
    guard count == MemoryLayout<bh_report>.size else {
        throw LaunchError(.parent("read the child's report"), .ioError, detail: "\(count) bytes")
    }
    if report.kind == BH_REACHED.rawValue {
        return report.value < 0 ? .readyToStart : .reached(SyncPoint(rawValue: report.value))
    }
    let text = unsafe withUnsafeBytes(of: &report.text) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    let index = Int(report.operation)
    var detail = text
    var place = stage(index)
    if let newline = text.firstIndex(of: "\n") {
        detail = String(text[text.index(after: newline)...])
        if place == nil { place = .described(index: index, String(text[..<newline])) }
    }
    throw LaunchError(
        place ?? .described(index: index, "an unnamed step"), Errno(rawValue: report.error),
        detail: detail.isEmpty ? nil : detail, hookStatus: report.value == 0 ? nil : report.value)
}
