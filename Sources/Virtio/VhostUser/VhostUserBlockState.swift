extension VhostUserBlock {
    /// What the backend has of the driver is not to be had.
    public func save() -> [UInt8] { [] }

    /// - Throws: always.
    public func restore(_ bytes: [UInt8]) throws(StateError) {
        throw .refused("a disk that another process serves can't be saved")
    }
}
