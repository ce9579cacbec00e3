import OCI

/// What is wrong with a document, in the words that clients of Firecracker know.
struct BodyError: Error, Hashable {
    var message: String
    /// nil for what is wrong with the whole.
    var place: BodyPlace?

    init(_ message: String, _ spot: BodyPlace.Spot? = .behindValue) {
        self.message = message
        place = spot.map { BodyPlace($0) }
    }

    /// The same, as who holds the value at fault sees it.
    func inside(_ step: BodyPlace.Step) -> BodyError {
        var error = self
        error.place?.steps.insert(step, at: 0)
        return error
    }
}

/// The members of a JSON object, of which all names are known: any other would be one that is misspelt.
///
/// ```swift
/// let members = try Members(json, "BootSourceConfig", ["kernel_image_path", "initrd_path", "boot_args"])
/// path = try members.required("kernel_image_path", Value.text)
/// ```
struct Members {
    private let members: [JSON.Member]

    /// - Parameter type: what the object is, for messages.
    init(_ json: JSON, _ type: String, _ names: [String]) throws(BodyError) {
        guard case .object(let members) = json else { throw Value.mismatch(json, "struct \(type)") }
        var seen: Set<String> = []
        for member in members {
            guard names.contains(member.name) else {
                throw BodyError(
                    "unknown field `\(member.name)`, expected \(Value.choice(names))",
                    .behindName(member.name, occurrence: 0))
            }
            guard seen.insert(member.name).inserted else {
                throw BodyError("duplicate field `\(member.name)`", .behindName(member.name, occurrence: 1))
            }
        }
        self.members = members
    }

    /// Reads a member; nil where it is absent or null.
    func optional<T>(_ name: String, _ read: (JSON) throws(BodyError) -> T) throws(BodyError) -> T? {
        guard let value = self[name], value != .null else { return nil }
        return try Self.read(value, .member(name), read)
    }

    /// Reads a member that has a value of its own where it is absent, and may not be null.
    func value<T>(_ name: String, or absent: T, _ read: (JSON) throws(BodyError) -> T) throws(BodyError) -> T {
        guard let value = self[name] else { return absent }
        return try Self.read(value, .member(name), read)
    }

    func required<T>(_ name: String, _ read: (JSON) throws(BodyError) -> T) throws(BodyError) -> T {
        guard let value = self[name] else { throw BodyError("missing field `\(name)`") }
        return try Self.read(value, .member(name), read)
    }

    fileprivate static func read<T>(
        _ value: JSON, _ step: BodyPlace.Step, _ read: (JSON) throws(BodyError) -> T
    ) throws(BodyError) -> T {
        do throws(BodyError) { return try read(value) } catch { throw error.inside(step) }
    }

    private subscript(name: String) -> JSON? { members.first { $0.name == name }?.value }
}

/// Readers of single values.
enum Value {
    static func text(_ json: JSON) throws(BodyError) -> String { try text(json, "a string") }
    static func path(_ json: JSON) throws(BodyError) -> String { try text(json, "path string") }

    static func text(_ json: JSON, _ expected: String) throws(BodyError) -> String {
        guard case .string(let text) = json else { throw mismatch(json, expected) }
        // A path with one would be cut there by the kernel.
        guard !text.utf8.contains(0) else { throw BodyError("invalid value: string with a NUL, expected \(expected)") }
        return text
    }

    static func truth(_ json: JSON) throws(BodyError) -> Bool {
        guard case .bool(let truth) = json else { throw mismatch(json, "a boolean") }
        return truth
    }

    static func u8(_ json: JSON) throws(BodyError) -> UInt8 { try integer(json, "u8") }
    static func u16(_ json: JSON) throws(BodyError) -> UInt16 { try integer(json, "u16") }
    static func u32(_ json: JSON) throws(BodyError) -> UInt32 { try integer(json, "u32") }
    static func u64(_ json: JSON) throws(BodyError) -> UInt64 { try integer(json, "u64") }
    static func usize(_ json: JSON) throws(BodyError) -> UInt64 { try integer(json, "usize") }

    private static func integer<T: FixedWidthInteger>(_ json: JSON, _ type: String) throws(BodyError) -> T {
        guard case .integer(let number) = json else { throw mismatch(json, type) }
        guard let value = T(exactly: number) else {
            throw BodyError("invalid value: integer `\(number)`, expected \(type)")
        }
        return value
    }

    /// One of a few names.
    static func name<T: CaseIterable & RawRepresentable<String>>(_ json: JSON) throws(BodyError) -> T {
        let text = try text(json)
        guard let value = T(rawValue: text) else {
            throw BodyError("unknown variant `\(text)`, expected \(choice(T.allCases.map { $0.rawValue }))")
        }
        return value
    }

    static func list<T>(_ json: JSON, _ read: (JSON) throws(BodyError) -> T) throws(BodyError) -> [T] {
        guard case .array(let elements) = json else { throw mismatch(json, "a sequence") }
        var values: [T] = []
        for (index, element) in elements.enumerated() {
            values.append(try Members.read(element, .element(index), read))
        }
        return values
    }

    static func mismatch(_ json: JSON, _ expected: String) -> BodyError {
        let found =
            switch json {
            case .null: "null"
            case .bool(let value): "boolean `\(value)`"
            case .integer(let value): "integer `\(value)`"
            case .real(let value): "floating point `\(value)`"
            case .string(let value): "string \(JSON(value).encoded())"
            case .array: "sequence"
            case .object: "map"
            }
        let isEntered = if case .array = json { false } else if case .object = json { false } else { true }
        return BodyError("invalid type: \(found), expected \(expected)", isEntered ? .behindValue : .beforeValue)
    }

    /// `a`, `a or b`, `one of a, b, c`, each in back quotes.
    static func choice(_ names: [String]) -> String {
        let quoted = names.map { "`\($0)`" }
        return switch quoted.count {
        case 1: quoted[0]
        case 2: "\(quoted[0]) or \(quoted[1])"
        default: "one of \(quoted.joined(separator: ", "))"
        }
    }
}

extension JSON {
    /// Reads a body.
    init(body: [UInt8]) throws(BodyError) {
        do throws(DocumentError) { self = try JSON(parsing: body) } catch { throw BodyError(error, in: body) }
    }

    /// null for nil.
    init(_ value: String?) { self = value.map { .string($0) } ?? .null }
    init(_ value: (some FixedWidthInteger)?) { self = value.map { JSON($0) } ?? .null }
}
