extension VhostUserBlock {
    /// `struct virtio_blk_config`, as the backend tells it but for the number of queues; section 5.2.4.
    public func configuration() -> [UInt8] {
        var space = frontend.configuration
        let count = UInt16(queueSizes.count)
        (space[34], space[35]) = (UInt8(count & 0xff), UInt8(count >> 8))
        return space
    }
}
