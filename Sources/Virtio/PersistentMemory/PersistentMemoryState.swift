extension PersistentMemory {
    private static let version: UInt32 = 0x564d_5001

    public func save() -> [UInt8] {
        var encoder = StateEncoder(version: PersistentMemory.version)
        encoder.write(place)
        encoder.write(file.size)
        return encoder.bytes
    }

    public func restore(_ bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: PersistentMemory.version)
        let saved: UInt64 = try decoder.read()
        let size: UInt64 = try decoder.read()
        try decoder.finish()
        guard saved % MappedFile.alignment == 0 else { throw .malformed("persistent memory at \(saved)") }
        guard size == file.size else {
            throw .mismatch("persistent memory of \(file.size) bytes instead of \(size)")
        }
        place = saved
    }
}
