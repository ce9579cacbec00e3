import CLinux
import Linux

/// The ids that unprivileged users may map into their user namespaces: `/etc/subuid` and `/etc/subgid`; `subuid(5)`.
public struct SubordinateIDs: Hashable, Sendable {
    /// `count` ids from `start` on.
    public struct Range: Hashable, Sendable {
        /// A user's name, or its id in decimal. In `/etc/subgid` too it is a user, not a group.
        public var user: String
        public var start: UInt32
        public var count: UInt32

        public init(user: String, start: UInt32, count: UInt32) {
            self.user = user
            self.start = start
            self.count = count
        }
    }

    /// The file's lines, in order.
    public var ranges: [Range]

    public init(_ ranges: [Range] = []) { self.ranges = ranges }

    /// Reads lines of the form `user:start:count`. Others are passed over, as the system's own programs do.
    public init(parsing text: some StringProtocol) {
        ranges = []
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count == 3, !fields[0].isEmpty, let start = decimal(fields[1]),
                let count = decimal(fields[2]), count > 0
            else { continue }
            ranges.append(Range(user: String(fields[0]), start: start, count: count))
        }
    }

    /// The file `/etc/subuid`; nothing where there is none.
    public static func users(path: String = "/etc/subuid") throws(SystemError) -> SubordinateIDs { try read(path) }

    /// The file `/etc/subgid`; nothing where there is none.
    public static func groups(path: String = "/etc/subgid") throws(SystemError) -> SubordinateIDs { try read(path) }

    /// A user's ranges, in the file's order, whether written by name or by id.
    ///
    /// - Parameters:
    ///   - name: the user's name, where it is known.
    ///   - id: the user's id.
    public func ranges(ofUser name: String?, id: uid_t) -> [Range] {
        ranges.filter { $0.user == name || $0.user == "\(id)" }
    }

    /// The usual map of an unprivileged user's namespace: its own id is 0 inside, its subordinate ids follow from 1.
    ///
    /// - Parameters:
    ///   - own: the user's, or its group's, id outside.
    ///   - ranges: its subordinate ids; of one that would go beyond the last id inside, what fits.
    public static func map(own: UInt32, ranges: [Range]) -> IDMap {
        var map = IDMap(mapping: 0, to: own)
        var next: UInt64 = 1
        for range in ranges {
            let count = min(UInt64(range.count), UInt64(UInt32.max) - next)
            if count == 0 { break }
            map.entries.append(IDMap.Entry(inside: UInt32(next), outside: range.start, count: UInt32(count)))
            next += count
        }
        return map
    }

    private static func read(_ path: String) throws(SystemError) -> SubordinateIDs {
        do throws(SystemError) { return SubordinateIDs(parsing: try readText(path)) } catch {
            if error.errno == .noSuchFileOrDirectory { return SubordinateIDs() }
            throw error
        }
    }
}
