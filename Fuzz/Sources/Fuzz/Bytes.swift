/// Values made from the fuzzer's bytes, which it then changes one at a time; zeros once they have run out.
struct Bytes {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    /// What has not been used yet.
    var remaining: [UInt8] { Array(rest) }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func number<Integer: FixedWidthInteger>(_ type: Integer.Type = Integer.self) -> Integer {
        var value = Integer.zero
        for _ in 0..<Integer.bitWidth / 8 {
            value = (Integer.bitWidth > 8 ? value << 8 : 0) | Integer(truncatingIfNeeded: byte())
        }
        return value
    }

    mutating func choice<Element>(_ elements: [Element]) -> Element { elements[Int(byte()) % elements.count] }
}
