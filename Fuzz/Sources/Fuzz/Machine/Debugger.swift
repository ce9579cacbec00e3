@testable import Machines

extension Target {
    /// What a debugger sends.
    static let debugger = [
        Target("gdb") { bytes in
            var decoder = GDBPacketDecoder()
            for byte in bytes {
                guard case .packet(let body) = decoder.take(byte) else { continue }
                require(body.count <= GDBPacket.mostBytes, "a packet of \(body.count) bytes")
                var again = GDBPacketDecoder()
                let events = GDBPacket.encode(body).compactMap { again.take($0) }
                // Escapes make a body longer than it was.
                require(events == [.packet(body)] || events == [.corrupt], "read again, \(body) is \(events)")
                judge(GDBCommand(body))
            }
            // As a body by itself, too: few sums are right by chance.
            judge(GDBCommand(bytes))
        }
    ]

    private static func judge(_ command: GDBCommand) {
        switch command {
        case .readMemory(_, let count), .readDescription(_, let count):
            require(count >= 0, "a negative count")
        case .readRegister(let index), .writeRegister(let index, _): require(index >= 0, "a negative register")
        default: break
        }
    }
}
