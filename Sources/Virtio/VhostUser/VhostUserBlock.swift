import Linux

/// A disk that another process serves: a vhost-user-blk backend. Virtio 1.2, section 5.2, is its affair.
///
/// This process shows it the guest's memory, which has to be one that can be shared, and its queues. From then on the
/// driver notifies the backend and the backend interrupts the driver, without this process. A backend that ends, or does
/// not answer, is a fault of the device: the driver is asked for a reset, and the guest goes on.
public final class VhostUserBlock: Device, @unchecked Sendable {
    public let type = DeviceType.block
    public let offered: Features
    public let queueFeatures: Features
    public let queueSizes: [UInt16]
    public let isServedElsewhere = true
    public let lock = DeviceLock()
    let frontend: VhostUserFrontend

    // Guarded by the lock.
    var host: DeviceHost?
    /// For each queue the next entry to take.
    var bases: [UInt32]
    var counted = VhostUserBlockCounts()

    /// - Parameters:
    ///   - frontend: a connection that no other device has.
    ///   - queueCount: queues, each for a processor of the guest: 1 to 64, and no more than the backend has.
    ///   - queueSize: entries of each queue: a power of two.
    public init(
        _ frontend: VhostUserFrontend, queueCount: UInt16 = 1, queueSize: UInt16 = 256
    ) throws(VhostUserError) {
        precondition((1...64).contains(queueCount), "a disk has 1 to 64 queues")
        guard queueCount <= frontend.queueCount else {
            throw VhostUserError(
                nil, .lacking("\(queueCount) queues are more than the backend has: \(frontend.queueCount)"))
        }
        guard frontend.take() else { throw VhostUserError(nil, .lacking("another device has the connection")) }
        self.frontend = frontend
        offered = frontend.features.intersection(
            queueCount > 1 ? Self.known.union(Features.Block.multiQueue) : Self.known)
        queueFeatures = frontend.features.intersection([.indirectDescriptors, .eventIndex])
        queueSizes = Array(repeating: queueSize, count: Int(queueCount))
        bases = Array(repeating: 0, count: Int(queueCount))
    }

    deinit { frontend.giveBack() }

    /// Features that are an affair of driver and backend alone.
    private static let known: Features = [
        Features.Block.sizeMaximum, Features.Block.segmentMaximum, Features.Block.geometry, Features.Block.readOnly,
        Features.Block.blockSize, Features.Block.flush, Features.Block.topology, Features.Block.discard,
        Features.Block.writeZeroes,
    ]

    /// Whether the backend takes no writes.
    public var isReadOnly: Bool { offered.contains(Features.Block.readOnly) }

    /// Nanoseconds that it took to agree with the backend.
    public var setUpTime: UInt64 { frontend.setUpTime }

    /// Reads the backend's configuration again, such as the disk's size, and tells the driver.
    public func refreshConfiguration() throws(VhostUserError) {
        try lock.locked { () throws(VhostUserError) in
            let begin = Timer.now
            do throws(VhostUserError) { try frontend.refreshConfiguration() } catch {
                counted.configurationFailures += 1
                throw error
            }
            host?.configurationChanged()
            counted.configurationTime = Timer.now - begin
        }
    }
}
