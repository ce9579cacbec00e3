/// The checksum of IPv4 and TCP: the complement of the sum of all 16-bit words, with the carries added; RFC 1071.
struct InternetChecksum {
    private var sum: UInt64 = 0

    /// Adds bytes; an odd number of them only at the end.
    mutating func add(_ bytes: some Sequence<UInt8>) {
        var high: UInt8?
        for byte in bytes {
            if let first = high {
                sum += UInt64(first) << 8 | UInt64(byte)
                high = nil
            } else {
                high = byte
            }
        }
        if let high { sum += UInt64(high) << 8 }
    }

    mutating func add(_ word: UInt16) { sum += UInt64(word) }

    mutating func add(_ address: IPv4Address) {
        add(UInt16(truncatingIfNeeded: address.rawValue >> 16))
        add(UInt16(truncatingIfNeeded: address.rawValue))
    }

    /// 0 over bytes that hold their own checksum, and arrived well.
    var value: UInt16 {
        var folded = sum
        while folded > 0xffff { folded = folded & 0xffff + folded >> 16 }
        return ~UInt16(folded)
    }
}
