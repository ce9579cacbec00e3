import CVirtio
import Linux

/// A descriptor that becomes readable when its time has come; `timerfd_create(2)`, monotonic.
struct Timer: ~Copyable {
    let descriptor: Descriptor

    init() throws(SystemError) {
        descriptor = Descriptor(owning: try systemCall("timerfd_create") { bh_timerfd() })
    }

    /// - Parameters:
    ///   - delay: nanoseconds; 0 stops the timer.
    ///   - interval: nanoseconds between later times, 0 for one time only.
    func set(after delay: UInt64, every interval: UInt64 = 0) {
        // It refuses only times that are none.
        _ = bh_timerfd_set(descriptor.rawValue, delay, interval)
    }

    /// Makes the descriptor unreadable until the next time.
    func acknowledge() {
        var count: UInt64 = 0
        unsafe _ = read(descriptor.rawValue, &count, 8)
    }

    /// Nanoseconds since some moment.
    static var now: UInt64 { bh_monotonic() }
}
