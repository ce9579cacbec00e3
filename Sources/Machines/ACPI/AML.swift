/// ACPI's machine language, as far as a description of devices needs it; ACPI specification 6.4, chapter 20.
///
/// Each function gives the bytes of one term. Names are of four characters, those of the root with a backslash before.
enum AML {
    // Opcodes; section 20.3.
    private static let nameOp: UInt8 = 0x08
    private static let bufferOp: UInt8 = 0x11
    private static let packageOp: UInt8 = 0x12
    private static let scopeOp: UInt8 = 0x10
    private static let deviceOp: [UInt8] = [0x5b, 0x82]
    private static let methodOp: UInt8 = 0x14
    private static let regionOp: [UInt8] = [0x5b, 0x80]
    private static let fieldOp: [UInt8] = [0x5b, 0x81]
    private static let storeOp: UInt8 = 0x70
    private static let andOp: UInt8 = 0x7b
    private static let notifyOp: UInt8 = 0x86
    private static let wideFieldOp: UInt8 = 0x8f
    private static let ifOp: UInt8 = 0xa0
    private static let returnOp: UInt8 = 0xa4

    /// `Scope (name) { … }`.
    static func scope(_ name: String, _ terms: [[UInt8]]) -> [UInt8] {
        [scopeOp] + sized(path(name) + terms.joined())
    }

    /// `Device (name) { … }`.
    static func device(_ name: String, _ terms: [[UInt8]]) -> [UInt8] {
        deviceOp + sized(path(name) + terms.joined())
    }

    /// `Name (name, value)`.
    static func name(_ name: String, _ value: [UInt8]) -> [UInt8] { [nameOp] + path(name) + value }

    /// The shortest form of an integer.
    static func integer(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        switch value {
        case 0, 1: bytes = [UInt8(value)]
        case ...0xff: bytes = [0x0a, UInt8(value)]
        case ...0xffff:
            bytes = [0x0b]
            bytes.add(UInt16(value))
        case ...0xffff_ffff:
            bytes = [0x0c]
            bytes.add(UInt32(value))
        default:
            bytes = [0x0e]
            bytes.add(value)
        }
        return bytes
    }

    /// A text of ASCII characters.
    static func string(_ text: String) -> [UInt8] { [0x0d] + Array(text.utf8) + [0] }

    /// `Package () { … }`.
    static func package(_ elements: [[UInt8]]) -> [UInt8] {
        [packageOp] + sized([UInt8(elements.count)] + elements.joined())
    }

    /// `ResourceTemplate () { … }`.
    static func resources(_ descriptors: [[UInt8]]) -> [UInt8] {
        var bytes = Array(descriptors.joined())
        // The end tag has a checksum, of which 0 says that there is none.
        bytes += [0x79, 0]
        return [bufferOp] + sized(integer(UInt64(bytes.count)) + bytes)
    }

    /// `Buffer () { … }`.
    static func buffer(_ bytes: [UInt8]) -> [UInt8] { [bufferOp] + sized(integer(UInt64(bytes.count)) + bytes) }

    /// `EisaId (text)`: three letters and four hexadecimal digits in 32 bits, big-endian; section 19.3.4.
    static func eisaID(_ text: String) -> [UInt8] {
        let characters = Array(text.utf8)
        precondition(characters.count == 7, "three letters and four digits")
        let vendor = characters[0..<3].reduce(UInt32(0)) { $0 << 5 | UInt32($1 - 0x40) }
        let product = UInt32(text.suffix(4), radix: 16)!
        return integer(UInt64((vendor << 16 | product).byteSwapped))
    }

    // MARK: - Code; section 20.2.5

    /// The value of what has a name, or a method's call with its arguments.
    static func value(_ name: String, _ arguments: [[UInt8]] = []) -> [UInt8] { path(name) + arguments.joined() }

    /// `Local0` to `Local7`: a method's own variables.
    static func local(_ index: UInt8) -> [UInt8] { [0x60 + index] }

    /// `Arg0` to `Arg6`: what a method is called with.
    static func argument(_ index: UInt8) -> [UInt8] { [0x68 + index] }

    /// `Method (name, arguments, Serialized) { … }`: one thread at a time runs it.
    static func method(_ name: String, arguments: UInt8 = 0, _ terms: [[UInt8]]) -> [UInt8] {
        [methodOp] + sized(path(name) + [arguments | 1 << 3] + terms.joined())
    }

    /// `Store (value, target)`.
    static func store(_ value: [UInt8], _ target: [UInt8]) -> [UInt8] { [storeOp] + value + target }

