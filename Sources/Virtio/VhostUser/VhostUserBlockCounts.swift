/// What is known of a disk that another process serves: nothing of its requests.
public struct VhostUserBlockCounts: Hashable, Sendable {
    /// How often the backend could not be given the queues, and how often its configuration was not to be had.
    public var activationFailures: UInt64 = 0
    public var configurationFailures: UInt64 = 0
    /// Nanoseconds that these took the last time; 0 where they did not happen.
    public var activationTime: UInt64 = 0
    public var configurationTime: UInt64 = 0

    public init() {}
}

extension VhostUserBlock {
    public var counts: VhostUserBlockCounts { lock.locked { counted } }
}
