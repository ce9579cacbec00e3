/// What a vsock device did since it was made.
public struct VsockCounts: Hashable, Sendable {
    /// Packets to the guest, and the bytes of its sockets in them.
    public var received: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    /// Packets from the guest, and the bytes of its sockets in them.
    public var sent: UInt64 = 0
    public var sentBytes: UInt64 = 0
    /// How often a program of the host's did not take what the guest sent it, at once or later, and lost its connection.
    public var failedWrites: UInt64 = 0
    public var failedFlushes: UInt64 = 0
    /// How often the driver notified of either queue, or was looked after in its stead.
    public var receiveNotifications: UInt64 = 0
    public var transmitNotifications: UInt64 = 0
    /// Connections that came, from either side, and those that went.
    public var added: UInt64 = 0
    public var removed: UInt64 = 0
    /// Connections that were given up, as their other end did not answer in time.
    public var killed: UInt64 = 0

    public init() {}
}

extension Vsock {
    public var counts: VsockCounts { lock.locked { counted } }
}
