import CLinux
import Linux

/// What a cgroup's processes are, all together; `cgroup.events`.
public struct CgroupEvents: Hashable, Sendable {
    /// Whether a living process is in the cgroup or below it.
    public var isPopulated: Bool
    /// Whether all of them stand still.
    public var isFrozen: Bool
}

/// An interface file that tells of its changes: `cgroup.events`, `memory.events`, `pids.events` and the like.
public struct InterfaceWatch: ~Copyable, Sendable {
    /// Has an exceptional condition (`POLLPRI`, `Readiness.priority`) when the file changed since the last
    /// ``read()``: for an event loop of the caller's.
    public let descriptor: Descriptor

    let path: String
    let file: String

    /// What the file says now.
    ///
    /// - Throws: `ENODEV` when the cgroup was removed.
    public func read() throws(CgroupError) -> Counters {
        let number = descriptor.rawValue
        var failure: CgroupError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            do throws(SystemError) {
                count = try systemCall("") { unsafe pread(number, buffer.baseAddress, 4096, 0) }
            } catch {
                failure = CgroupError(
                    .read, path: path, file: file, cause: .kernel(error.errno),
                    hint: error.errno == .noSuchDevice ? "the cgroup was removed" : nil)
            }
        }
        if let failure { throw failure }
        return Counters(bytes)
    }

    /// Waits until the file changes.
    ///
    /// - Parameter timeoutMilliseconds: -1 waits for ever.
    /// - Returns: whether it changed, or its cgroup went, since the last ``read()``.
    public func waitForChange(timeoutMilliseconds: CInt = -1) throws(CgroupError) -> Bool {
        do throws(SystemError) { return try pollPriority(descriptor, timeoutMilliseconds) } catch {
            throw CgroupError(.watch, path: path, file: file, cause: .kernel(error.errno))
        }
    }
}

func pollPriority(_ descriptor: borrowing Descriptor, _ timeoutMilliseconds: CInt) throws(SystemError) -> Bool {
    var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLPRI), revents: 0)
    return try systemCall("poll") { unsafe poll(&entry, 1, timeoutMilliseconds) } == 1
}

extension Cgroup {
    /// Whether processes are in this cgroup or below, and whether they stand still; `cgroup.events`.
    public func events() throws(CgroupError) -> CgroupEvents { CgroupEvents(try counters("cgroup.events")) }

    /// Watches an interface file for changes.
    public func watch(_ file: String = "cgroup.events") throws(CgroupError) -> InterfaceWatch {
        let number = unsafe bh_openat(directory.rawValue, file, O_RDONLY | O_CLOEXEC, 0)
        if number < 0 { throw explained(.watch, file, .current) }
        return InterfaceWatch(descriptor: Descriptor(owning: number), path: path, file: file)
    }

    /// Waits until no living process is in this cgroup or below it.
    ///
    /// - Parameter timeoutMilliseconds: -1 waits for ever.
    /// - Returns: whether it is empty.
    public func waitUntilEmpty(timeoutMilliseconds: CInt = -1) throws(CgroupError) -> Bool {
        try wait(Deadline(milliseconds: timeoutMilliseconds)) { !$0.isPopulated }
    }

    /// Waits on `cgroup.events`; the kernel wakes the caller, nothing is polled for.
    func wait(_ deadline: Deadline, until reached: (CgroupEvents) -> Bool) throws(CgroupError) -> Bool {
        let watch = try watch()
        while true {
            if reached(CgroupEvents(try watch.read())) { return true }
            let left = deadline.milliseconds
            if left == 0 { return false }
            _ = try watch.waitForChange(timeoutMilliseconds: left)
        }
    }
}

extension CgroupEvents {
    init(_ counters: Counters) {
        self.init(isPopulated: counters["populated"] == 1, isFrozen: counters["frozen"] == 1)
    }
}

/// A point in time up to which to wait.
struct Deadline {
    /// Milliseconds of the monotonic clock; nil is never.
    private let end: Int64?

    init(milliseconds: CInt) { end = milliseconds < 0 ? nil : Self.now + Int64(milliseconds) }

    /// What is left, -1 for ever.
    var milliseconds: CInt {
        guard let end else { return -1 }
        return CInt(Swift.max(0, Swift.min(end - Self.now, Int64(CInt.max))))
    }

    private static var now: Int64 {
        var time = timespec()
        // glibc's function is out of sight; a wait of milliseconds does not miss the vDSO.
        unsafe withUnsafeMutablePointer(to: &time) {
            _ = bh_syscall3(CLong(SYS_clock_gettime), 1, CLong(bitPattern: $0), 0)
        }
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
