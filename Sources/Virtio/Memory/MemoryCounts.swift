/// What a memory device did since it was made.
public struct MemoryCounts: Hashable, Sendable {
    /// Notifications of the driver's.
    public var notifications: UInt64 = 0
    /// Requests to plug blocks, those of them that were not done, and the bytes that were plugged.
    public var plugs: UInt64 = 0
    public var failedPlugs: UInt64 = 0
    public var pluggedBytes: UInt64 = 0
    /// Requests to unplug blocks, those of them that were not done, and the bytes that were unplugged.
    public var unplugs: UInt64 = 0
    public var failedUnplugs: UInt64 = 0
    public var unpluggedBytes: UInt64 = 0
    /// How often the host did not take back the pages of blocks that went.
    public var failedDiscards: UInt64 = 0
    /// Requests to unplug all, and those that were not done.
    public var unplugAlls: UInt64 = 0
    public var failedUnplugAlls: UInt64 = 0
    /// Questions for blocks' state, and those that had no answer.
    public var questions: UInt64 = 0
    public var failedQuestions: UInt64 = 0

    public init() {}
}

extension Memory {
    public var counts: MemoryCounts { lock.locked { counted } }
}
