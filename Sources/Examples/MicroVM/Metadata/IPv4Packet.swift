/// A packet of the Internet's protocol; RFC 791. Options are passed over, and pieces of a packet are none.
struct IPv4Packet {
    static let headerSize = 20
    static let tcp: UInt8 = 6

    var source: IPv4Address
    var destination: IPv4Address
    var transport: UInt8
    var payload: ArraySlice<UInt8>

    init(from source: IPv4Address, to destination: IPv4Address, _ transport: UInt8, _ payload: [UInt8]) {
        (self.source, self.destination, self.transport) = (source, destination, transport)
        self.payload = payload[...]
    }

    /// nil for what is malformed, cut short or a fragment, and for a header whose checksum is wrong.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.headerSize, let first = bytes.first, first >> 4 == 4 else { return nil }
        let header = Int(first & 0xf) * 4
        let total = Int(bytes.bigEndian(at: 2, as: UInt16.self))
        // Behind the packet there may be padding: frames have a least size.
        guard header >= Self.headerSize, total >= header, bytes.count >= total else { return nil }
        // More fragments, or not the first.
        guard bytes.bigEndian(at: 6, as: UInt16.self) & 0x3fff == 0 else { return nil }
        var checksum = InternetChecksum()
        checksum.add(bytes.prefix(header))
        guard checksum.value == 0 else { return nil }
        transport = bytes[bytes.startIndex + 9]
        source = IPv4Address(rawValue: bytes.bigEndian(at: 12))
        destination = IPv4Address(rawValue: bytes.bigEndian(at: 16))
        payload = bytes.dropFirst(header).prefix(total - header)
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [0x45, 0]
        bytes.reserveCapacity(Self.headerSize + payload.count)
        bytes.append(bigEndian: UInt16(Self.headerSize + payload.count))
        // No identification: nobody cuts the packet, and nobody may.
        bytes += [0, 0, 0x40, 0, 64, transport, 0, 0]
        bytes.append(bigEndian: source.rawValue)
        bytes.append(bigEndian: destination.rawValue)
        var checksum = InternetChecksum()
        checksum.add(bytes)
        bytes.store(bigEndian: checksum.value, at: 10)
        return bytes + payload
    }
}