    /// `And (left, right)`, whose result is kept nowhere.
    static func and(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] { [andOp] + left + right + [0] }

    /// `If (condition) { … }`.
    static func when(_ condition: [UInt8], _ terms: [[UInt8]]) -> [UInt8] {
        [ifOp] + sized(condition + terms.joined())
    }

    /// `Return (value)`.
    static func give(_ value: [UInt8]) -> [UInt8] { [returnOp] + value }

    /// `Notify (name, value)`.
    static func notify(_ name: String, _ value: UInt64) -> [UInt8] { [notifyOp] + path(name) + integer(value) }

    /// `CreateQWordField (buffer, index, name)`: eight bytes of a buffer by a name.
    static func wideField(_ buffer: [UInt8], at index: UInt64, _ name: String) -> [UInt8] {
        [wideFieldOp] + buffer + integer(index) + path(name)
    }

    // MARK: - Registers; sections 20.2.5.2 and 20.2.3

    /// A register, or a gap between two.
    enum Field: Hashable {
        /// A name and bits.
        case named(String, Int)
        /// Bits.
        case gap(Int)
    }

    /// `OperationRegion (name, SystemMemory, start, size)`.
    static func memoryRegion(_ name: String, _ start: UInt64, _ size: UInt64) -> [UInt8] {
        regionOp + path(name) + [0] + integer(start) + integer(size)
    }

    /// `Field (region, DWordAcc, NoLock, Preserve) { … }`.
    static func fields(_ region: String, _ fields: [Field]) -> [UInt8] {
        let list = fields.flatMap { field in
            switch field {
            case .named(let name, let bits): path(name) + length(bits)
            case .gap(let bits): [0] + length(bits)
            }
        }
        return fieldOp + sized(path(region) + [3] + list)
    }

    // MARK: - Resources; section 6.4

    /// Ports.
    static func ports(_ start: UInt16, _ count: UInt8) -> [UInt8] {
        var bytes: [UInt8] = [0x47, 1]
        bytes.add(start)
        bytes.add(start)
        return bytes + [1, count]
    }

    /// Memory, writable.
    static func memory(_ start: UInt32, _ size: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [0x86, 9, 0, 1]
        bytes.add(start)
        bytes.add(size)
        return bytes
    }

    /// An interrupt that is an edge to high, not shared.
    static func interrupt(_ line: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [0x89, 6, 0, 0b0011, 1]
        bytes.add(line)
        return bytes
    }

    /// An interrupt that is level to high, not shared.
    static func levelInterrupt(_ line: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [0x89, 6, 0, 0b0001, 1]
        bytes.add(line)
        return bytes
    }

    /// Memory anywhere, writable and cached, whose place is filled in later: `QWordMemory`; section 6.4.3.5.1.
    static var wideMemory: [UInt8] {
        // Its two ends are where they are said to be. It has one byte: compilers refuse none.
        var bytes: [UInt8] = [0x8a, 0x2b, 0, 0, 0b1100, 0b11] + [UInt8](repeating: 0, count: 40)
        bytes[Int(wideMemoryOffsets.size)] = 1
        return bytes
    }
    /// Where its first address, its last and its size are in a template that begins with it.
    static let wideMemoryOffsets: (first: UInt64, last: UInt64, size: UInt64) = (14, 22, 38)

    // MARK: - Parts

    private static func path(_ name: String) -> [UInt8] {
        let bytes = Array(name.utf8)
        precondition(bytes.count == (name.first == "\\" ? 5 : 4), "a name has four characters")
        return bytes
    }

    /// What a package's length is put before: the length counts itself; section 20.2.4.
    private static func sized(_ bytes: [UInt8]) -> [UInt8] {
        if bytes.count + 1 <= 0x3f { return [UInt8(bytes.count + 1)] + bytes }
        let more = (1...3).first { bytes.count + 1 + $0 < 1 << (4 + 8 * $0) }
        guard let more else { preconditionFailure("a term has less than 256 MiB") }
        return length(bytes.count + 1 + more, more: more) + bytes
    }

    /// A length that counts other things than its own bytes.
    private static func length(_ count: Int) -> [UInt8] {
        if count <= 0x3f { return [UInt8(count)] }
        guard let more = (1...3).first(where: { count < 1 << (4 + 8 * $0) }) else {
            preconditionFailure("a field has less than 2²⁸ bits")
        }
        return length(count, more: more)
    }

    private static func length(_ count: Int, more: Int) -> [UInt8] {
        [UInt8(more << 6 | count & 0xf)] + (0..<more).map { UInt8(truncatingIfNeeded: count >> (4 + 8 * $0)) }
    }
}
