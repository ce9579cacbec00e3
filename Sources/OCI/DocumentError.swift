/// What is wrong with a document, and where.
///
/// Reads as one line: `linux.resources.memory.limit: expected an integer, found "1g"` for a field, and
/// `line 3, column 7: expected a comma or a closing brace, found "x"` for text that is not JSON at all.
public struct DocumentError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A place in the text of a document, both counted from one; a column is a byte of the line.
    public struct Position: Equatable, Sendable {
        /// The line, from 1.
        public var line: Int
        /// The byte within the line, from 1.
        public var column: Int
    }

    /// The field, such as `mounts[3].options[0]`. Empty when the document as a whole is meant.
    public var path: String

    /// What is wrong with it, without the path.
    public var problem: String

    /// Where the text stops being JSON; nil for a document that is JSON but not what it should be.
    public var position: Position?

    /// Makes an error about the field at `path`.
    public init(path: String, problem: String) {
        self.path = path
        self.problem = problem
    }

    package init(at position: Position, _ problem: String) {
        self.path = ""
        self.problem = problem
        self.position = position
    }

    /// The error as one line.
    public var description: String {
        if let position { return "line \(position.line), column \(position.column): \(problem)" }
        return path.isEmpty ? problem : "\(path): \(problem)"
    }

    /// The same error seen from the object or array that holds `path` under `component`.
    package func inside(_ component: String) -> DocumentError {
        var outer = self
        let joint = path.isEmpty || path.utf8.first == UInt8(ascii: "[") ? "" : "."
        outer.path = component + joint + path
        return outer
    }
}

/// Runs a check of the part of a document under `component`, so that its errors carry the whole path.
package func checking(
    _ component: @autoclosure () -> String, _ check: () throws(DocumentError) -> Void
) throws(DocumentError) {
    do {
        try check()
    } catch {
        throw error.inside(component())
    }
}
