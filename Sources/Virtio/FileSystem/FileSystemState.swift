extension FileSystem {
    private static let version: UInt32 = 0x5653_0001

    /// The tag, and what the guest knows and has open.
    public func save() -> [UInt8] {
        var encoder = StateEncoder(version: FileSystem.version)
        encoder.write(Array(tag.utf8))
        server.save(into: &encoder)
        return encoder.bytes
    }

    /// A file that is gone since then is no error: the guest hears of it when it uses it.
    ///
    /// - Throws: ``StateError/mismatch(_:)`` for a share of another tag, or where only one is read-only.
    public func restore(_ bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: FileSystem.version)
        let saved = String(decoding: try decoder.readBlock(), as: UTF8.self)
        guard saved == tag else { throw .mismatch("a share with the tag \"\(tag)\" instead of \"\(saved)\"") }
        try server.restore(from: &decoder)
        do throws(StateError) { try decoder.finish() } catch {
            server.reset()
            throw error
        }
    }
}
