/// Reads JSON text into nodes: strict RFC 8259, UTF-8 only, one pass, every index checked.
struct JSONParser {
    private let bytes: [UInt8]
    private var position = 0
    private(set) var nodes: [JSONNode] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        nodes.reserveCapacity(bytes.count / 8 + 8)
    }

    mutating func parseDocument() throws(DocumentError) {
        skipSpace()
        try parseValue(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw unexpected("the end of the document") }
    }

    // MARK: Values

    private mutating func parseValue(depth: Int) throws(DocumentError) {
        switch current {
        case UInt8(ascii: "{"): try parseObject(depth: depth)
        case UInt8(ascii: "["): try parseArray(depth: depth)
        case UInt8(ascii: "\""): try parseString()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try parseNumber()
        case UInt8(ascii: "t"): try parseWord("true", .bool, flag: true)
        case UInt8(ascii: "f"): try parseWord("false", .bool, flag: false)
        case UInt8(ascii: "n"): try parseWord("null", .null, flag: false)
        default: throw unexpected("a value")
        }
    }

    private mutating func parseObject(depth: Int) throws(DocumentError) {
        let index = try open(.object, depth: depth)
        var count: UInt32 = 0
        skipSpace()
        if !take(UInt8(ascii: "}")) {
            while true {
                guard current == UInt8(ascii: "\"") else { throw unexpected("a name in quotes") }
                try parseString()
                skipSpace()
                guard take(UInt8(ascii: ":")) else { throw unexpected("a colon") }
                skipSpace()
                try parseValue(depth: depth + 1)
                count += 1
                skipSpace()
                if take(UInt8(ascii: ",")) {
                    skipSpace()
                } else if take(UInt8(ascii: "}")) {
                    break
                } else {
                    throw unexpected("a comma or a closing brace")
                }
            }
        }
        close(index, count: count)
    }

    private mutating func parseArray(depth: Int) throws(DocumentError) {
        let index = try open(.array, depth: depth)
        var count: UInt32 = 0
        skipSpace()
        if !take(UInt8(ascii: "]")) {
            while true {
                try parseValue(depth: depth + 1)
                count += 1
                skipSpace()
                if take(UInt8(ascii: ",")) {
                    skipSpace()
                } else if take(UInt8(ascii: "]")) {
                    break
                } else {
                    throw unexpected("a comma or a closing bracket")
                }
            }
        }
        close(index, count: count)
    }

    private mutating func open(_ kind: JSONNode.Kind, depth: Int) throws(DocumentError) -> Int {
        guard depth < JSONTree.maximumDepth else {
            throw malformed("nested deeper than \(JSONTree.maximumDepth) levels")
        }
        nodes.append(JSONNode(kind: kind, flag: false, start: UInt32(position), end: 0, next: 0))
        position += 1
        return nodes.count - 1
    }

    private mutating func close(_ index: Int, count: UInt32) {
        nodes[index].end = count
        nodes[index].next = UInt32(nodes.count)
    }

    private mutating func append(_ kind: JSONNode.Kind, flag: Bool, start: Int, end: Int) {
        let next = UInt32(nodes.count + 1)
        nodes.append(JSONNode(kind: kind, flag: flag, start: UInt32(start), end: UInt32(end), next: next))
    }

    private mutating func parseWord(
        _ word: StaticString, _ kind: JSONNode.Kind, flag: Bool
    ) throws(DocumentError) {
        let start = position
        for byte in UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount) {
            guard current == byte else { throw unexpected("\(word)") }
            position += 1
        }
        append(kind, flag: flag, start: start, end: position)
    }

    private mutating func parseNumber() throws(DocumentError) {
        let start = position
        var kind = JSONNode.Kind.integer
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try takeDigits() }
        if take(UInt8(ascii: ".")) {
            kind = .real
            try takeDigits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            kind = .real
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try takeDigits()
        }
        append(kind, flag: false, start: start, end: position)
    }

    private mutating func takeDigits() throws(DocumentError) {
        let start = position
        while case UInt8(ascii: "0")...UInt8(ascii: "9") = current { position += 1 }
        guard position > start else { throw unexpected("a digit") }
    }

    // MARK: Strings

    private mutating func parseString() throws(DocumentError) {
        position += 1
        let start = position
        var escaped = false
        while true {
            guard position < bytes.count else { throw malformed("a string without its closing quote") }
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                append(.string, flag: escaped, start: start, end: position)
                position += 1
                return
            case UInt8(ascii: "\\"):
                escaped = true
                position += 1
                try parseEscape()
            case 0..<0x20: throw malformed("a control character in a string")
            case 0..<0x80: position += 1
            default: try parseMultibyte(first: byte)
            }
        }
    }

    private mutating func parseEscape() throws(DocumentError) {
        switch current {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            position += 1
            let unit = try parseCodeUnit()
            if (0xDC00..<0xE000).contains(unit) { throw malformed("half of a surrogate pair in a string") }
            if (0xD800..<0xDC00).contains(unit) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")),
                    (0xDC00..<0xE000).contains(try parseCodeUnit())
                else { throw malformed("half of a surrogate pair in a string") }
            }
        default: throw unexpected("an escape (one of \"\\/bfnrtu)")
        }
    }

    private mutating func parseCodeUnit() throws(DocumentError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = hexadecimalDigit(current) else { throw unexpected("a hexadecimal digit") }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }

    /// Takes one character of two to four bytes, by the table of well-formed sequences in the Unicode standard (3-7).
    private mutating func parseMultibyte(first: UInt8) throws(DocumentError) {
        let second: ClosedRange<UInt8>
        let length: Int
        switch first {
        case 0xC2...0xDF: (second, length) = (0x80...0xBF, 2)
        case 0xE0: (second, length) = (0xA0...0xBF, 3)
        case 0xED: (second, length) = (0x80...0x9F, 3)
        case 0xE1...0xEF: (second, length) = (0x80...0xBF, 3)
        case 0xF0: (second, length) = (0x90...0xBF, 4)
        case 0xF1...0xF3: (second, length) = (0x80...0xBF, 4)
        case 0xF4: (second, length) = (0x80...0x8F, 4)
        default: throw malformed("text that is not UTF-8")
        }
        guard position + length <= bytes.count, second.contains(bytes[position + 1]) else {
            throw malformed("text that is not UTF-8")
        }
        for offset in 2..<length {
            guard 0x80...0xBF ~= bytes[position + offset] else { throw malformed("text that is not UTF-8") }
        }
        position += length
    }

    // MARK: Bytes

    /// The byte at hand; zero, which no JSON text holds outside an error, at the end.
    private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    // MARK: Errors

    private func unexpected(_ wanted: String) -> DocumentError {
        guard position < bytes.count else { return malformed("expected \(wanted), found the end of the text") }
        let byte = bytes[position]
        if (0x21..<0x7F).contains(byte) {
            return malformed("expected \(wanted), found \"\(Character(Unicode.Scalar(byte)))\"")
        }
        return malformed("expected \(wanted), found the byte 0x\(String(byte, radix: 16, uppercase: true))")
    }

    private func malformed(_ problem: String) -> DocumentError {
        var line = 1
        var lineStart = 0
        for index in 0..<min(position, bytes.count) where bytes[index] == 0x0A {
            line += 1
            lineStart = index + 1
        }
        return DocumentError(at: .init(line: line, column: position - lineStart + 1), problem)
    }
}
