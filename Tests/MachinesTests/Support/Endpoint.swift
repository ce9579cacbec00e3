import OCI

@testable import bulkhead_vm

/// A monitor as its clients find it.
enum MonitorState: String, CaseIterable {
    case notStarted
    case running
    case paused
    case restored
    /// Restored and resumed.
    case resumed

    /// As `GET /` has it.
    var name: String {
        switch self {
        case .notStarted: "Not started"
        case .running, .resumed: "Running"
        case .paused, .restored: "Paused"
        }
    }
}

/// What a monitor should answer.
enum Expected {
    /// 204 and no body.
    case done
    /// 200 and a body with this in it.
    case told(String)
    /// 400 and this message.
    case fault(String)
    /// 400, a message of the server's that begins so, and the end of the connection.
    case error(String)

    static let preBoot = fault("The requested operation is not supported before starting the microVM.")
    static let postBoot = fault("The requested operation is not supported after starting the microVM.")
}

/// A method and a path, what its body may be, and what is answered in each state.
struct Endpoint {
    var method: String
    /// Without the id.
    var path: String
    var id: String?
    /// A good one, as JSON in which `$DIR` is a folder and `$STATE` the state; nil where there is none.
    var body: String?
    var shape: Shape?
    /// A body that is not there is a good one, too.
    var mayBeEmpty = false
    var before: Expected
    var after: Expected
    /// Where it is something else.
    var otherwise: [MonitorState: Expected] = [:]
    /// A field in the good body is on its way out: the answer says so.
    var isDeprecated = false
    /// In these states it changes the state, and is asked for behind all others.
    var ends: Set<MonitorState> = []

    var place: String { id.map { "\(path)/\($0)" } ?? path }

    func expected(in state: MonitorState) -> Expected {
        otherwise[state] ?? (state == .notStarted ? before : after)
    }
}

/// What Firecracker's reader of a body expects: its own names of types, which messages have.
struct Shape {
    enum Kind {
        /// A value of this kind.
        case value(String)
        /// One of these names.
        case oneOf([String])
        /// What is wrong in it is another test's.
        case any
    }

    struct Field {
        var name: String
        var kind: Kind
        var isRequired: Bool
    }

    var type: String
    var fields: [Field]
    /// The field that repeats the path's id, and whether a refusal names both.
    var id: (name: String, isNamed: Bool)?

    init(_ type: String, id: (name: String, isNamed: Bool)? = nil, _ fields: Field...) {
        (self.type, self.id, self.fields) = (type, id, fields)
    }
}

extension Shape.Field {
    static func must(_ name: String, _ kind: Shape.Kind) -> Self { .init(name: name, kind: kind, isRequired: true) }
    static func may(_ name: String, _ kind: Shape.Kind) -> Self { .init(name: name, kind: kind, isRequired: false) }
}

extension Shape.Kind {
    static let text = value("a string")
    static let path = value("path string")
    static let truth = value("a boolean")
    static let list = value("a sequence")
    static let limit = value("struct RateLimiterConfig")
    static func number(_ type: String) -> Self { .value(type) }
}

extension Shape {
    /// Bodies that are wrong in one thing each, and what is said of them.
    ///
    /// What is wrong stands first, where its column is easy to tell.
    func wrong(of body: String) throws -> [(body: String, message: String)] {
        guard case .object(let good) = try JSON(parsing: body) else { return [] }
        func text(_ members: [JSON.Member]) -> String { JSON.object(members).encoded() }
        let names = fields.map { "`\($0.name)`" }
        let choice =
            names.count > 2 ? "one of \(names.joined(separator: ", "))" : names.joined(separator: " or ")
        var cases = [
            (body: "5", message: "invalid type: integer `5`, expected struct \(type) at line 1 column 1"),
            (
                text([.init("foo", 1)] + good), "unknown field `foo`, expected \(choice) at line 1 column 6"
            ),
        ]
        if let first = good.first {
            let start = text([first]).dropLast()
            let column = start.utf8.count + first.name.utf8.count + 3
            cases.append(
                (
                    "\(start),\(text(good).dropFirst())",
                    "duplicate field `\(first.name)` at line 1 column \(column)"
                ))
        }
        for field in fields {
            let rest = good.filter { $0.name != field.name }
            if field.isRequired {
                // Only what stands alone is surely the first that is missing.
                let body = text(rest)
                cases.append((body, "missing field `\(field.name)` at line 1 column \(body.utf8.count)"))
            }
            let before = field.name.utf8.count + 4
            switch field.kind {
            case .value(let type) where type == "a sequence" || type.hasPrefix("struct"):
                cases.append(
                    (
                        text([.init(field.name, 5)] + rest),
                        "invalid type: integer `5`, expected \(type) at line 1 column \(before + 1)"
                    ))
            case .value(let type):
                cases.append(
                    (
                        text([.init(field.name, [])] + rest),
                        "invalid type: sequence, expected \(type) at line 1 column \(before)"
                    ))
            case .oneOf(let names):
                let list = names.map { "`\($0)`" }
                let choice = list.count > 2 ? "one of \(list.joined(separator: ", "))" : list.joined(separator: " or ")
                cases.append(
                    (
                        text([.init(field.name, "Foo")] + rest),
                        "unknown variant `Foo`, expected \(choice) at line 1 column \(before + 5)"
                    ))
            case .any: break
            }
        }
        return cases
    }
}
