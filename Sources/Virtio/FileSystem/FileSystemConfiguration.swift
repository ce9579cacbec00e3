extension FileSystem {
    /// `struct virtio_fs_config`; section 5.11.4. The tag is padded with NULs, and has none where it fills its place.
    public func configuration() -> [UInt8] {
        var space = ConfigurationSpace(size: 40)
        for (index, byte) in tag.utf8.enumerated() { space.set(byte, at: index) }
        space.set(UInt32(options.requestQueues), at: FileSystem.longestTag)
        return space.bytes
    }
}
