extension String {
    /// Whether it is of letters, digits and one more character.
    func isAlphanumeric(or other: Unicode.Scalar) -> Bool {
        // What a letter is anywhere is in tables, whose pages a start would have to touch for a plain name.
        let isPlain = utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"):
                true
            default: byte == UInt8(ascii: other)
            }
        }
        return isPlain || allSatisfy { $0 == Character(other) || $0.isLetter || $0.isNumber }
    }
}
