/// An Ethernet frame without its checksum; IEEE 802.3.
struct EthernetFrame {
    /// An address of six bytes, in the low bits.
    typealias Address = UInt64

    enum Kind: UInt16 {
        case ipv4 = 0x0800
        case arp = 0x0806
    }

    static let headerSize = 14

    var destination: Address
    var source: Address
    var kind: Kind
    var payload: ArraySlice<UInt8>

    init(to destination: Address, from source: Address, _ kind: Kind, _ payload: [UInt8]) {
        (self.destination, self.source, self.kind, self.payload) = (destination, source, kind, payload[...])
    }

    /// nil for a frame that is too short, or of another kind.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.headerSize, let kind = Kind(rawValue: bytes[...].bigEndian(at: 12)) else {
            return nil
        }
        destination = bytes[...].bigEndian(at: 0, as: UInt64.self) >> 16
        source = bytes[...].bigEndian(at: 6, as: UInt64.self) >> 16
        self.kind = kind
        payload = bytes[Self.headerSize...]
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerSize + payload.count)
        bytes.append(address: destination)
        bytes.append(address: source)
        bytes.append(bigEndian: kind.rawValue)
        return bytes + payload
    }
}

extension Array<UInt8> {
    mutating func append(address: EthernetFrame.Address) {
        append(bigEndian: UInt16(truncatingIfNeeded: address >> 32))
        append(bigEndian: UInt32(truncatingIfNeeded: address))
    }
}

/// Who has an address, or who says that he has it; RFC 826.
struct ARPPacket {
    enum Operation: UInt16 {
        case request = 1
        case reply = 2
    }

    static let size = 28

    var operation: Operation
    var senderHardware: EthernetFrame.Address
    var sender: IPv4Address
    var targetHardware: EthernetFrame.Address
    var target: IPv4Address

    /// nil for what is not about Ethernet and IPv4.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.size, bytes.bigEndian(at: 0, as: UInt64.self) >> 16 == 0x0001_0800_0604,
            let operation = Operation(rawValue: bytes.bigEndian(at: 6))
        else { return nil }
        self.operation = operation
        senderHardware = bytes.bigEndian(at: 8, as: UInt64.self) >> 16
        sender = IPv4Address(rawValue: bytes.bigEndian(at: 14))
        targetHardware = bytes.bigEndian(at: 18, as: UInt64.self) >> 16
        target = IPv4Address(rawValue: bytes.bigEndian(at: 24))
    }

    /// The answer of who has the address that a request asks for.
    func reply(from hardware: EthernetFrame.Address) -> ARPPacket {
        var reply = self
        reply.operation = .reply
        (reply.senderHardware, reply.sender) = (hardware, target)
        (reply.targetHardware, reply.target) = (senderHardware, sender)
        return reply
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [0, 1, 8, 0, 6, 4]
        bytes.append(bigEndian: operation.rawValue)
        bytes.append(address: senderHardware)
        bytes.append(bigEndian: sender.rawValue)
        bytes.append(address: targetHardware)
        bytes.append(bigEndian: target.rawValue)
        return bytes
    }
}
