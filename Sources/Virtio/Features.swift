/// A device's feature bits, as offered and as negotiated; virtio 1.2, section 2.2. Unknown bits survive.
///
/// The bits below belong to the queues and to the transport; each kind of device adds its own in a namespace of its
/// name, as ``Block``.
public struct Features: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    init(bit: UInt64) { self.init(rawValue: 1 << bit) }

    /// Descriptors may name a table of descriptors; `VIRTIO_F_INDIRECT_DESC`.
    public static let indirectDescriptors = Features(bit: 28)
    /// Both sides say after which entry they want to hear; `VIRTIO_F_EVENT_IDX`.
    public static let eventIndex = Features(bit: 29)
    /// The device keeps to the standard; without it nothing here works. `VIRTIO_F_VERSION_1`.
    public static let version1 = Features(bit: 32)
    /// The device reaches memory through an IOMMU; `VIRTIO_F_ACCESS_PLATFORM`.
    public static let accessPlatform = Features(bit: 33)
    /// Queues have the packed layout; `VIRTIO_F_RING_PACKED`.
    public static let packedRing = Features(bit: 34)
    /// Buffers are used in the order in which they were made available; `VIRTIO_F_IN_ORDER`.
    public static let inOrder = Features(bit: 35)
    /// Memory is ordered by the platform's barriers; `VIRTIO_F_ORDER_PLATFORM`.
    public static let orderPlatform = Features(bit: 36)
    /// A notification tells the queue's position; `VIRTIO_F_NOTIFICATION_DATA`.
    public static let notificationData = Features(bit: 38)
    /// One queue can be reset alone; `VIRTIO_F_RING_RESET`.
    public static let ringReset = Features(bit: 40)

    /// What the queues of this module can do.
    public static let queue: Features = [.indirectDescriptors, .eventIndex, .packedRing, .inOrder]
}
