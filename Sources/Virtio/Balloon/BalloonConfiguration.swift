extension Features {
    /// Of a balloon; virtio 1.2, section 5.5.3.
    public enum Balloon {
        /// `VIRTIO_BALLOON_F_STATS_VQ`
        public static let statistics = Features(bit: 1)
        /// `VIRTIO_BALLOON_F_DEFLATE_ON_OOM`
        public static let deflateOnOOM = Features(bit: 2)
        /// `VIRTIO_BALLOON_F_FREE_PAGE_HINT`
        public static let freePageHint = Features(bit: 3)
        /// `VIRTIO_BALLOON_F_PAGE_REPORTING`
        public static let reporting = Features(bit: 5)
    }
}

extension Balloon {
    private static let actualOffset = 4

    /// `struct virtio_balloon_config`; section 5.5.4.
    public func configuration() -> [UInt8] {
        var space = ConfigurationSpace(size: 16)
        space.set(targetPages, at: 0)
        space.set(actualPages, at: Balloon.actualOffset)
        space.set(hostCommand, at: 8)
        return space.bytes
    }

    /// The driver writes how many pages it gave up; section 5.5.6.1.
    public func writeConfiguration(at offset: Int, _ bytes: [UInt8]) {
        guard offset == Balloon.actualOffset, bytes.count == 4 else { return }
        actualPages = bytes.enumerated().reduce(0) { $0 | UInt32($1.element) << UInt32(8 * $1.offset) }
    }
}
