/// How a mount's owners are mapped, as the options `idmap` and `ridmap` ask.
///
/// Without ranges the mapping is that of a user namespace which the mount's user chooses.
public struct MountIDMapping: Hashable, Sendable {
    /// One range of ids.
    public struct Range: Hashable, Sendable {
        /// The ids as the file system stores them, and what they become.
        public var entry: IDMap.Entry
        /// Written with `@`: what they become is an id inside the container's user namespace, not outside.
        public var isRelative: Bool

        public init(_ entry: IDMap.Entry, isRelative: Bool = false) {
            self.entry = entry
            self.isRelative = isRelative
        }
    }

    /// `ridmap`: the mounts below as well.
    public var recursive: Bool
    /// The ranges of user ids; empty where the option gave none.
    public var users: [Range]
    /// The ranges of group ids; empty where the option gave none.
    public var groups: [Range]

    public init(recursive: Bool, users: [Range] = [], groups: [Range] = []) {
        self.recursive = recursive
        self.users = users
        self.groups = groups
    }

    /// Reads `idmap=uids=0-1000-10#10-5000-1;gids=@0-0-5`.
    init(word: String) throws(MountOptionError) {
        self.init(recursive: word.hasPrefix("r"))
        let value = word.drop { $0 != "=" }.dropFirst()
        for part in value.split(separator: ";", omittingEmptySubsequences: false) {
            guard let equals = part.firstIndex(of: "=") else { throw .malformedIDMap(word) }
            guard let ranges = Self.ranges(part[part.index(after: equals)...]) else { throw .malformedIDMap(word) }
            switch part[..<equals] {
            case "uids": users += ranges
            case "gids": groups += ranges
            default: throw .malformedIDMap(word)
            }
        }
    }

    private static func ranges(_ text: Substring) -> [Range]? {
        var ranges: [Range] = []
        for part in text.split(separator: "#", omittingEmptySubsequences: false) {
            let isRelative = part.hasPrefix("@")
            let numbers = part.dropFirst(isRelative ? 1 : 0).split(separator: "-", omittingEmptySubsequences: false)
                .map { decimal($0) }
            guard numbers.count == 3, let inside = numbers[0], let outside = numbers[1], let count = numbers[2]
            else { return nil }
            ranges.append(Range(IDMap.Entry(inside: inside, outside: outside, count: count), isRelative: isRelative))
        }
        return ranges
    }
}
