import GuestMemory

/// Memory that a guest gets and gives back while it runs, in blocks that it chooses; virtio 1.2, section 5.15.
///
/// The host says how much the guest should have, ``setRequestedSize(_:)``; the driver plugs and unplugs blocks until it has
/// so much, as far as it can. What makes a block usable is the machine's business: ``MemoryBlocks``.
public final class Memory: Device, @unchecked Sendable {
    /// Where the blocks are, and how many.
    public struct Region: Hashable, Sendable {
        /// The first one's address: a multiple of ``blockSize``.
        public var start: GuestAddress
        /// Bytes of all: whole blocks.
        public var size: UInt64
        /// Bytes of one: a power of two.
        public var blockSize: UInt64
        /// The driver may choose among as many blocks as it should have, made up to a multiple of so many bytes: whole
        /// blocks, of which the region is a multiple.
        public var step: UInt64
        /// The proximity domain of ACPI's tables that it belongs to, where they have some.
        public var node: UInt16?

        public init(
            start: GuestAddress, size: UInt64, blockSize: UInt64 = 2 << 20, step: UInt64 = 128 << 20,
            node: UInt16? = nil
        ) {
            self.start = start
            self.size = size
            self.blockSize = blockSize
            self.step = step
            self.node = node
        }

        var blockCount: Int { Int(size / blockSize) }
    }

    public let type = DeviceType.memory
    public let offered: Features
    public let queueSizes: [UInt16]
    public let lock = DeviceLock()
    public let region: Region
    let blocks: any MemoryBlocks

    // Guarded by the lock.
    var host: DeviceHost?
    let chain = DescriptorChain()
    /// Which blocks are plugged.
    var plugged: [Bool]
    var pluggedCount = 0
    /// Bytes that the guest should have, and from the region's start on, those among which it may choose.
    var requested: UInt64 = 0
    var usable: UInt64 = 0
    var counted = MemoryCounts()

    /// No block is plugged at first, and none wanted.
    ///
    /// - Parameters:
    ///   - region: where the blocks are.
    ///   - blocks: what makes them usable.
    ///   - queueSize: the most requests the driver may have out.
    /// - Precondition: the region's sizes are as it says, and it ends within the address space.
    public init(_ region: Region, _ blocks: any MemoryBlocks, queueSize: UInt16 = 64) {
        precondition(
            region.blockSize > 0 && region.blockSize & (region.blockSize - 1) == 0 && region.step > 0
                && region.start.isAligned(to: region.blockSize) && region.size % region.step == 0
                && region.step % region.blockSize == 0 && region.start.advanced(by: region.size) != nil,
            "a region of whole blocks")
        self.region = region
        self.blocks = blocks
        plugged = Array(repeating: false, count: region.blockCount)
        queueSizes = [queueSize]
        offered =
            region.node == nil
            ? Features.Memory.unpluggedInaccessible
            : [Features.Memory.unpluggedInaccessible, Features.Memory.acpiProximity]
    }

    /// How many bytes the guest should have.
    public var requestedSize: UInt64 { lock.locked { requested } }

    /// How many bytes it has.
    public var pluggedSize: UInt64 { lock.locked { pluggedBytes } }

    var pluggedBytes: UInt64 { UInt64(pluggedCount) * region.blockSize }

    /// Why a guest can't have so much.
    public enum SizeError: Error, Hashable, Sendable {
        /// Not a whole number of blocks.
        case notWholeBlocks(blockSize: UInt64)
        /// More than there may be.
        case tooLarge(most: UInt64)
    }

    /// Asks the guest to have so many bytes. It follows as it can; a driver that comes later finds it.
    public func setRequestedSize(_ bytes: UInt64) throws(SizeError) {
        guard bytes % region.blockSize == 0 else { throw .notWholeBlocks(blockSize: region.blockSize) }
        guard bytes <= region.size else { throw .tooLarge(most: region.size) }
        lock.locked {
            guard bytes != requested else { return }
            requested = bytes
            // It never shrinks while something may be plugged there.
            usable = max(usable, usableSize(bytes))
            host?.configurationChanged()
        }
    }

    /// What the driver may choose among where it should have so many bytes.
    func usableSize(_ bytes: UInt64) -> UInt64 { (bytes + region.step - 1) / region.step * region.step }
}

extension Memory.SizeError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notWholeBlocks(let size): "it is no multiple of a block's \(size) bytes"
        case .tooLarge(let most): "there may be \(most) bytes"
        }
    }
}
