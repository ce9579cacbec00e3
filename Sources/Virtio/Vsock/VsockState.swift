extension Vsock {
    private static let version: UInt32 = 0x5656_0001

    /// The guest's address. Connections do not travel: whoever restores the guest tells it so.
    public func save() -> [UInt8] {
        var encoder = StateEncoder(version: Vsock.version)
        encoder.write(cid)
        return encoder.bytes
    }

    public func restore(_ bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: Vsock.version)
        let saved: UInt64 = try decoder.read()
        try decoder.finish()
        guard saved == cid else { throw .mismatch("CID \(cid) instead of \(saved)") }
        owesTransportReset = true
    }
}
