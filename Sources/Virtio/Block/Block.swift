import Linux

/// A disk; virtio 1.2, section 5.2.
public final class Block: Device, @unchecked Sendable {
    /// How bytes move between guest and disk.
    public enum Engine: Hashable, Sendable {
        /// One request after the other, in the loop's thread.
        case synchronous
        /// Many at once; `io_uring(7)`.
        case ioUring
        /// `io_uring` where the host has it and allows it, and the disk's file system can say of a request whether it
        /// would block. Where it can't, the kernel leaves each request to a thread of its own, which takes longer than
        /// the request.
        case automatic
    }

    /// What can be chosen of a disk.
    public struct Options: Hashable, Sendable {
        /// Queues, each for a processor of the guest: 1 to 64.
        public var queueCount: UInt16 = 1
        /// Entries of each queue: a power of two.
        public var queueSize: UInt16 = 256
        /// What the guest reads as the disk's serial number: 20 bytes of it.
        public var serial = ""
        public var engine = Engine.automatic
        public var limit = RateLimiter()
        /// Whether the driver may keep writes in the host's cache until it flushes. Without this each write reaches
        /// the medium before it is answered.
        public var isWriteBack = true
        /// Whether the driver may give blocks back to the host.
        public var allowsDiscard = true

        public init() {}
    }

    public let type = DeviceType.block
    public let offered: Features
    public let queueSizes: [UInt16]
    public let lock = DeviceLock()
    /// The engine in use: never ``Engine/automatic``.
    public let engineInUse: Engine
    let options: Options

    // Guarded by the lock.
    var disk: RawDisk
    let engine: any BlockEngine
    @safe @exclusivity(unchecked) var host: DeviceHost?
    let throttle: Throttle
    /// What the driver chose by the configuration space.
    @safe @exclusivity(unchecked) var isWriteBack: Bool
    /// All requests, by slot, and those that are free.
    @safe @exclusivity(unchecked) var requests: [BlockRequest] = []
    @safe @exclusivity(unchecked) var free: [BlockRequest] = []
    @safe @exclusivity(unchecked) var readyQueues: UInt64 = 0
    /// A request that takes more than one turn; meanwhile no other is begun.
    @safe @exclusivity(unchecked) var large: BlockRequest?
    /// A larger request is done in steps of so many bytes, each in a turn of its own. Linux sends none by itself.
    var step = 4 << 20
    /// Bytes that this turn may still move.
    @safe @exclusivity(unchecked) var bytesLeft = 0
    @safe @exclusivity(unchecked) var counted = BlockCounts()
    @safe @exclusivity(unchecked) var anticipation = Anticipation()

    /// - Throws: what the host answers where the engine asked for is not to be had.
    public init(_ disk: consuming RawDisk, _ options: Options = Options()) throws(SystemError) {
        precondition((1...64).contains(options.queueCount), "a disk has 1 to 64 queues")
        let (queueCount, queueSize) = (options.queueCount, options.queueSize)
        queueSizes = Array(repeating: queueSize, count: Int(queueCount))
        var features: Features = [Features.Block.segmentMaximum, Features.Block.blockSize, Features.Block.topology]
        if disk.isReadOnly { features.insert(Features.Block.readOnly) }
        features.insert(Features.Block.flush)
        if options.isWriteBack { features.insert(Features.Block.configureWriteBack) }
        if queueCount > 1 { features.insert(Features.Block.multiQueue) }
        if options.allowsDiscard && !disk.isReadOnly {
            features.formUnion([Features.Block.discard, Features.Block.writeZeroes])
        }
        offered = features
        switch options.engine {
        case .synchronous:
            engine = SynchronousEngine()
            engineInUse = .synchronous
        case .ioUring:
            engine = try RingEngine(capacity: Int(queueSize) * Int(queueCount))
            engineInUse = .ioUring
        case .automatic:
            if disk.tellsWhatBlocks, let ring = try? RingEngine(capacity: Int(queueSize) * Int(queueCount)) {
                engine = ring
                engineInUse = .ioUring
            } else {
                engine = SynchronousEngine()
                engineInUse = .synchronous
            }
        }
        throttle = try Throttle(options.limit)
        isWriteBack = options.isWriteBack
        self.options = options
        self.disk = disk
    }

    /// The disk's size in bytes, as the driver sees it.
    public var size: UInt64 { lock.locked { disk.sectors * RawDisk.sectorSize } }

    /// Looks at the size of the file again, and tells the driver.
    public func refreshSize() throws(SystemError) {
        try lock.locked { () throws(SystemError) in
            try disk.refresh()
            host?.configurationChanged()
        }
    }

    /// Puts another disk in place; requests under way end on the old one.
    ///
    /// - Throws: `EROFS` where the guest was promised a disk it can write and this is none.
    public func replace(_ disk: consuming RawDisk) throws(SystemError) {
        let old = offered.contains(Features.Block.readOnly)
        guard disk.isReadOnly == old else {
            lock.locked { counted.failedUpdates += 1 }
            throw SystemError("replace the disk", .readOnlyFileSystem, hint: "only one of the two is read-only")
        }
        var new: RawDisk? = consume disk
        lock.locked {
            drain()
            if let disk = new.take() { self.disk = disk }
            counted.updates += 1
            host?.configurationChanged()
        }
    }

    /// Other limits from now on.
    public func setLimit(_ limit: RateLimiter) {
        lock.locked {
            throttle.replace(limit)
            counted.updates += 1
        }
    }
}
