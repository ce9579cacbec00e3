import GuestMemory

/// What a guest says of its memory; virtio 1.2, section 5.5.6.3. Each value is nil where the guest left it out.
public struct BalloonStatistics: Hashable, Sendable {
    /// What a value is about; `VIRTIO_BALLOON_S_*`. A number newer than this library survives.
    public struct Tag: RawRepresentable, Hashable, Sendable {
        public let rawValue: UInt16
        @inlinable
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// Bytes read from swap.
        public static let swapIn = Tag(rawValue: 0)
        /// Bytes written to swap.
        public static let swapOut = Tag(rawValue: 1)
        public static let majorFaults = Tag(rawValue: 2)
        public static let minorFaults = Tag(rawValue: 3)
        /// Bytes used for nothing.
        public static let free = Tag(rawValue: 4)
        /// Bytes in all.
        public static let total = Tag(rawValue: 5)
        /// Bytes that new programs could have without swapping.
        public static let available = Tag(rawValue: 6)
        /// Bytes of the file system's caches.
        public static let diskCaches = Tag(rawValue: 7)
        public static let hugePageAllocations = Tag(rawValue: 8)
        public static let hugePageFailures = Tag(rawValue: 9)
    }

    /// Tag and value, each tag once.
    public private(set) var values: [Tag: UInt64] = [:]

    /// The most values that are looked at.
    private static let most = 64

    public subscript(tag: Tag) -> UInt64? { values[tag] }

    init(_ reader: inout ChainReader) {
        for _ in 0..<BalloonStatistics.most {
            guard let tag = reader.read(UInt16.self), let value = reader.read(UInt64.self) else { return }
            values[Tag(rawValue: tag)] = value
        }
    }
}
