extension Entropy {
    private static let version: UInt32 = 0x564e_0001

    /// Nothing of a driver stays with the device between two buffers.
    public func save() -> [UInt8] { StateEncoder(version: Entropy.version).bytes }

    public func restore(_ bytes: [UInt8]) throws(StateError) {
        try StateDecoder(bytes, version: Entropy.version).finish()
    }
}
