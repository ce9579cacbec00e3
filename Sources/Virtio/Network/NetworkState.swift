extension Network {
    private static let version: UInt32 = 0x564e_4501

    /// What the driver asked for by commands. Frames under way are lost, as frames may be.
    public func save() -> [UInt8] {
        var encoder = StateEncoder(version: Network.version)
        encoder.write(UInt16(pairs.count))
        encoder.write(UInt16(activePairs))
        encoder.write(chosenOffloads != nil)
        encoder.write(chosenOffloads?.rawValue ?? 0)
        encoder.write(isLinkUp)
        return encoder.bytes
    }

    public func restore(_ bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: Network.version)
        let count: UInt16 = try decoder.read()
        let active: UInt16 = try decoder.read()
        let hasChosen = try decoder.readFlag()
        let offloads = Features(rawValue: try decoder.read())
        let wasUp = try decoder.readFlag()
        try decoder.finish()
        guard Int(count) == pairs.count, active > 0, active <= count else {
            throw .mismatch("\(pairs.count) pairs of queues instead of \(count)")
        }
        guard Features.Network.guestOffloads.isSuperset(of: offloads) else { throw .malformed("unknown offloads") }
        activePairs = Int(active)
        chosenOffloads = hasChosen ? offloads : nil
        isLinkUp = wasUp
    }
}
