extension Features {
    /// Of a network card; virtio 1.2, section 5.1.3.
    public enum Network {
        /// `VIRTIO_NET_F_CSUM`
        public static let checksum = Features(bit: 0)
        /// `VIRTIO_NET_F_GUEST_CSUM`
        public static let guestChecksum = Features(bit: 1)
        /// `VIRTIO_NET_F_CTRL_GUEST_OFFLOADS`
        public static let controlOffloads = Features(bit: 2)
        /// `VIRTIO_NET_F_MTU`
        public static let mtu = Features(bit: 3)
        /// `VIRTIO_NET_F_MAC`
        public static let address = Features(bit: 5)
        /// `VIRTIO_NET_F_GUEST_TSO4`
        public static let guestSegmentationV4 = Features(bit: 7)
        /// `VIRTIO_NET_F_GUEST_TSO6`
        public static let guestSegmentationV6 = Features(bit: 8)
        /// `VIRTIO_NET_F_GUEST_ECN`
        public static let guestCongestion = Features(bit: 9)
        /// `VIRTIO_NET_F_GUEST_UFO`
        public static let guestUDPFragmentation = Features(bit: 10)
        /// `VIRTIO_NET_F_HOST_TSO4`
        public static let hostSegmentationV4 = Features(bit: 11)
        /// `VIRTIO_NET_F_HOST_TSO6`
        public static let hostSegmentationV6 = Features(bit: 12)
        /// `VIRTIO_NET_F_HOST_ECN`
        public static let hostCongestion = Features(bit: 13)
        /// `VIRTIO_NET_F_HOST_UFO`
        public static let hostUDPFragmentation = Features(bit: 14)
        /// `VIRTIO_NET_F_MRG_RXBUF`
        public static let mergeableBuffers = Features(bit: 15)
        /// `VIRTIO_NET_F_STATUS`
        public static let status = Features(bit: 16)
        /// `VIRTIO_NET_F_CTRL_VQ`
        public static let control = Features(bit: 17)
        /// `VIRTIO_NET_F_MQ`
        public static let multiQueue = Features(bit: 22)

        /// What a driver can take in frames it receives.
        static let guestOffloads: Features = [
            guestChecksum, guestSegmentationV4, guestSegmentationV6, guestCongestion, guestUDPFragmentation,
        ]
        /// What the device can take in frames it sends.
        static let hostOffloads: Features = [
            checksum, hostSegmentationV4, hostSegmentationV6, hostCongestion, hostUDPFragmentation,
        ]
        /// What each feature needs; section 5.1.3.1. One of the second set is enough.
        static let needs: [(Features, Features)] = [
            (guestSegmentationV4, guestChecksum), (guestSegmentationV6, guestChecksum),
            (guestUDPFragmentation, guestChecksum), (guestCongestion, [guestSegmentationV4, guestSegmentationV6]),
            (hostSegmentationV4, checksum), (hostSegmentationV6, checksum), (hostUDPFragmentation, checksum),
            (hostCongestion, [hostSegmentationV4, hostSegmentationV6]), (multiQueue, control),
            (controlOffloads, control),
        ]
    }
}

extension Network {
    public func accepts(_ features: Features) -> Bool {
        Features.Network.needs.allSatisfy { feature, needed in
            !features.contains(feature) || !features.isDisjoint(with: needed)
        }
    }

    /// `struct virtio_net_config`; section 5.1.4.
    public func configuration() -> [UInt8] {
        var space = ConfigurationSpace(size: 12)
        for (index, byte) in (options.address ?? []).enumerated() { space.set(byte, at: index) }
        space.set(UInt16(isLinkUp && pairs[0].cable.isConnected ? 1 : 0), at: 6)
        space.set(UInt16(pairs.count), at: 8)
        space.set(options.mtu ?? 0, at: 10)
        return space.bytes
    }
}
