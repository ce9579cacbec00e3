/// What a document is made of: maps itself from and to JSON, field by field.
package protocol DocumentValue {
    init(_ element: DocumentElement) throws(DocumentError)
    var json: JSON { get }
}

/// Reads a whole document from the bytes of its file.
package func decode<T: DocumentValue>(
    _ bytes: some Collection<UInt8>, as type: T.Type = T.self
) throws(DocumentError) -> T {
    let tree = try JSONTree(Array(bytes))
    // Elements borrow the tree, so it must live until the last of them has been read.
    let result: Result<T, DocumentError> = withExtendedLifetime(tree) {
        do throws(DocumentError) {
            return .success(try T(DocumentElement(Unmanaged.passUnretained(tree), 0)))
        } catch {
            return .failure(error)
        }
    }
    return try result.get()
}

extension String: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) { self = try element.string() }
    package var json: JSON { .string(self) }
}

extension Bool: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) { self = try element.bool() }
    package var json: JSON { .bool(self) }
}

extension DocumentValue where Self: FixedWidthInteger {
    package init(_ element: DocumentElement) throws(DocumentError) { self = try element.integer() }
    package var json: JSON { JSON(self) }
}

extension Int: DocumentValue {}
extension Int32: DocumentValue {}
extension Int64: DocumentValue {}
extension UInt16: DocumentValue {}
extension UInt32: DocumentValue {}
extension UInt64: DocumentValue {}

extension Array: DocumentValue where Element: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        self = try element.elements { (element) throws(DocumentError) in try Element(element) }
    }
    package var json: JSON { .array(map { $0.json }) }
}

extension Dictionary: DocumentValue where Key == String, Value: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        var result: [String: Value] = [:]
        try element.members { (key, element) throws(DocumentError) in
            if result.updateValue(try Value(element), forKey: key) != nil { throw element.problem("given 2 times") }
        }
        self = result
    }

    /// Sorted by name: the same document gives the same bytes every time.
    package var json: JSON {
        .object(sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value.json) })
    }
}

/// A closed set of names, as the specification lists it: any other value is an error (config.md, Valid values).
package protocol DocumentName: DocumentValue, RawRepresentable<String>, CaseIterable {
    /// The set, with its article: `a namespace type`.
    static var noun: String { get }
}

extension DocumentName {
    package init(_ element: DocumentElement) throws(DocumentError) {
        guard let name = Self(rawValue: try element.string()) else {
            let names = Self.allCases.map { $0.rawValue }
            let list = names.count <= 10 ? " (\(names.joined(separator: ", ")))" : ""
            throw element.mismatch("\(Self.noun)\(list)")
        }
        self = name
    }

    package var json: JSON { .string(rawValue) }
}
