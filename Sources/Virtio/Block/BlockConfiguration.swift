extension Features {
    /// Of a block device; virtio 1.2, section 5.2.3.
    public enum Block {
        /// `VIRTIO_BLK_F_SIZE_MAX`
        public static let sizeMaximum = Features(bit: 1)
        /// `VIRTIO_BLK_F_SEG_MAX`
        public static let segmentMaximum = Features(bit: 2)
        /// `VIRTIO_BLK_F_GEOMETRY`
        public static let geometry = Features(bit: 4)
        /// `VIRTIO_BLK_F_RO`
        public static let readOnly = Features(bit: 5)
        /// `VIRTIO_BLK_F_BLK_SIZE`
        public static let blockSize = Features(bit: 6)
        /// `VIRTIO_BLK_F_FLUSH`
        public static let flush = Features(bit: 9)
        /// `VIRTIO_BLK_F_TOPOLOGY`
        public static let topology = Features(bit: 10)
        /// `VIRTIO_BLK_F_CONFIG_WCE`
        public static let configureWriteBack = Features(bit: 11)
        /// `VIRTIO_BLK_F_MQ`
        public static let multiQueue = Features(bit: 12)
        /// `VIRTIO_BLK_F_DISCARD`
        public static let discard = Features(bit: 13)
        /// `VIRTIO_BLK_F_WRITE_ZEROES`
        public static let writeZeroes = Features(bit: 14)
    }
}

extension Block {
    /// Ranges in one discard request.
    static let discardSegments: UInt32 = 4
    /// Sectors in one range to discard: 64 MiB. To free what the host has cached takes as long as to copy it.
    static let discardSectors: UInt32 = 1 << 17
    /// Sectors in one range to zero: 16 MiB, as they may have to be written.
    static let zeroSectors: UInt32 = 1 << 15
    private static let writeBackOffset = 32

    /// `struct virtio_blk_config`; section 5.2.4.
    public func configuration() -> [UInt8] {
        var space = ConfigurationSpace(size: 60)
        space.set(disk.sectors, at: 0)
        // Every request has a header and a status besides.
        space.set(UInt32(max(1, Int(options.queueSize) - 2)), at: 12)
        space.set(UInt32(RawDisk.sectorSize), at: 20)
        // The size of physical blocks as a power of two of logical ones; the sizes of good requests.
        space.set(UInt8((disk.blockSize / UInt32(RawDisk.sectorSize)).trailingZeroBitCount), at: 24)
        space.set(UInt16(disk.blockSize / UInt32(RawDisk.sectorSize)), at: 26)
        space.set(UInt8(isWriteBack ? 1 : 0), at: Block.writeBackOffset)
        space.set(options.queueCount, at: 34)
        if offered.contains(Features.Block.discard) {
            space.set(Block.discardSectors, at: 36)
            space.set(Block.discardSegments, at: 40)
            space.set(disk.blockSize / UInt32(RawDisk.sectorSize), at: 44)
            space.set(Block.zeroSectors, at: 48)
            space.set(UInt32(1), at: 52)
            space.set(UInt8(1), at: 56)
        }
        return space.bytes
    }

    /// Only the cache's mode can be written, and only with the feature.
    public func writeConfiguration(at offset: Int, _ bytes: [UInt8]) {
        guard offset == Block.writeBackOffset, bytes.count == 1, bytes[0] < 2,
            host?.features.contains([Features.Block.configureWriteBack, Features.Block.flush]) == true
        else { return }
        // What was written under the old mode has to be as durable as the new one promises.
        if isWriteBack && bytes[0] == 0 {
            drain()
            guard (try? disk.flush()) != nil else { return }
        }
        isWriteBack = bytes[0] == 1
    }
}
