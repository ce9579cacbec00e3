import Linux

/// One mount as `/proc/PID/mountinfo` tells it; `proc_pid_mountinfo(5)`.
public struct MountInfo: Hashable, Sendable {
    /// The mount's number, unique while it exists.
    public var id: Int
    /// The number of the mount it is on; of itself at the top of a namespace.
    public var parentID: Int
    /// `st_dev`'s parts for its files.
    public var deviceMajor: UInt32
    public var deviceMinor: UInt32
    /// The path in the file system that is the mount's root: `/`, or what was bind-mounted.
    public var root: [UInt8]
    /// Where the mount is, from the process's root.
    public var mountPoint: [UInt8]
    /// The mount's own options, as `rw` and `nosuid`.
    public var options: [String]
    /// The optional fields, as `shared:7`, those with a property of their own included.
    public var optionalFields: [String]
    /// The file system's type, with its subtype as in `fuse.sshfs`.
    public var fileSystemType: String
    /// What it was mounted from, as the file system tells it.
    public var source: [UInt8]
    /// The superblock's options, between commas.
    public var superblockOptions: String
}

extension MountInfo {
    /// The mount point as text; bytes that are not UTF-8 are replaced.
    public var mountPointText: String { String(decoding: mountPoint, as: UTF8.self) }
    /// The root as text; bytes that are not UTF-8 are replaced.
    public var rootText: String { String(decoding: root, as: UTF8.self) }
    /// The source as text; bytes that are not UTF-8 are replaced.
    public var sourceText: String { String(decoding: source, as: UTF8.self) }

    /// The peer group whose members exchange mount events; `shared:N`.
    public var sharedGroup: Int? { number(of: "shared:") }
    /// The peer group that mount events come from; `master:N`.
    public var masterGroup: Int? { number(of: "master:") }
    /// The nearest group above it that the reader can see, when that is not the master; `propagate_from:N`.
    public var propagatesFrom: Int? { number(of: "propagate_from:") }
    /// Whether it can't be bind-mounted; `unbindable`.
    public var isUnbindable: Bool { optionalFields.contains("unbindable") }

    private func number(of prefix: String) -> Int? {
        for field in optionalFields where field.hasPrefix(prefix) { return Int(field.dropFirst(prefix.count)) }
        return nil
    }

    /// Reads one line, without its newline; nil when it is not of the form that `proc_pid_mountinfo(5)` gives.
    public init?(line: some Collection<UInt8>) {
        // Between the fields are single spaces; the kernel writes an empty source or option list as an empty field.
        let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard fields.count >= 10, let id = Self.number(fields[0]), let parentID = Self.number(fields[1]) else {
            return nil
        }
        let device = fields[2].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard device.count == 2, let major = decimal(Self.text(device[0])), let minor = decimal(Self.text(device[1]))
        else { return nil }
        // The first lone hyphen after the options ends the optional fields, none of which is one.
        guard
            let separator = fields.indices.dropFirst(6).first(where: { fields[$0].elementsEqual([UInt8(ascii: "-")]) }),
            fields.count - separator >= 4
        else { return nil }
        self.id = id
        self.parentID = parentID
        deviceMajor = major
        deviceMinor = minor
        root = Self.decoded(fields[3])
        mountPoint = Self.decoded(fields[4])
        options = Self.text(fields[5]).split(separator: ",").map(String.init)
        optionalFields = fields[6..<separator].filter { !$0.isEmpty }.map { Self.text($0) }
        fileSystemType = String(decoding: Self.decoded(fields[separator + 1]), as: UTF8.self)
        source = Self.decoded(fields[separator + 2])
        // Some file systems print options with a space in them.
        superblockOptions = fields[(separator + 3)...].map { Self.text($0) }.joined(separator: " ")
    }

    private static func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func number(_ bytes: some Collection<UInt8>) -> Int? { decimal(text(bytes)).map { Int($0) } }

    /// Undoes the kernel's escapes: a backslash and three octal digits for space, tab, newline, backslash and `#`.
    static func decoded(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let bytes = Array(bytes)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\"), bytes.count - index >= 4 {
                let digits = bytes[(index + 1)...(index + 3)].map { Int($0) - 0x30 }
                if digits.allSatisfy({ 0...7 ~= $0 }), digits[0] <= 3 {
                    result.append(UInt8(digits[0] * 64 + digits[1] * 8 + digits[2]))
                    index += 4
                    continue
                }
            }
            result.append(bytes[index])
            index += 1
        }
        return result
    }
}
