import Linux
import OCI
import Synchronization

/// What a guest can ask about itself: a JSON document that clients of the API write and programs of the guest read, from
/// threads of their own.
final class MetadataStore: Sendable {
    /// Why a document is not taken.
    enum Refusal: Error, Hashable {
        /// It is larger than the store may be.
        case tooLarge
        /// There is nothing yet that could be changed.
        case notInitialized
    }

    private struct State {
        var contents = JSON.null
        var isInitialized = false
        var tokens = SessionTokens()
        var needsToken = false
        var isPlain = false
    }

    /// Bytes of the document as text.
    let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    // MARK: - The API's side

    var contents: JSON { state.withLock { $0.contents } }

    /// Says how programs of the guest ask.
    ///
    /// - Parameters:
    ///   - needsToken: only with a token: version 2.
    ///   - isPlain: nobody gets JSON, whatever they accept, as in EC2.
    func configure(needsToken: Bool, isPlain: Bool) {
        state.withLock { ($0.needsToken, $0.isPlain) = (needsToken, isPlain) }
    }

    func replace(_ contents: JSON) throws(Refusal) {
        let contents = contents.sorted
        guard contents.encodedBytes().count <= limit else { throw .tooLarge }
        state.withLock { ($0.contents, $0.isInitialized) = (contents, true) }
    }

    /// Changes what a patch names; RFC 7396.
    func merge(_ patch: JSON) throws(Refusal) {
        try state.withLock { (state) throws(Refusal) in
            guard state.isInitialized else { throw .notInitialized }
            let merged = state.contents.merged(with: patch.sorted)
            guard merged.encodedBytes().count <= limit else { throw .tooLarge }
            state.contents = merged
        }
    }

    // MARK: - The guest's side

    var needsToken: Bool { state.withLock { $0.needsToken } }
    var isPlain: Bool { state.withLock { $0.isPlain } }

    /// The value that a path leads to, as in `/latest/meta-data/0`; nil where it leads nowhere.
    func value(at path: String) -> JSON? { state.withLock { $0.contents.value(at: path) } }

    func makeToken(lifetime: UInt32, now: UInt64) -> String {
        state.withLock { $0.tokens.make(lifetime: lifetime, now: now) }
    }

    func isValid(token: String, now: UInt64) -> Bool { state.withLock { $0.tokens.isValid(token, now: now) } }
}

extension JSON {
    /// The same with each object's members in their names' order, and the last of each name alone.
    var sorted: JSON {
        switch self {
        case .array(let elements): return .array(elements.map { $0.sorted })
        case .object(let members):
            var values: [String: JSON] = [:]
            for member in members { values[member.name] = member.value }
            return .object(
                values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                    .map { Member($0.key, $0.value.sorted) })
        default: return self
        }
    }

    /// What becomes of a document by a patch: members of null go, others come or change; RFC 7396. Both are sorted, and so
    /// is the result.
    func merged(with patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        var old: [Member] = []
        if case .object(let members) = self { old = members }
        var values: [String: JSON] = [:]
        for member in old { values[member.name] = member.value }
        for change in changes {
            if change.value == .null {
                values.removeValue(forKey: change.name)
            } else {
                values[change.name] = (values[change.name] ?? .null).merged(with: change.value)
            }
        }
        return JSON.object(values.map { Member($0.key, $0.value) }).sortedMembers
    }

    /// One level of ``sorted``.
    private var sortedMembers: JSON {
        guard case .object(let members) = self else { return self }
        return .object(members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
    }

    /// Follows a path, with `~1` for a slash in a name and `~0` for a tilde; RFC 6901. Slashes in a row are one, and one at
    /// the end is none.
    func value(at path: String) -> JSON? {
        var value = self
        for part in path.split(separator: "/") {
            switch value {
            case .object(let members):
                let name = part.unescaped
                guard let member = members.first(where: { $0.name == name }) else { return nil }
                value = member.value
            case .array(let elements):
                guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), part == "0" || part.first != "0",
                    let index = Int(part), index < elements.count
                else { return nil }
                value = elements[index]
            default: return nil
            }
        }
        return value
    }

    /// As EC2's service tells it: the names of an object, each on a line, those of objects with a slash; a text as it is.
    /// nil for values that it does not have.
    var plainText: String? {
        switch self {
        case .object(let members):
            members.map { member in
                if case .object = member.value { "\(member.name)/" } else { member.name }
            }.joined(separator: "\n")
        case .string(let text): text
        default: nil
        }
    }
}

extension Substring {
    fileprivate var unescaped: String {
        var text = ""
        var rest = self
        while let tilde = rest.firstIndex(of: "~") {
            text += rest[..<tilde]
            rest = rest[tilde...].dropFirst()
            switch rest.first {
            case "0": text += "~"
            case "1": text += "/"
            default:
                text += "~"
                continue
            }
            rest = rest.dropFirst()
        }
        return text + rest
    }
}
