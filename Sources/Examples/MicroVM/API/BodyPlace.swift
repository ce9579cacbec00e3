import OCI

/// Where in a body something is wrong: by names first, as who reads a value does not know where its text is.
struct BodyPlace: Hashable {
    enum Step: Hashable {
        case member(String)
        case element(Int)
    }

    /// How far a reader had come that goes through the text once, as Firecracker's does.
    enum Spot: Hashable {
        case behindValue
        /// What was a good text and nothing more is found out when its holder is at the next sign; a brace is behind it
        /// then.
        case behindConversion
        /// A list or an object where none is expected is not entered.
        case beforeValue
        /// Behind the name of a member, of those of this name.
        case behindName(String, occurrence: Int)
    }

    /// From the outermost value to the one at fault.
    var steps: [Step] = []
    var spot: Spot

    init(_ spot: Spot) { self.spot = spot }
}

extension BodyError {
    /// The message as Firecracker's clients know it: with line and column, counted from 1 and in bytes.
    func message(in body: [UInt8]) -> String {
        guard let place else { return message }
        var reader = BodyReader(body)
        reader.go(to: place)
        let before = body[..<reader.index]
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return "\(message) at line \(line) column \(reader.index - start)"
    }
}

/// Walks through a text that is known to be JSON.
private struct BodyReader {
    private let text: [UInt8]
    private(set) var index = 0

    init(_ text: [UInt8]) { self.text = text }

    mutating func go(to place: BodyPlace) {
        skipSpace()
        for step in place.steps {
            switch step {
            case .member(let name): enterMember(name, occurrence: 0)
            case .element(let number): enterElement(number)
            }
        }
        switch place.spot {
        case .beforeValue: break
        case .behindValue: skipValue()
        case .behindConversion:
            skipValue()
            skipSpace()
            if let byte, "}]".utf8.contains(byte) { index += 1 }
        case .behindName(let name, let occurrence): enterMember(name, occurrence: occurrence, stopsAtColon: true)
        }
    }

    private var byte: UInt8? { index < text.count ? text[index] : nil }

    private mutating func skipSpace() {
        while let byte, " \t\r\n".utf8.contains(byte) { index += 1 }
    }

    /// From the brace of an object to a member's value, or to its colon.
    private mutating func enterMember(_ name: String, occurrence: Int, stopsAtColon: Bool = false) {
        var seen = 0
        while let byte, byte != UInt8(ascii: "}") {
            // The brace or a comma.
            index += 1
            skipSpace()
            let start = index
            skipValue()
            let isIt = (try? JSON(parsing: text[start..<index]))?.stringValue == name
            skipSpace()
            if isIt, seen == occurrence, stopsAtColon { return }
            index += 1
            skipSpace()
            if isIt, seen == occurrence { return }
            if isIt { seen += 1 }
            skipValue()
            skipSpace()
        }
    }

    private mutating func enterElement(_ number: Int) {
        index += 1
        skipSpace()
        for _ in 0..<number {
            skipValue()
            skipSpace()
            index += 1
            skipSpace()
        }
    }

    private mutating func skipValue() {
        var depth = 0
        repeat {
            switch byte {
            case nil: return
            case UInt8(ascii: "\""): skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                index += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                index += 1
            case UInt8(ascii: ","), UInt8(ascii: ":"): index += 1
            default: skipWord()
            }
            if depth > 0 { skipSpace() }
        } while depth > 0
    }

    private mutating func skipString() {
        index += 1
        while let byte, byte != UInt8(ascii: "\"") { index += byte == UInt8(ascii: "\\") ? 2 : 1 }
        index += 1
    }

    /// A number, or one of the three words.
    private mutating func skipWord() {
        while let byte, !",:]} \t\r\n".utf8.contains(byte) { index += 1 }
    }
}
