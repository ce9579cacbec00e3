/// GDB's remote serial protocol, as far as bytes go: "GDB Remote Serial Protocol" in GDB's manual.
///
/// A packet is `$body#sum`, where the sum is of the body's bytes modulo 256, in two hexadecimal digits. In the body,
/// `}` stands before a byte that would mean something else, which has bit 5 inverted.
enum GDBPacket {
    /// The longest body that is taken, which the other side is told.
    static let mostBytes = 0x4000

    private static let escape = UInt8(ascii: "}")

    static func encode(_ body: [UInt8]) -> [UInt8] {
        var packet: [UInt8] = [UInt8(ascii: "$")]
        packet.reserveCapacity(body.count + 4)
        for byte in body {
            switch byte {
            case UInt8(ascii: "$"), UInt8(ascii: "#"), UInt8(ascii: "*"), escape: packet += [escape, byte ^ 0x20]
            default: packet.append(byte)
            }
        }
        let sum = packet.dropFirst().reduce(UInt8(0), &+)
        return packet + [UInt8(ascii: "#")] + hexadecimal([sum])
    }

    /// Two digits for each byte.
    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xf)]] }
    }

    /// The bytes of pairs of digits; nil where there is anything else.
    static func bytes(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var place = digits.startIndex
        while place < digits.endIndex {
            guard let high = digit(digits[place]), let low = digit(digits[place + 1]) else { return nil }
            bytes.append(high << 4 | low)
            place += 2
        }
        return bytes
    }

    static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// A body as it was before it was encoded; an escape at its end stands for nothing.
    static func unescaped(_ body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in body {
            if isEscaped {
                bytes.append(byte ^ 0x20)
                isEscaped = false
            } else if byte == escape {
                isEscaped = true
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}

/// Takes a stream apart, a byte at a time. It keeps no more than one packet.
struct GDBPacketDecoder {
    enum Event: Hashable {
        case packet([UInt8])
        /// A packet with a wrong sum, or one that is too long.
        case corrupt
        /// Stop the guest: the byte 3 outside a packet.
        case interrupt
        /// The last packet arrived, or is to be sent again.
        case acknowledged, refused
    }

    private enum State {
        case outside, body, firstDigit
        case secondDigit(UInt8)
    }

    private var state = State.outside
    private var body: [UInt8] = []
    private var sum: UInt8 = 0
    private var isTooLong = false

    mutating func take(_ byte: UInt8) -> Event? {
        switch state {
        case .outside:
            switch byte {
            case UInt8(ascii: "$"): begin()
            case 3: return .interrupt
            case UInt8(ascii: "+"): return .acknowledged
            case UInt8(ascii: "-"): return .refused
            default: break
            }
        case .body:
            switch byte {
            // A body has none: it is the next packet, of one that was cut off.
            case UInt8(ascii: "$"): begin()
            case UInt8(ascii: "#"): state = .firstDigit
            default:
                sum &+= byte
                if body.count < GDBPacket.mostBytes { body.append(byte) } else { isTooLong = true }
            }
        case .firstDigit:
            guard let digit = GDBPacket.digit(byte) else { return end(nil) }
            state = .secondDigit(digit)
        case .secondDigit(let high): return end(GDBPacket.digit(byte).map { high << 4 | $0 })
        }
        return nil
    }

    private mutating func begin() {
        state = .body
        body = []
        sum = 0
        isTooLong = false
    }

    private mutating func end(_ said: UInt8?) -> Event {
        state = .outside
        defer { body = [] }
        return said == sum && !isTooLong ? .packet(GDBPacket.unescaped(body)) : .corrupt
    }
}
