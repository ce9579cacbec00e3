extension Block {
    private static let version: UInt32 = 0x5642_0001

    /// The size, so that another disk is noticed, and the cache's mode. Requests are all answered.
    public func save() -> [UInt8] {
        var encoder = StateEncoder(version: Block.version)
        encoder.write(disk.sectors)
        encoder.write(isWriteBack)
        return encoder.bytes
    }

    /// - Throws: ``StateError/mismatch(_:)`` for a disk of another size.
    public func restore(_ bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: Block.version)
        let sectors: UInt64 = try decoder.read()
        let saved = try decoder.readFlag()
        try decoder.finish()
        guard sectors == disk.sectors else {
            throw .mismatch("a disk of \(disk.sectors) sectors instead of \(sectors)")
        }
        isWriteBack = saved
    }
}
