/// An address of four bytes.
struct IPv4Address: Hashable, RawRepresentable, Sendable {
    var rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Reads four numbers with dots between; nil for anything else, leading zeros included, which some read as octal.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        rawValue = 0
        for part in parts {
            guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), part.utf8.count == 1 || part.first != "0",
                let byte = UInt8(part)
            else { return nil }
            rawValue = rawValue << 8 | UInt32(byte)
        }
    }

    /// Whether a machine may have it that nobody gives addresses to: 169.254.1.0 to 169.254.254.255; RFC 3927,
    /// section 2.1.
    var isLinkLocal: Bool { rawValue >> 16 == 0xa9fe && (1...254).contains(rawValue >> 8 & 0xff) }
}

extension IPv4Address: CustomStringConvertible {
    var description: String {
        stride(from: 24, through: 0, by: -8).map { String(rawValue >> UInt32($0) & 0xff) }.joined(separator: ".")
    }
}
