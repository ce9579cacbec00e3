/// The members of an object, taken by name.
///
/// A null stands for an absent member, as Go's encoders mean it. A name that the mapping asks for may stand in the
/// object once: two `root` members would let a checker and a runtime see two different documents. Names that nobody
/// asks for are ignored, as the specification demands (config.md, Extensibility).
package struct Fields {
    private let object: DocumentElement

    init(_ object: DocumentElement) { self.object = object }

    /// The member called `name`, unless it is absent or null.
    package func element(_ name: StaticString) throws(DocumentError) -> DocumentElement? {
        let (found, count) = object.withTree { tree -> (Int, Int) in
            var found = 0
            var count = 0
            var index = object.index + 1
            let end = Int(tree.nodes[object.index].next)
            while index < end {
                if tree.string(tree.nodes[index], equals: name) {
                    found = index + 1
                    count += 1
                }
                index = Int(tree.nodes[index + 1].next)
            }
            return (found, count)
        }
        if count == 0 { return nil }
        let element = object.sibling(found)
        guard count == 1 else { throw element.problem("given \(count) times") }
        return element.isNull ? nil : element
    }

    package func optional<T: DocumentValue>(_ name: StaticString) throws(DocumentError) -> T? {
        guard let element = try element(name) else { return nil }
        return try T(element)
    }

    package func required<T: DocumentValue>(_ name: StaticString) throws(DocumentError) -> T {
        guard let element = try element(name) else { throw missing(name) }
        return try T(element)
    }

    package func value<T: DocumentValue>(
        _ name: StaticString, default value: T
    ) throws(DocumentError) -> T {
        guard let element = try element(name) else { return value }
        return try T(element)
    }

    package func list<T: DocumentValue>(_ name: StaticString) throws(DocumentError) -> [T] {
        guard let element = try element(name) else { return [] }
        return try [T](element)
    }

    package func map<T: DocumentValue>(_ name: StaticString) throws(DocumentError) -> [String: T] {
        guard let element = try element(name) else { return [:] }
        return try [String: T](element)
    }

    package func flag(_ name: StaticString) throws(DocumentError) -> Bool {
        guard let element = try element(name) else { return false }
        return try element.bool()
    }

    /// A string that means the same empty as absent: what Go's `omitempty` makes of every optional string.
    package func text(_ name: StaticString) throws(DocumentError) -> String? {
        guard let text: String = try optional(name), !text.isEmpty else { return nil }
        return text
    }

    private func missing(_ name: StaticString) -> DocumentError {
        var path = object.path
        appendName(name.description, to: &path)
        return DocumentError(path: path, problem: "required, but missing")
    }
}
