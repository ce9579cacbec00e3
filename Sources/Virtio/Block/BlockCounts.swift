/// What a disk did since it was made.
public struct BlockCounts: Hashable, Sendable {
    /// Requests that were done, and their bytes.
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    public var flushes: UInt64 = 0
    public var readBytes: UInt64 = 0
    public var writtenBytes: UInt64 = 0
    /// Requests that ended with an error: the host's, or of places that are not on the disk.
    public var failures: UInt64 = 0
    /// Requests of kinds that the disk does not know.
    public var unsupported: UInt64 = 0
    /// How often the driver notified, or was looked after in its stead.
    public var notifications: UInt64 = 0
    /// How often there was no request when the driver had said that there was one.
    public var missingRequests: UInt64 = 0
    /// How often a limit made a request wait, and how often its timer ended that.
    public var throttles: UInt64 = 0
    public var throttleEvents: UInt64 = 0
    /// How often the disk or its limit was changed for another, and how often the host or the disk refused that.
    public var updates: UInt64 = 0
    public var failedUpdates: UInt64 = 0

    public init() {}
}

extension Block {
    public var counts: BlockCounts { lock.locked { counted } }

    func count(_ request: BlockRequest, _ status: Status) {
        switch status {
        case .ioError: counted.failures += 1
        case .unsupported: counted.unsupported += 1
        case .ok where request.hasKind:
            switch request.kind {
            case .read:
                counted.reads += 1
                counted.readBytes += UInt64(request.chain.writableCount - 1)
            case .write:
                counted.writes += 1
                counted.writtenBytes += UInt64(request.chain.readableCount - BlockRequest.headerSize)
            case .flush: counted.flushes += 1
            }
        case .ok: break
        }
    }
}
