import OCI

extension BodyError {
    /// What keeps a text from being JSON, in the words of the reader that Firecracker has, whose place at the text's end is
    /// the last byte.
    init(_ error: DocumentError, in body: [UInt8]) {
        let isAtEnd = error.problem.hasSuffix(", found the end of the text") || error.problem == Self.openString
        let words = isAtEnd ? Self.end(error.problem, body) : Self.words(error.problem)
        let place = error.position.map { " at line \($0.line) column \($0.column - (isAtEnd ? 1 : 0))" } ?? ""
        self.init(words + place, nil)
    }

    private static let openString = "a string without its closing quote"

    private static func end(_ problem: String, _ body: [UInt8]) -> String {
        let last = body.last { !" \t\r\n".utf8.contains($0) }
        let part =
            if problem == openString {
                "a string"
            } else if problem.hasPrefix("expected a comma or a closing bracket") || last == UInt8(ascii: "[") {
                "a list"
            } else if problem.hasPrefix("expected a comma or a closing brace") || problem.hasPrefix("expected a colon")
                || last == UInt8(ascii: "{")
            { "an object" } else { "a value" }
        return "EOF while parsing \(part)"
    }

    private static func words(_ problem: String) -> String {
        let known: [(ours: String, theirs: String)] = [
            ("expected a name in quotes, found \"}\"", "trailing comma"),
            ("expected a value, found \"]\"", "trailing comma"),
            ("expected a name in quotes", "key must be a string"), ("expected a colon", "expected `:`"),
            ("expected a comma or a closing brace", "expected `,` or `}`"),
            ("expected a comma or a closing bracket", "expected `,` or `]`"),
            ("expected the end of the document", "trailing characters"), ("expected a digit", "invalid number"),
            ("expected a value", "expected value"), ("expected an escape", "invalid escape"),
            ("expected true", "expected ident"), ("expected false", "expected ident"),
            ("expected null", "expected ident"),
        ]
        return known.first { problem.hasPrefix($0.ours) }?.theirs ?? problem
    }
}
