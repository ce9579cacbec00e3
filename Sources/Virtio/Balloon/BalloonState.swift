extension Balloon {
    private static let version: UInt32 = 0x5642_4101

    /// What was asked of the guest and what it said. The guest's pages are its memory's business.
    public func save() -> [UInt8] {
        var encoder = StateEncoder(version: Balloon.version)
        encoder.write(targetPages)
        encoder.write(actualPages)
        encoder.write(interval)
        encoder.write(hostCommand)
        encoder.write(guestCommand)
        encoder.write(lastCommand)
        let number: UInt8 =
            switch hinting {
            case .idle: 0
            case .requested: 1
            case .running: 2
            case .finished: 3
            }
        encoder.write(number)
        return encoder.bytes
    }

    public func restore(_ bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: Balloon.version)
        let (target, actual, seconds): (UInt32, UInt32, UInt32) = (
            try decoder.read(), try decoder.read(), try decoder.read()
        )
        let (ours, theirs, last): (UInt32, UInt32, UInt32) = (
            try decoder.read(), try decoder.read(), try decoder.read()
        )
        let number: UInt8 = try decoder.read()
        try decoder.finish()
        guard number < 4 else { throw .malformed("a search for free pages in state \(number)") }
        // The first search has the number behind DONE.
        guard last >= Balloon.doneCommand else { throw .malformed("a search for free pages of number \(last)") }
        (targetPages, actualPages, interval) = (target, actual, seconds)
        (hostCommand, guestCommand, lastCommand) = (ours, theirs, last)
        hinting = [.idle, .requested, .running, .finished][Int(number)]
    }
}
