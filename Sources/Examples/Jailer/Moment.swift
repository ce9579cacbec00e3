import Glibc

/// A moment by the two clocks that a monitor is told of, in microseconds.
struct Moment {
    /// Since the host's boot; `CLOCK_MONOTONIC`.
    var wall: UInt64
    /// Of the processor, spent by this process; `CLOCK_PROCESS_CPUTIME_ID`.
    var processor: UInt64

    static var now: Moment {
        Moment(wall: microseconds(CLOCK_MONOTONIC), processor: microseconds(CLOCK_PROCESS_CPUTIME_ID))
    }

    private static func microseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }
}
