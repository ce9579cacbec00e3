extension PersistentMemory {
    /// `struct virtio_pmem_config`; section 5.19.4.
    public func configuration() -> [UInt8] {
        var space = ConfigurationSpace(size: 16)
        space.set(place, at: 0)
        space.set(file.size, at: 8)
        return space.bytes
    }
}
