/// Numbers as networks write them: the most significant byte first.
extension Array<UInt8> {
    mutating func append<Value: FixedWidthInteger>(bigEndian value: Value) {
        for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }

    mutating func store(bigEndian value: UInt16, at offset: Int) {
        self[offset] = UInt8(truncatingIfNeeded: value >> 8)
        self[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}

extension ArraySlice<UInt8> {
    /// A number, counted from the slice's start.
    ///
    /// - Precondition: it lies within.
    func bigEndian<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type = Value.self) -> Value {
        var value = Value.zero
        for index in 0..<Value.bitWidth / 8 {
            value = value << 8 | Value(truncatingIfNeeded: self[startIndex + offset + index])
        }
        return value
    }
}

extension RawSpan {
    /// A number; nil where it does not lie within.
    func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value? {
        guard offset + Value.bitWidth / 8 <= byteCount else { return nil }
        return Value(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }
}
