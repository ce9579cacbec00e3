/// The structures of boot protocols and tables are little-endian, packed, and full of holes: they are read from and put
/// together as bytes.
extension [UInt8] {
    /// An integer at an offset.
    ///
    /// - Precondition: it lies within the bytes.
    func load<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value {
        var value: Value = 0
        for index in 0..<Value.bitWidth / 8 {
            value |= Value(truncatingIfNeeded: self[offset + index]) << Value(truncatingIfNeeded: 8 * index)
        }
        return value
    }

    /// Puts an integer at an offset.
    ///
    /// - Precondition: it lies within the bytes.
    mutating func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        for index in 0..<Value.bitWidth / 8 {
            self[offset + index] = UInt8(truncatingIfNeeded: value >> Value(truncatingIfNeeded: 8 * index))
        }
    }

    /// Adds an integer at the end.
    mutating func add<Value: FixedWidthInteger>(_ value: Value) {
        for index in 0..<Value.bitWidth / 8 {
            append(UInt8(truncatingIfNeeded: value >> Value(truncatingIfNeeded: 8 * index)))
        }
    }
}
