import Linux

/// The command line, read and checked without a look at the host.
struct Arguments {
    private(set) var id = ""
    private(set) var executable = ""
    private(set) var user: UInt32 = 0
    private(set) var group: UInt32 = 0
    private(set) var base = "/srv/jailer"
    private(set) var networkNamespace: String?
    private(set) var isDaemon = false
    private(set) var hasPidNamespace = false
    /// Whether the monitor outlives this program, which ends as soon as the monitor runs.
    var isLeftAlone: Bool { isDaemon || hasPidNamespace }
    private(set) var settings: [CgroupSetting] = []
    private(set) var parentCgroup: String?
    private(set) var limits: [Limit] = []
    /// What the monitor is told.
    private(set) var rest: [String] = []

    /// A file of the cgroup's, and what is written to it.
    struct CgroupSetting: Hashable {
        var file: String
        var value: String
    }

    /// A resource limit, soft and hard.
    struct Limit: Hashable {
        enum Resource: String {
            case fileSize = "fsize"
            case openFiles = "no-file"
        }
        var resource: Resource
        var value: UInt64
    }

    /// What is asked for.
    enum Request {
        case help
        case version
        case run(Arguments)
        case explain(Arguments)

        init(_ words: ArraySlice<String>) throws(Failure) {
            let own = words.prefix(while: { $0 != "--" })
            if own.contains(where: { $0 == "--help" || $0 == "-h" }) {
                self = .help
                return
            }
            if own.contains("--version") {
                self = .version
                return
            }
            var isExplained = false
            let arguments = try Arguments(words, &isExplained)
            self = isExplained ? .explain(arguments) : .run(arguments)
        }
    }

    private static let once: Set<String> = [
        "--id", "--exec-file", "--uid", "--gid", "--chroot-base-dir", "--netns", "--cgroup-version", "--parent-cgroup",
    ]
    private static let needed = ["--id", "--exec-file", "--uid", "--gid"]

    private init(_ words: ArraySlice<String>, _ isExplained: inout Bool) throws(Failure) {
        var words = words
        var seen: Set<String> = []
        while let word = words.popFirst() {
            if word == "--" {
                rest = Array(words)
                break
            }
            let (option, attached) = Self.split(word)
            switch option {
            case "--daemonize" where attached == nil: isDaemon = true
            case "--new-pid-ns" where attached == nil: hasPidNamespace = true
            case "--explain" where attached == nil: isExplained = true
            case "--daemonize", "--new-pid-ns", "--explain": throw Failure("\(option) takes no value")
            default:
                guard Self.once.contains(option) || option == "--cgroup" || option == "--resource-limit" else {
                    throw Failure("unknown option \(quoted(option)); try `bulkhead-jailer --help`")
                }
                guard let value = attached ?? words.popFirst(), !value.isEmpty else {
                    throw Failure("\(option) needs a value")
                }
                guard seen.insert(option).inserted || !Self.once.contains(option) else {
                    throw Failure("\(option) is there twice")
                }
                try take(option, value)
            }
        }
        for option in Self.needed where !seen.contains(option) { throw Failure("\(option) is missing") }
    }

    /// `--option=value` is one word for two.
    private static func split(_ word: String) -> (String, String?) {
        guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return (word, nil) }
        return (String(word[..<equals]), String(word[word.index(after: equals)...]))
    }

    private mutating func take(_ option: String, _ value: String) throws(Failure) {
        // A path with a NUL would mean a shorter one to the kernel.
        guard !value.utf8.contains(0) else { throw Failure("\(option): the value holds a NUL") }
        switch option {
        case "--id":
            let isName = value.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d
            }
            guard isName, value.utf8.count <= 64 else {
                throw Failure("--id: \(quoted(value)) is not 1 to 64 letters, digits and hyphens")
            }
            id = value
        case "--exec-file": executable = value
        case "--uid": user = try Self.identifier(option, value)
        case "--gid": group = try Self.identifier(option, value)
        case "--chroot-base-dir": base = value
        case "--netns": networkNamespace = value
        case "--cgroup-version":
            guard value == "2" else {
                throw Failure(
                    value == "1"
                        ? "--cgroup-version: version 1 is not supported, only 2"
                        : "--cgroup-version: \(quoted(value)) is not 2")
            }
        case "--parent-cgroup": parentCgroup = try Self.cgroupPath(option, value)
        case "--cgroup": settings.append(try Self.setting(value))
        default: limits.append(try Self.limit(value))
        }
    }

    private static func identifier(_ option: String, _ text: String) throws(Failure) -> UInt32 {
        // All ones mean "leave it as it is" to the kernel.
        guard let number = UInt32(text), number != .max else {
            throw Failure("\(option): \(quoted(text)) is not a number from 0 to 4294967294")
        }
        return number
    }

    private static func cgroupPath(_ option: String, _ text: String) throws(Failure) -> String {
        let levels = text.split(separator: "/", omittingEmptySubsequences: false)
        guard !levels.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw Failure("\(option): \(quoted(text)) is not a path below the hierarchy's root, without . and ..")
        }
        return text
    }

    private static func setting(_ text: String) throws(Failure) -> CgroupSetting {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[1].isEmpty, parts[0].contains("."),
            parts[0].utf8.allSatisfy({
                (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2e || $0 == 0x5f
            }
            ), !parts[0].hasPrefix("."), !parts[0].hasPrefix("cgroup.procs"), !parts[0].hasPrefix("cgroup.threads")
        else { throw Failure("--cgroup: \(quoted(text)) is not FILE=VALUE, as memory.max=256M is") }
        return CgroupSetting(file: parts[0], value: parts[1])
    }

    private static func limit(_ text: String) throws(Failure) -> Limit {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let resource = Limit.Resource(rawValue: parts[0]), let value = UInt64(parts[1]) else {
            throw Failure("--resource-limit: \(quoted(text)) is neither fsize=BYTES nor no-file=NUMBER")
        }
        return Limit(resource: resource, value: value)
    }
}
