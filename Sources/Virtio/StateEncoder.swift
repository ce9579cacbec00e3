/// Why saved state can't be taken up.
public enum StateError: Error, Hashable, Sendable {
    /// The bytes end too early.
    case truncated
    /// Bytes are left over, or a value is none that was ever saved.
    case malformed(String)
    /// Saved by another version, or by another kind of device.
    case version(found: UInt32, expected: UInt32)
    /// Saved with another shape of the device: other features, other queues.
    case mismatch(String)
    /// The driver's own rings are not as they were when they were saved.
    case queue(index: UInt16, QueueError)
    /// The host refused what the device needs.
    case refused(String)
}

extension StateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .truncated: "the saved state ends too early"
        case .malformed(let what): "the saved state is malformed: \(what)"
        case .version(let found, let expected): "the saved state is of kind \(found), not \(expected)"
        case .mismatch(let what): "the saved state does not fit the device: \(what)"
        case .queue(let index, let error): "the saved state of queue \(index): \(error)"
        case .refused(let what): "the saved state can't be taken up: \(what)"
        }
    }
}

/// Writes state as bytes: little-endian integers, one behind the other.
package struct StateEncoder {
    package private(set) var bytes: [UInt8] = []

    /// - Parameter version: the format's number, checked when it is read back.
    package init(version: UInt32) { write(version) }

    package mutating func write<Value: FixedWidthInteger>(_ value: Value) {
        for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> Value(truncatingIfNeeded: shift)))
        }
    }

    package mutating func write(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

    package mutating func write(_ block: [UInt8]) {
        write(UInt32(block.count))
        bytes += block
    }
}

/// Reads state back, and believes nothing.
package struct StateDecoder {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8], version: UInt32) throws(StateError) {
        self.bytes = bytes
        let found: UInt32 = try read()
        guard found == version else { throw .version(found: found, expected: version) }
    }

    package mutating func read<Value: FixedWidthInteger>() throws(StateError) -> Value {
        let width = Value.bitWidth / 8
        guard bytes.count - position >= width else { throw .truncated }
        var value: Value = 0
        for index in 0..<width {
            value |= Value(truncatingIfNeeded: bytes[position + index]) << Value(truncatingIfNeeded: 8 * index)
        }
        position += width
        return value
    }

    package mutating func readFlag() throws(StateError) -> Bool {
        let value: UInt8 = try read()
        guard value < 2 else { throw .malformed("a flag of \(value)") }
        return value == 1
    }

    package mutating func readBlock() throws(StateError) -> [UInt8] {
        let count: UInt32 = try read()
        guard bytes.count - position >= Int(count) else { throw .truncated }
        defer { position += Int(count) }
        return Array(bytes[position..<position + Int(count)])
    }

    /// - Throws: ``StateError/malformed(_:)`` where bytes are left.
    package func finish() throws(StateError) {
        guard position == bytes.count else { throw .malformed("\(bytes.count - position) bytes too many") }
    }
}
