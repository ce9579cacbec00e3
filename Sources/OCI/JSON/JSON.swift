/// A JSON value, for what has no type of its own here: log lines, listings, events.
///
/// ```swift
/// let line: JSON = ["level": "error", "msg": .string(message), "pid": JSON(pid)]
/// print(line.encoded())
/// ```
public enum JSON: Equatable, Sendable {
    /// One name and its value in an object.
    public struct Member: Equatable, Sendable {
        /// The name.
        public var name: String
        /// The value.
        public var value: JSON

        /// Makes a member.
        public init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    /// `null`
    case null
    /// `true` or `false`
    case bool(Bool)
    /// A whole number: wide enough for the kernel's `Int64` and `UInt64` alike.
    case integer(Int128)
    /// A number with a fraction or exponent. Not-a-number and the infinities, which JSON lacks, encode as null.
    case real(Double)
    /// Text.
    case string(String)
    /// Values in order.
    case array([JSON])
    /// Members in order.
    case object([Member])

    /// A whole number of any type up to 64 bits.
    public init(_ value: some FixedWidthInteger) { self = .integer(Int128(value)) }

    /// Text.
    public init(_ value: String) { self = .string(value) }

    /// Reads a JSON text (RFC 8259, in UTF-8).
    ///
    /// - Throws: ``DocumentError`` with line and column for what is not JSON, for more than 8 MiB and for more than
    ///   512 levels.
    public init(parsing text: some Collection<UInt8>) throws(DocumentError) {
        self = try decode(text)
    }

    /// Reads a JSON text (RFC 8259).
    public init(parsing text: String) throws(DocumentError) {
        self = try decode(text.utf8)
    }

    /// The value of an object's member, the last of that name; nil for anything else.
    public subscript(_ name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    /// The text, if this is a string.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The truth value, if this is one.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements, if this is an array.
    public var arrayValue: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The whole number, if this is one and fits.
    public func integerValue<T: FixedWidthInteger>(as type: T.Type = T.self) -> T? {
        if case .integer(let value) = self { T(exactly: value) } else { nil }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(Int128(value)) }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Null.
    public init(nilLiteral: ()) { self = .null }
    /// An array.
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    /// An object, its members in the order written.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }
}

extension JSON: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let node = element.node
        switch node.kind {
        case .null: self = .null
        case .bool: self = .bool(node.flag)
        case .integer:
            if let value = element.withTree({ $0.integer(node) }) {
                self = .integer(value)
            } else {
                self = .real(Double(element.withTree { $0.text(node) }) ?? .infinity)
            }
        case .real: self = .real(Double(element.withTree { $0.text(node) }) ?? .nan)
        case .string: self = .string(element.withTree { $0.string(node) })
        case .array: self = .array(try element.elements { (element) throws(DocumentError) in try JSON(element) })
        case .object:
            var members: [Member] = []
            members.reserveCapacity(Int(node.end))
            var index = element.index + 1
            while index < Int(node.next) {
                let name = element.sibling(index).node
                let value = element.sibling(index + 1)
                members.append(Member(element.withTree { $0.string(name) }, try JSON(value)))
                index = Int(value.node.next)
            }
            self = .object(members)
        }
    }

    package var json: JSON { self }
}
