/// What a network card did since it was made. Bytes have the twelve of a frame's header in them.
public struct NetworkCounts: Hashable, Sendable {
    /// Frames that came over the cable and reached the guest, and their bytes.
    public var received: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    /// Frames of the guest's that went over the cable, and their bytes.
    public var sent: UInt64 = 0
    public var sentBytes: UInt64 = 0
    /// Frames that the host did not take, for other reasons than a full cable.
    public var failedWrites: UInt64 = 0
    /// How often reading from the cable failed, for other reasons than that there was nothing.
    public var failedReads: UInt64 = 0
    /// How often frames for the guest, or a look for some, met no buffer of the guest's, and how often there was no frame of
    /// the guest's when it was looked for.
    public var missingBuffers: UInt64 = 0
    public var missingFrames: UInt64 = 0
    /// Frames of the guest's without their header.
    public var malformed: UInt64 = 0
    /// How often the driver notified of either kind of queue, or was looked after in its stead.
    public var receiveNotifications: UInt64 = 0
    public var transmitNotifications: UInt64 = 0
    /// How often the cable had something to say.
    public var cableEvents: UInt64 = 0
    /// How often a limit made frames wait, and how often its timer ended that.
    public var receiveThrottles: UInt64 = 0
    public var receiveThrottleEvents: UInt64 = 0
    public var transmitThrottles: UInt64 = 0
    public var transmitThrottleEvents: UInt64 = 0

    public init() {}
}

extension Network {
    public var counts: NetworkCounts { lock.locked { counted } }
}
