import Glibc
import Linux
import Synchronization

/// Notes when the guest says that it is up: it writes the byte 123 to address 0xc0000000, as guests of Firecracker do.
final class BootTimer: BusDevice {
    static let size: UInt64 = 0x1000
    private static let isUp: UInt64 = 123

    private let time = Atomic<UInt64>(0)
    /// Readable after the first such write.
    let event: EventCounter

    init() throws(SystemError) { event = try EventCounter() }

    /// Nanoseconds of the monotonic clock at the first such write; nil before.
    var upSince: UInt64? {
        let value = time.load(ordering: .acquiring)
        return value == 0 ? nil : value
    }

    func read(_ offset: UInt64, width: Int) -> UInt64 { 0 }

    func write(_ offset: UInt64, _ value: UInt64, width: Int) {
        guard offset == 0, value & 0xff == Self.isUp else { return }
        let now = monotonicNanoseconds()
        guard time.compareExchange(expected: 0, desired: now, ordering: .acquiringAndReleasing).exchanged else {
            return
        }
        try? event.add()
    }
}

/// The monotonic clock; `clock_gettime(2)`.
public func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}
