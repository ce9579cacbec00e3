import Linux

/// Memory of the guest's that is a file of the host's: the guest reads and writes it without a request, and asks only for
/// what it wrote to be on the medium; virtio 1.2, section 5.19.
///
/// Whoever gives the device its place in the guest's memory says where that is, ``address``, and shows ``file`` there.
public final class PersistentMemory: Device, @unchecked Sendable {
    public let type = DeviceType.persistentMemory
    public let offered: Features = []
    public let queueSizes: [UInt16]
    public let lock = DeviceLock()
    /// What the guest sees.
    public let file: MappedFile

    // Guarded by the lock.
    var place: UInt64 = 0
    var host: DeviceHost?
    let throttle: Throttle
    let chain = DescriptorChain()
    var counted = PersistentMemoryCounts()

    /// - Parameters:
    ///   - file: what the guest sees.
    ///   - queueSize: the most requests the driver may have out.
    ///   - limit: how often the guest may flush; each flush counts as many bytes as the file has.
    public init(_ file: MappedFile, queueSize: UInt16 = 64, limit: RateLimiter = RateLimiter()) throws(SystemError) {
        queueSizes = [queueSize]
        throttle = try Throttle(limit)
        self.file = file
    }

    /// Where the guest sees it: a multiple of ``MappedFile/alignment``. A saved device has it again after its state is
    /// taken up.
    public var address: UInt64 {
        get { lock.locked { place } }
        set {
            precondition(newValue % MappedFile.alignment == 0, "a place for persistent memory is aligned")
            lock.locked { place = newValue }
        }
    }

    /// Other limits from now on.
    public func setLimit(_ limit: RateLimiter) { lock.locked { throttle.replace(limit) } }
}
