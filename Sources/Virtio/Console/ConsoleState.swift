extension Console {
    private static let version: UInt32 = 0x5643_0001

    /// Which ports the driver knows and has open, and the messages it has not taken.
    public func save() -> [UInt8] {
        var encoder = StateEncoder(version: Console.version)
        encoder.write(UInt16(ports.count))
        encoder.write(isDriverReady)
        for port in ports {
            encoder.write(port.isReady)
            encoder.write(port.isOpen)
        }
        encoder.write(UInt16(messages.count))
        for message in messages {
            encoder.write(UInt16(message.port))
            encoder.write(message.event.rawValue)
            encoder.write(message.value)
            encoder.write(message.tail)
        }
        return encoder.bytes
    }

    public func restore(_ bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: Console.version)
        let count: UInt16 = try decoder.read()
        guard Int(count) == ports.count else { throw .mismatch("\(ports.count) ports instead of \(count)") }
        let wasReady = try decoder.readFlag()
        var flags: [(isReady: Bool, isOpen: Bool)] = []
        for _ in ports { flags.append((try decoder.readFlag(), try decoder.readFlag())) }
        var waiting: [ConsoleMessage] = []
        let messageCount: UInt16 = try decoder.read()
        for _ in 0..<messageCount {
            let (port, number): (UInt16, UInt16) = (try decoder.read(), try decoder.read())
            guard port < count, let event = ConsoleMessage.Event(rawValue: number) else {
                throw .malformed("a message of kind \(number) about port \(port)")
            }
            let value: UInt16 = try decoder.read()
            waiting.append(ConsoleMessage(port: Int(port), event, value, tail: try decoder.readBlock()))
        }
        try decoder.finish()
        isDriverReady = wasReady
        for (port, flags) in zip(ports, flags) { (port.isReady, port.isOpen) = flags }
        messages = []
        for message in waiting { post(message) }
    }
}
