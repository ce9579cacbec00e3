import Linux

/// Which ids of a user namespace stand for which outside of it; `user_namespaces(7)`, `/proc/PID/uid_map`.
public struct IDMap: Hashable, Sendable {
    /// One line: `count` ids from `inside` on stand for those from `outside` on.
    public struct Entry: Hashable, Sendable {
        public var inside: UInt32
        public var outside: UInt32
        public var count: UInt32

        public init(inside: UInt32, outside: UInt32, count: UInt32) {
            self.inside = inside
            self.outside = outside
            self.count = count
        }

        /// The ids inside. Never overflows: the bounds are 64 bits wide.
        var insideRange: Swift.Range<UInt64> { UInt64(inside)..<UInt64(inside) + UInt64(count) }
        var outsideRange: Swift.Range<UInt64> { UInt64(outside)..<UInt64(outside) + UInt64(count) }
    }

    /// The lines, in order.
    public var entries: [Entry]

    public init(_ entries: [Entry] = []) { self.entries = entries }

    /// One id that stands for one.
    public init(mapping inside: UInt32, to outside: UInt32) {
        entries = [Entry(inside: inside, outside: outside, count: 1)]
    }

    /// The most lines that the kernel takes; Linux 4.15.
    public static let maximumEntryCount = 340

    /// Every id stands for itself: the map of the first user namespace.
    public static let identity = IDMap([Entry(inside: 0, outside: 0, count: .max)])

    /// Reads the form of `/proc/PID/uid_map`: three numbers a line, between blanks.
    ///
    /// - Throws: ``IDMapError/malformed(line:)``. The map is not checked for what the kernel would refuse.
    public init(parsing text: some StringProtocol) throws(IDMapError) {
        entries = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let fields = line.split { $0 == " " || $0 == "\t" }
            if fields.isEmpty { continue }
            guard fields.count == 3, let inside = decimal(fields[0]), let outside = decimal(fields[1]),
                let count = decimal(fields[2])
            else { throw .malformed(line: index + 1) }
            entries.append(Entry(inside: inside, outside: outside, count: count))
        }
    }

    /// What the kernel is given: three numbers a line.
    public var text: String {
        entries.map { "\($0.inside) \($0.outside) \($0.count)\n" }.joined()
    }

    /// Refuses what the kernel would answer `EINVAL` to, and says why.
    ///
    /// - Throws: ``IDMapError``.
    public func validate() throws(IDMapError) {
        if entries.isEmpty { throw .empty }
        if entries.count > Self.maximumEntryCount { throw .tooManyEntries(entries.count) }
        for entry in entries {
            if entry.count == 0 { throw .emptyRange(entry) }
            // 4294967295 is the id that means "no id", so no range may hold it.
            if entry.insideRange.upperBound > UInt64(UInt32.max) || entry.outsideRange.upperBound > UInt64(UInt32.max) {
                throw .outOfRange(entry)
            }
        }
        for ranges in [entries.map { ($0, $0.insideRange) }, entries.map { ($0, $0.outsideRange) }] {
            let sorted = ranges.sorted { $0.1.lowerBound < $1.1.lowerBound }
            for (one, next) in zip(sorted, sorted.dropFirst()) where one.1.upperBound > next.1.lowerBound {
                throw .overlap(one.0, next.0)
            }
        }
        // The kernel takes the whole map in one write of less than a page.
        if text.utf8.count >= 4096 { throw .tooLong(text.utf8.count) }
    }

    /// The outside id that an inside one stands for; nil when it is not mapped.
    public func outside(_ inside: UInt32) -> UInt32? {
        for entry in entries where entry.insideRange.contains(UInt64(inside)) {
            return UInt32(exactly: UInt64(entry.outside) + UInt64(inside - entry.inside))
        }
        return nil
    }

    /// The inside id that stands for an outside one; nil when there is none.
    public func inside(_ outside: UInt32) -> UInt32? {
        for entry in entries where entry.outsideRange.contains(UInt64(outside)) {
            return UInt32(exactly: UInt64(entry.inside) + UInt64(outside - entry.outside))
        }
        return nil
    }
}

/// Why an id map can't be used.
public enum IDMapError: Error, Hashable, Sendable {
    /// A line is not three numbers from 0 to 4294967295.
    case malformed(line: Int)
    /// The map has no line.
    case empty
    /// The kernel takes 340 lines.
    case tooManyEntries(Int)
    /// The kernel takes less than a page of text; the number of bytes.
    case tooLong(Int)
    /// A line maps no id.
    case emptyRange(IDMap.Entry)
    /// A range goes beyond 4294967294.
    case outOfRange(IDMap.Entry)
    /// Two lines share an id, inside or outside.
    case overlap(IDMap.Entry, IDMap.Entry)
}

extension IDMapError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformed(let line): "id map, line \(line): expected three numbers from 0 to 4294967295"
        case .empty: "id map: no entries"
        case .tooManyEntries(let count): "id map: \(count) entries, and the kernel takes \(IDMap.maximumEntryCount)"
        case .tooLong(let bytes): "id map: \(bytes) bytes of text, and the kernel takes 4095"
        case .emptyRange(let entry): "id map entry \(entry): the count is 0"
        case .outOfRange(let entry): "id map entry \(entry): it goes beyond id 4294967294"
        case .overlap(let one, let other): "id map entries \(one) and \(other) overlap"
        }
    }
}

extension IDMap.Entry: CustomStringConvertible {
    /// The line as the kernel takes it.
    public var description: String { "\(inside) \(outside) \(count)" }
}

/// A decimal number without sign: `UInt32.init` would take a leading plus.
func decimal(_ text: some StringProtocol) -> UInt32? {
    guard let first = text.utf8.first, first != UInt8(ascii: "+") else { return nil }
    return UInt32(text)
}
