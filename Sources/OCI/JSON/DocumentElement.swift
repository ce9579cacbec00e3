/// A value inside a tree, as the mapping from JSON to the documents sees it.
///
/// Copying an element is free: it borrows its tree, and must not outlive it. ``decode(_:)`` and
/// ``JSON/init(parsing:)`` are the only places that make a first one, and both keep the tree alive throughout.
package struct DocumentElement {
    private let unmanagedTree: Unmanaged<JSONTree>
    let index: Int

    init(_ tree: Unmanaged<JSONTree>, _ index: Int) {
        unmanagedTree = tree
        self.index = index
    }

    // Retaining the tree for each of a document's thousand values would cost more than reading them.
    @inline(__always)
    func withTree<T>(_ body: (JSONTree) -> T) -> T { unmanagedTree._withUnsafeGuaranteedRef(body) }

    @inline(__always)
    var node: JSONNode { withTree { $0.nodes[index] } }

    @inline(__always)
    func sibling(_ index: Int) -> DocumentElement { DocumentElement(unmanagedTree, index) }

    var isNull: Bool { node.kind == .null }

    // MARK: Scalars

    package func string() throws(DocumentError) -> String {
        let node = node
        guard node.kind == .string else { throw mismatch("a string") }
        let string = withTree { $0.string(node) }
        if node.flag, string.utf8.contains(0) {
            throw problem("contains a NUL character, which no path, name or argument can hold")
        }
        return string
    }

    package func bool() throws(DocumentError) -> Bool {
        let node = node
        guard node.kind == .bool else { throw mismatch("true or false") }
        return node.flag
    }

    package func integer<T: FixedWidthInteger>() throws(DocumentError) -> T {
        let node = node
        guard node.kind == .integer else { throw mismatch("an integer") }
        guard let wide = withTree({ $0.integer(node) }), let value = T(exactly: wide) else {
            throw mismatch("an integer from \(T.min) to \(T.max)")
        }
        return value
    }

    // MARK: Containers

    /// Each element of an array, in order.
    package func elements<T>(_ map: (DocumentElement) throws(DocumentError) -> T) throws(DocumentError) -> [T] {
        let node = node
        guard node.kind == .array else { throw mismatch("an array") }
        var result: [T] = []
        result.reserveCapacity(Int(node.end))
        var index = index + 1
        while index < Int(node.next) {
            let element = sibling(index)
            result.append(try map(element))
            index = Int(element.node.next)
        }
        return result
    }

    /// Each member of an object, in order.
    package func members(_ body: (String, DocumentElement) throws(DocumentError) -> Void) throws(DocumentError) {
        let node = node
        guard node.kind == .object else { throw mismatch("an object") }
        var index = index + 1
        while index < Int(node.next) {
            let value = sibling(index + 1)
            try body(try sibling(index).string(), value)
            index = Int(value.node.next)
        }
    }

    /// The object's fields, to be taken by name.
    package func fields() throws(DocumentError) -> Fields {
        guard node.kind == .object else { throw mismatch("an object") }
        return Fields(self)
    }

    // MARK: Errors

    /// An error about this element.
    package func problem(_ problem: String) -> DocumentError {
        DocumentError(path: path, problem: problem)
    }

    /// The error that this element is not what was `expected`.
    package func mismatch(_ expected: String) -> DocumentError {
        problem("expected \(expected), found \(summary)")
    }

    private var summary: String {
        let node = node
        switch node.kind {
        case .null: return "null"
        case .bool: return node.flag ? "true" : "false"
        case .integer, .real: return abridged(withTree { $0.text(node) })
        case .string: return "\"\(abridged(withTree { $0.string(node) }))\""
        case .object: return "an object"
        case .array: return "an array"
        }
    }

    /// The path from the root, found by walking down to this element: only errors pay for it.
    var path: String {
        withTree { tree in
            var path = ""
            var container = 0
            while container != index {
                if tree.nodes[container].kind == .object {
                    var name = container + 1
                    while Int(tree.nodes[name + 1].next) <= index { name = Int(tree.nodes[name + 1].next) }
                    appendName(tree.string(tree.nodes[name]), to: &path)
                    // A name that is at fault itself is shown as its member.
                    if name == index { return path }
                    container = name + 1
                } else {
                    var child = container + 1
                    var position = 0
                    while Int(tree.nodes[child].next) <= index {
                        child = Int(tree.nodes[child].next)
                        position += 1
                    }
                    path += "[\(position)]"
                    container = child
                }
            }
            return path
        }
    }
}

/// Adds a member's name to a path: `.limit`, or `["net.core.somaxconn"]` where dots would mislead.
func appendName(_ name: String, to path: inout String) {
    let plain =
        name.utf8.first.map { !(0x30...0x39 ~= $0) } ?? false
        && name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    if plain {
        path += path.isEmpty ? name : ".\(name)"
    } else {
        path += "[\"\(abridged(name))\"]"
    }
}

/// A hostile value cut to a length that a log line can carry, without what would break the line.
func abridged(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        if result.utf8.count >= 60 { return result + "…" }
        switch scalar {
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\r": result += "\\r"
        case "\"", "\\": result += "\\\(scalar)"
        case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value):
            result += "\\u{\(String(scalar.value, radix: 16))}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
