/// One value of a JSON text, or one key of an object: where it stands, not what it means.
///
/// Sixteen bytes, so that a document of some thousand values fits the cache.
struct JSONNode {
    enum Kind: UInt8 {
        case null, bool, integer, real, string, object, array
    }

    var kind: Kind

    /// For a string: it holds backslashes. For a Boolean: it is true.
    var flag: Bool

    /// The first byte: of a string's contents, without the quote.
    var start: UInt32

    /// For a scalar the byte after its last; for an object or array the number of members or elements.
    var end: UInt32

    /// The index of the node after this one and all that it holds.
    var next: UInt32
}

/// A JSON text (RFC 8259) as a flat array of nodes over its bytes, in the order of the text.
///
/// An object's members follow it as key, value, key, value; a value's own members follow it in the same way. Nothing
/// is copied out of the text before it is asked for. jansson would be the usual choice here, but it refuses every
/// integer above `Int64.max`, and `RLIM_INFINITY` (18446744073709551615) stands in most documents.
package final class JSONTree: Sendable {
    /// The largest text that is read, in bytes. A tree costs up to eight times its text.
    package static let maximumSize = 8 << 20

    /// How deep objects and arrays may nest. The deepest field of the specification is at level six.
    package static let maximumDepth = 512

    let bytes: [UInt8]
    let nodes: [JSONNode]

    /// Reads a whole text: one value, with nothing but white space around it.
    package init(_ bytes: [UInt8]) throws(DocumentError) {
        guard bytes.count <= JSONTree.maximumSize else {
            throw DocumentError(path: "", problem: "larger than \(JSONTree.maximumSize) bytes")
        }
        var parser = JSONParser(bytes)
        try parser.parseDocument()
        self.bytes = bytes
        self.nodes = parser.nodes
    }

    /// The text of a string node, its escapes resolved.
    func string(_ node: JSONNode) -> String {
        let range = Int(node.start)..<Int(node.end)
        if node.flag { return String(decoding: unescaped(range), as: UTF8.self) }
        return bytes.withUnsafeBufferPointer {
            String(decoding: UnsafeBufferPointer(rebasing: $0[range]), as: UTF8.self)
        }
    }

    /// Whether a string node says `name`.
    func string(_ node: JSONNode, equals name: StaticString) -> Bool {
        if node.flag { return string(node) == name.description }
        let count = Int(node.end - node.start)
        guard count == name.utf8CodeUnitCount else { return false }
        let wanted = UnsafeBufferPointer(start: name.utf8Start, count: count)
        var position = Int(node.start)
        for byte in wanted {
            guard bytes[position] == byte else { return false }
            position += 1
        }
        return true
    }

    /// An integer node's value, or nil beyond 128 bits.
    func integer(_ node: JSONNode) -> Int128? {
        var position = Int(node.start)
        let negative = bytes[position] == UInt8(ascii: "-")
        if negative { position += 1 }
        guard Int(node.end) - position > 18 else {
            var small: Int64 = 0
            for index in position..<Int(node.end) { small = small &* 10 &+ Int64(bytes[index] &- 0x30) }
            return Int128(negative ? -small : small)
        }
        var value: Int128 = 0
        for index in position..<Int(node.end) {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int128(bytes[index] - 0x30))
            if overflow || carry { return nil }
            value = sum
        }
        return negative ? -value : value
    }

    /// The characters of a scalar as they stand in the text.
    func text(_ node: JSONNode) -> String {
        String(decoding: bytes[Int(node.start)..<Int(node.end)], as: UTF8.self)
    }

    private func unescaped(_ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let byte = bytes[position]
            position += 1
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            let escape = bytes[position]
            position += 1
            switch escape {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = hexadecimal(position)
                position += 4
                if (0xD800..<0xDC00).contains(scalar) {
                    // The parser let no high surrogate pass without its low one.
                    scalar = 0x10000 + (scalar - 0xD800) << 10 + (hexadecimal(position + 2) - 0xDC00)
                    position += 6
                }
                result.append(contentsOf: String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8)
            default: result.append(escape)
            }
        }
        return result
    }

    private func hexadecimal(_ position: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in position..<position + 4 { value = value << 4 | UInt32(hexadecimalDigit(bytes[index]) ?? 0) }
        return value
    }
}

/// The value of a hexadecimal digit.
func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
