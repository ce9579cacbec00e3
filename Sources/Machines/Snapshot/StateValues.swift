import Virtio

/// What the parts of a state are written with beyond numbers.
extension StateEncoder {
    mutating func write(_ text: String) { write(Array(text.utf8)) }

    mutating func write(_ text: String?) {
        write(text != nil)
        if let text { write(text) }
    }

    mutating func write<Value: FixedWidthInteger>(_ number: Value?) {
        write(number != nil)
        if let number { write(number) }
    }

    /// A structure of the kernel's interface, whose layout never changes.
    mutating func write<Value: BitwiseCopyable>(raw value: Value) {
        write(withUnsafeBytes(of: value) { Array($0) })
    }

    mutating func write<Element>(_ list: [Element], _ write: (inout StateEncoder, Element) -> Void) {
        self.write(UInt32(list.count))
        for element in list { write(&self, element) }
    }
}

extension StateDecoder {
    mutating func readText() throws(StateError) -> String {
        let bytes = try readBlock()
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .malformed("a text that is no UTF-8") }
        return text
    }

    mutating func readOptionalText() throws(StateError) -> String? { try readFlag() ? try readText() : nil }

    mutating func readOptional<Value: FixedWidthInteger>() throws(StateError) -> Value? {
        try readFlag() ? try read() : nil
    }

    /// - Parameter value: is overwritten.
    mutating func read<Value: BitwiseCopyable>(raw value: Value) throws(StateError) -> Value {
        let bytes = try readBlock()
        guard bytes.count == MemoryLayout<Value>.size else {
            throw .malformed("a structure of \(bytes.count) bytes instead of \(MemoryLayout<Value>.size)")
        }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: Value.self) }
    }

    /// - Parameter limit: the most elements.
    mutating func readList<Element>(
        limit: Int, _ read: (inout StateDecoder) throws(StateError) -> Element
    ) throws(StateError) -> [Element] {
        let count: UInt32 = try self.read()
        guard count <= limit else { throw .malformed("a list of \(count) where \(limit) are the most") }
        var list: [Element] = []
        for _ in 0..<count { list.append(try read(&self)) }
        return list
    }
}
