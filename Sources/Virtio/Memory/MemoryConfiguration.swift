import GuestMemory

extension Features {
    /// Of a memory device; virtio 1.2, section 5.15.3.
    public enum Memory {
        /// `VIRTIO_MEM_F_ACPI_PXM`
        public static let acpiProximity = Features(bit: 0)
        /// `VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE`
        public static let unpluggedInaccessible = Features(bit: 1)
    }
}

extension Memory {
    /// A driver that would read memory that is not plugged finds none there.
    public func accepts(_ features: Features) -> Bool { features.contains(Features.Memory.unpluggedInaccessible) }

    /// `struct virtio_mem_config`; section 5.15.4.
    public func configuration() -> [UInt8] {
        var space = ConfigurationSpace(size: 56)
        space.set(region.blockSize, at: 0)
        space.set(region.node ?? 0, at: 8)
        space.set(region.start.rawValue, at: 16)
        space.set(region.size, at: 24)
        space.set(usable, at: 32)
        space.set(pluggedBytes, at: 40)
        space.set(requested, at: 48)
        return space.bytes
    }
}
