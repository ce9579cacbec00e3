import CLinux
import Linux

/// A resource whose shortage the kernel measures; `Documentation/accounting/psi.rst`.
public struct PressureResource: RawRepresentable, Hashable, Sendable {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let cpu = PressureResource(rawValue: "cpu")
    public static let memory = PressureResource(rawValue: "memory")
    public static let io = PressureResource(rawValue: "io")
    public static let irq = PressureResource(rawValue: "irq")

    var file: String { "\(rawValue).pressure" }
}

/// How much time was lost to waiting for a resource.
public struct Pressure: Hashable, Sendable {
    /// A share of time, in three averages, and its sum.
    public struct Share: Hashable, Sendable {
        /// Percent of the last 10 s.
        public var average10: Double
        /// Percent of the last 60 s.
        public var average60: Double
        /// Percent of the last 300 s.
        public var average300: Double
        /// Microseconds since the cgroup was made.
        public var totalMicroseconds: UInt64
    }

    /// Time in which at least one task waited; `irq` has none.
    public var some: Share?
    /// Time in which every task waited.
    public var full: Share?

    init(_ lines: [NestedLine]) {
        for line in lines {
            let share = Share(
                average10: line["avg10"].flatMap { Double($0) } ?? 0,
                average60: line["avg60"].flatMap { Double($0) } ?? 0,
                average300: line["avg300"].flatMap { Double($0) } ?? 0,
                totalMicroseconds: line.number("total") ?? 0)
            if line.key == "some" { some = share }
            if line.key == "full" { full = share }
        }
    }
}

/// Wakes who waits on it when a resource was short for too long within a window.
///
/// It lasts as long as this value, or until the cgroup goes.
public struct PressureTrigger: ~Copyable, Sendable {
    /// Has an exceptional condition (`POLLPRI`) each time the threshold was passed, at most once a window, and an
    /// error when the cgroup went.
    public let descriptor: Descriptor
    let path: String
    let file: String

    /// Waits for the threshold to be passed.
    ///
    /// - Parameter timeoutMilliseconds: -1 waits for ever.
    /// - Returns: whether it was.
    /// - Throws: `ENODEV` when the cgroup was removed.
    public func wait(timeoutMilliseconds: CInt = -1) throws(CgroupError) -> Bool {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLPRI), revents: 0)
        do throws(SystemError) {
            let count = try systemCall("") { unsafe poll(&entry, 1, timeoutMilliseconds) }
            if count == 1, entry.revents & Int16(POLLERR) == 0 { return true }
            if count == 0 { return false }
        } catch { throw CgroupError(.watch, path: path, file: file, cause: .kernel(error.errno)) }
        throw CgroupError(
            .watch, path: path, file: file, cause: .kernel(.noSuchDevice), hint: "the cgroup was removed")
    }
}

extension Cgroup {
    /// How short a resource is for this cgroup's processes.
    ///
    /// - Throws: `EOPNOTSUPP` or `ENOENT` when the kernel does not measure it.
    public func pressure(_ resource: PressureResource) throws(CgroupError) -> Pressure {
        Pressure(try nestedLines(resource.file))
    }

    /// Asks to be woken when tasks waited for a resource longer than a threshold within a window.
    ///
    /// - Parameters:
    ///   - resource: what tasks wait for.
    ///   - full: counts only time in which every task waited, rather than at least one.
    ///   - thresholdMicroseconds: at most the window.
    ///   - windowMicroseconds: 500,000 to 10,000,000; a multiple of 2,000,000 for callers without `CAP_SYS_RESOURCE`.
    public func pressureTrigger(
        _ resource: PressureResource, full: Bool = false, thresholdMicroseconds: UInt64, windowMicroseconds: UInt64
    ) throws(CgroupError) -> PressureTrigger {
        let file = resource.file
        let request = "\(full ? "full" : "some") \(thresholdMicroseconds) \(windowMicroseconds)"
        let number = unsafe bh_openat(directory.rawValue, file, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0)
        if number < 0 { throw explained(.watch, file, .current) }
        let opened = Descriptor(owning: number)
        do throws(SystemError) {
            // The kernel takes the last byte for the text's end.
            try opened.write(request + "\0")
        } catch { throw explained(.write(request), file, error.errno) }
        return PressureTrigger(descriptor: opened, path: path, file: file)
    }
}
