extension Vsock {
    /// `struct virtio_vsock_config`: the guest's CID; section 5.10.4.
    public func configuration() -> [UInt8] {
        var space = ConfigurationSpace(size: 8)
        space.set(cid, at: 0)
        return space.bytes
    }
}
