import Linux

/// A source of random bytes: the host kernel's, `getrandom(2)`; virtio 1.2, section 5.4.
public final class Entropy: Device, @unchecked Sendable {
    public let type = DeviceType.entropy
    public let offered: Features = []
    public let queueSizes: [UInt16]
    public let lock = DeviceLock()

    // Guarded by the lock.
    var host: DeviceHost?
    let throttle: Throttle
    let chain = DescriptorChain()
    var counted = EntropyCounts()

    /// - Parameters:
    ///   - queueSize: the most buffers the driver may have out.
    ///   - limit: how many bytes a guest gets in a time.
    public init(queueSize: UInt16 = 64, limit: RateLimiter = RateLimiter()) throws(SystemError) {
        queueSizes = [queueSize]
        throttle = try Throttle(limit)
    }

    /// Other limits from now on.
    public func setLimit(_ limit: RateLimiter) { lock.locked { throttle.replace(limit) } }
}
