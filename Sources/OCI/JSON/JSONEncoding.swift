extension JSON {
    /// The value as text, in UTF-8, without a newline at the end.
    ///
    /// - Parameter indentation: What each level is set in by, such as a tab or four spaces; nil for one line without
    ///   spaces.
    public func encoded(indentation: String? = nil) -> String {
        String(decoding: encodedBytes(indentation: indentation), as: UTF8.self)
    }

    /// The bytes of ``encoded(indentation:)``.
    public func encodedBytes(indentation: String? = nil) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(200)
        encode(into: &bytes, indentation: indentation)
        return bytes
    }

    /// Adds the bytes of ``encoded(indentation:)`` to others.
    public func encode(into bytes: inout [UInt8], indentation: String? = nil) {
        var writer = JSONWriter(bytes, indentation: indentation)
        bytes = []
        writer.write(self)
        bytes = writer.bytes
    }
}

private struct JSONWriter {
    var bytes: [UInt8]
    let indentation: [UInt8]?
    var level = 0

    init(_ bytes: [UInt8], indentation: String?) {
        self.bytes = bytes
        self.indentation = indentation.map { Array($0.utf8) }
    }

    mutating func write(_ value: JSON) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .integer(let value):
            if let small = UInt64(exactly: value) {
                write(decimal: small)
            } else {
                // The standard library prints 64 bits much faster than 128.
                bytes.append(contentsOf: (Int64(exactly: value)?.description ?? value.description).utf8)
            }
        case .real(let value): bytes.append(contentsOf: text(of: value).utf8)
        case .string(let value): write(string: value)
        case .array(let elements):
            write(open: "[", close: "]", elements) { writer, element in writer.write(element) }
        case .object(let members):
            write(open: "{", close: "}", members) { writer, member in
                writer.write(string: member.name)
                writer.append(writer.indentation == nil ? ":" : ": ")
                writer.write(member.value)
            }
        }
    }

    private mutating func append(_ text: StaticString) { text.withUTF8Buffer { bytes.append(contentsOf: $0) } }

    private func text(of value: Double) -> String {
        if value.isNaN { return "null" }
        // A number that a document wrote beyond what a double holds: it must not become another kind of value.
        if value.isInfinite { return value < 0 ? "-1e999" : "1e999" }
        return value.description
    }

    private mutating func write<T>(
        open: Unicode.Scalar, close: Unicode.Scalar, _ items: [T], _ body: (inout JSONWriter, T) -> Void
    ) {
        bytes.append(UInt8(ascii: open))
        level += 1
        var first = true
        for item in items {
            if !first { bytes.append(UInt8(ascii: ",")) }
            first = false
            startLine()
            body(&self, item)
        }
        level -= 1
        if !first { startLine() }
        bytes.append(UInt8(ascii: close))
    }

    private mutating func startLine() {
        guard let indentation else { return }
        bytes.append(0x0A)
        for _ in 0..<level { bytes.append(contentsOf: indentation) }
    }

    private mutating func write(decimal value: UInt64) {
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }

    private mutating func write(string: String) {
        bytes.append(UInt8(ascii: "\""))
        // Most strings are as they are: one look and one copy.
        let isPlain = string.utf8.withContiguousStorageIfAvailable { text in
            guard text.allSatisfy(Self.isPlain) else { return false }
            bytes.append(contentsOf: text)
            return true
        }
        if isPlain != true { write(escaping: string) }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private mutating func write(escaping string: String) {
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x08: bytes.append(contentsOf: "\\b".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0C: bytes.append(contentsOf: "\\f".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0..<0x20, 0x7F:
                // DEL is legal unescaped, but a terminal that a log line reaches may act on it.
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(contentsOf: [hexadecimal(byte >> 4), hexadecimal(byte & 15)])
            default: bytes.append(byte)
            }
        }
    }

    private func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}
