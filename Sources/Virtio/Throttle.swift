import Linux

/// A rate limiter with the timer that ends its waits: a device asks before each request, and goes on when the timer
/// fires.
///
/// It belongs to its device's lock, as a ``Virtqueue`` does. Without a limit a question is two comparisons.
final class Throttle {
    @safe @exclusivity(unchecked) private var limiter: RateLimiter
    private let timer: Timer
    @safe @exclusivity(unchecked) private(set) var isWaiting = false

    init(_ limiter: RateLimiter) throws(SystemError) {
        self.limiter = limiter
        timer = try Timer()
    }

    /// Takes what a request costs.
    ///
    /// - Returns: false where it has to wait; the timer is set then.
    func admits(bytes: Int) -> Bool {
        if limiter.isUnlimited { return true }
        if isWaiting { return false }
        let wait = limiter.take(bytes: UInt64(clamping: bytes), now: Timer.now)
        if wait == 0 { return true }
        isWaiting = true
        timer.set(after: wait)
        return false
    }

    /// Takes bytes that passed already.
    func charge(bytes: Int) { limiter.charge(bytes: UInt64(clamping: bytes)) }

    /// Gives back what a request cost that did not happen.
    func giveBack(bytes: Int) { limiter.giveBack(bytes: UInt64(clamping: bytes)) }

    /// The timer fired.
    func wake() {
        timer.acknowledge()
        isWaiting = false
    }

    /// Other limits from now on; who waits under the old ones asks the new ones at once.
    func replace(_ limiter: RateLimiter) {
        self.limiter = limiter
        if isWaiting { timer.set(after: 1) }
    }

    func watch(_ host: DeviceHost, token: UInt32) throws(DeviceFault) {
        try host.watch(timer.descriptor, for: .readable, token: token)
    }

    func unwatch(_ host: DeviceHost) {
        host.unwatch(timer.descriptor)
        timer.set(after: 0)
        isWaiting = false
    }
}
