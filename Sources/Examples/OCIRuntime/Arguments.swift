/// An option of the command line.
struct Option: Equatable, Sendable {
    let name: String
    let short: Character?
    /// What its value is called in the help; nil for a switch.
    let value: String?
    let help: String

    init(_ name: String, short: Character? = nil, value: String? = nil, _ help: String) {
        self.name = name
        self.short = short
        self.value = value
        self.help = help
    }

    static let help = Option("help", short: "h", "show this help")

    static func == (left: Option, right: Option) -> Bool { left.name == right.name }
}

/// What a command line says, taken apart.
///
/// Options are written `--name value`, `--name=value`, `-n value`, `-n=value` and `-nvalue`; switches may be bundled
/// (`-td`) and may say `=true` or `=false`. One dash does for a long name too, as in every program that uses Go's flag
/// package, runc among them. `--` ends the options.
struct Arguments {
    /// What is no option, in order.
    private(set) var positional: [String] = []
    private var given: [(option: Option, value: String)] = []

    /// - Parameter endsAtFirstArgument: Whether options end where the first other word stands, because what follows it
    ///   belongs to another program.
    init(_ words: some Sequence<String>, options: [Option], endsAtFirstArgument: Bool = false) throws(Failure) {
        var words = words.makeIterator()
        while let word = words.next() {
            if word == "--" {
                while let rest = words.next() { positional.append(rest) }
            } else if !word.hasPrefix("-") || word == "-" {
                positional.append(word)
                guard endsAtFirstArgument else { continue }
                while let rest = words.next() { positional.append(rest) }
            } else {
                try take(word, options) { words.next() }
            }
        }
    }

    private mutating func take(_ word: String, _ options: [Option], next: () -> String?) throws(Failure) {
        let isLong = word.hasPrefix("--")
        let body = word.dropFirst(isLong ? 2 : 1)
        let equals = body.firstIndex(of: "=")
        let name = equals.map { body[..<$0] } ?? body
        let attached = equals.map { String(body[body.index(after: $0)...]) }

        if let option = options.first(where: { $0.name == name }) {
            return try add(option, attached, written: word, next)
        }
        guard !isLong else { throw Failure.usage("unknown option \(word)") }

        var rest = body
        while let letter = rest.popFirst() {
            guard let option = options.first(where: { $0.short == letter }) else {
                throw Failure.usage("unknown option \(word)")
            }
            var value: String?
            if rest.first == "=" {
                value = String(rest.dropFirst())
                rest = ""
            } else if option.value != nil, !rest.isEmpty {
                value = String(rest)
                rest = ""
            }
            try add(option, value, written: "-\(letter)", next)
        }
    }

    private mutating func add(
        _ option: Option, _ value: String?, written: String, _ next: () -> String?
    ) throws(Failure) {
        if option.value == nil {
            guard let isOn = truth(value ?? "true") else {
                throw Failure.usage("option --\(option.name): expected true or false, found \"\(value ?? "")\"")
            }
            given.append((option, isOn ? "true" : "false"))
        } else if let value = value ?? next() {
            given.append((option, value))
        } else {
            throw Failure.usage("option \(written) needs a value")
        }
    }

    // Go's strconv.ParseBool.
    private func truth(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }

    /// The last value given; nil for none and for an empty one, which callers write who always write the option.
    subscript(_ option: Option) -> String? {
        guard let value = given.last(where: { $0.option == option })?.value, !value.isEmpty else { return nil }
        return value
    }

    /// Every value given, in order.
    func values(_ option: Option) -> [String] { given.filter { $0.option == option }.map { $0.value } }

    /// Whether a switch is on.
    func isSet(_ option: Option) -> Bool { self[option] == "true" }

    /// Whether an option was given at all, whatever its value.
    func isGiven(_ option: Option) -> Bool { given.contains { $0.option == option } }
}
