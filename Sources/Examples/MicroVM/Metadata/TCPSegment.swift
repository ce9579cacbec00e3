/// A segment of TCP; RFC 9293, section 3.1.
struct TCPSegment: Hashable {
    struct Flags: OptionSet, Hashable {
        let rawValue: UInt8

        static let finish = Flags(rawValue: 0x01)
        static let synchronize = Flags(rawValue: 0x02)
        static let reset = Flags(rawValue: 0x04)
        static let push = Flags(rawValue: 0x08)
        static let acknowledge = Flags(rawValue: 0x10)
    }

    static let headerSize = 20

    var sourcePort: UInt16
    var destinationPort: UInt16
    var sequence: SequenceNumber
    var acknowledgement = SequenceNumber(0)
    var flags: Flags
    /// How many bytes the sender has room for.
    var window: UInt16 = 0
    /// The largest payload that the sender takes, which only a segment with SYN says.
    var mostPayload: UInt16?
    var payload: ArraySlice<UInt8> = []

    init(from source: UInt16, to destination: UInt16, _ sequence: SequenceNumber, _ flags: Flags) {
        (sourcePort, destinationPort) = (source, destination)
        (self.sequence, self.flags) = (sequence, flags)
    }

    /// Sequence numbers that the segment takes: SYN and FIN are one each.
    var length: UInt32 {
        UInt32(payload.count) + (flags.contains(.synchronize) ? 1 : 0) + (flags.contains(.finish) ? 1 : 0)
    }

    /// Reads the segment of a packet.
    ///
    /// - Parameter isChecked: whether the checksum is to hold. A guest that leaves it to its network card, as there is no
    ///   wire, hands over one that is not finished.
    /// - Returns: nil for what is malformed.
    init?(of packet: IPv4Packet, isChecked: Bool) {
        let bytes = packet.payload
        guard bytes.count >= Self.headerSize else { return nil }
        let header = Int(bytes[bytes.startIndex + 12] >> 4) * 4
        guard header >= Self.headerSize, header <= bytes.count else { return nil }
        if isChecked {
            guard Self.checksum(bytes, packet.source, packet.destination) == 0 else { return nil }
        }
        sourcePort = bytes.bigEndian(at: 0)
        destinationPort = bytes.bigEndian(at: 2)
        sequence = SequenceNumber(bytes.bigEndian(at: 4))
        acknowledgement = SequenceNumber(bytes.bigEndian(at: 8))
        flags = Flags(rawValue: bytes[bytes.startIndex + 13] & 0x1f)
        window = bytes.bigEndian(at: 14)
        payload = bytes.dropFirst(header)
        guard flags.contains(.synchronize) else { return }
        mostPayload = Self.mostPayload(bytes.prefix(header).dropFirst(Self.headerSize))
    }

    /// Looks for the maximum segment size among options; RFC 9293, section 3.2.
    private static func mostPayload(_ options: ArraySlice<UInt8>) -> UInt16? {
        var options = options
        while let kind = options.first, kind != 0 {
            if kind == 1 {
                options.removeFirst()
                continue
            }
            guard options.count >= 2 else { return nil }
            let length = Int(options[options.startIndex + 1])
            guard length >= 2, length <= options.count else { return nil }
            if kind == 2, length == 4 { return options.bigEndian(at: 2) }
            options.removeFirst(length)
        }
        return nil
    }

    /// The segment as a packet's payload.
    func bytes(from source: IPv4Address, to destination: IPv4Address) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerSize + 4 + payload.count)
        bytes.append(bigEndian: sourcePort)
        bytes.append(bigEndian: destinationPort)
        bytes.append(bigEndian: sequence.rawValue)
        bytes.append(bigEndian: acknowledgement.rawValue)
        bytes += [mostPayload == nil ? 5 << 4 : 6 << 4, flags.rawValue]
        bytes.append(bigEndian: window)
        bytes += [0, 0, 0, 0]
        if let mostPayload {
            bytes += [2, 4]
            bytes.append(bigEndian: mostPayload)
        }
        bytes += payload
        bytes.store(bigEndian: Self.checksum(bytes[...], source, destination), at: 16)
        return bytes
    }

    private static func checksum(
        _ bytes: ArraySlice<UInt8>, _ source: IPv4Address, _ destination: IPv4Address
    ) -> UInt16 {
        var checksum = InternetChecksum()
        checksum.add(source)
        checksum.add(destination)
        checksum.add(UInt16(IPv4Packet.tcp))
        checksum.add(UInt16(truncatingIfNeeded: bytes.count))
        checksum.add(bytes)
        return checksum.value
    }
}

/// A place in a stream, which comes round again after 2³² bytes: what is before what holds within half of that.
struct SequenceNumber: Hashable, RawRepresentable {
    var rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }
    init(_ value: UInt32) { rawValue = value }

    static func + (left: SequenceNumber, right: UInt32) -> SequenceNumber { .init(left.rawValue &+ right) }
    static func += (left: inout SequenceNumber, right: UInt32) { left = left + right }

    /// How far it is behind another; negative where it is before.
    func distance(from other: SequenceNumber) -> Int { Int(Int32(bitPattern: rawValue &- other.rawValue)) }
}
