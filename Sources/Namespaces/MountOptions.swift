/// The words of `mount(8)`'s option list, taken apart: `ro`, `nosuid`, `rbind`, `rslave`, `size=64m` and the rest.
///
/// A plain value that touches nothing. Each word's effect is there for the old call (``flags`` for `mount(2)`) and for
/// the new ones (``attributes`` for `mount_setattr(2)`, ``superblockParameters`` for `fsconfig(2)`). Of words that
/// contradict each other the last one counts.
///
/// Known are the options of `mount(8)` that are independent of the file system, their recursive forms (`rro`,
/// `rnosuid`, …, which change every mount below as well), the propagation types, and what container runtimes add:
/// `tmpcopyup`, `idmap`, `ridmap`, `copy-symlink`, `src-nofollow`, `dest-nofollow`. Any other word is the file
/// system's own and goes to ``data``.
public struct MountOptions: Hashable, Sendable {
    /// The `MS_*` bits asked for, propagation types left out.
    public var flags: MountFlags = []
    /// The `MS_*` bits asked to be off, as by `rw` or `exec`: what a remount or a bind mount has to take away.
    public var clearedFlags: MountFlags = []
    /// What to change on the mount itself.
    public var attributes = MountAttributeChange()
    /// What to change on the mount and on every mount below it.
    public var recursiveAttributes = MountAttributeChange()
    /// The propagation types asked for, each a call of its own, in order.
    public var propagation: [MountPropagation] = []
    /// The words for the file system itself, in order.
    public var data: [String] = []
    /// Whether the mount's owners are mapped, as `idmap` and `ridmap` ask.
    public var idMap: MountIDMapping?
    /// `tmpcopyup`: a new tmpfs starts with what the directory held that it covers.
    public var copiesUp = false
    /// `copy-symlink`: a source that is a symbolic link is made anew at the target, not followed and mounted.
    public var copiesSymbolicLink = false
    /// `src-nofollow`: a source that is a symbolic link is bind-mounted itself.
    public var sourceNoFollow = false
    /// `dest-nofollow`: a target that is a symbolic link is mounted over itself.
    public var targetNoFollow = false
    /// Words that only `mount(8)` and `/etc/fstab` know a meaning for (`nofail`, `x-…`): the kernel is never given them.
    public var userSpaceWords: [String] = []

    public init() {}

    /// Takes a list of words apart.
    ///
    /// - Throws: ``MountOptionError`` when an `idmap=` mapping is malformed or two options exclude each other.
    public init(parsing words: [String]) throws(MountOptionError) {
        for word in words { try add(word) }
        try validate()
    }

    /// Takes a list in `mount(8)`'s one-line form apart: words between commas, commas inside double quotes kept.
    ///
    /// - Throws: ``MountOptionError`` as for a list.
    public init(parsing list: String) throws(MountOptionError) {
        var words: [String] = []
        var word: [UInt8] = []
        var quotes = false
        for byte in list.utf8 {
            if byte == UInt8(ascii: "\"") { quotes.toggle() }
            if byte == UInt8(ascii: ","), !quotes {
                words.append(String(decoding: word, as: UTF8.self))
                word = []
            } else {
                word.append(byte)
            }
        }
        words.append(String(decoding: word, as: UTF8.self))
        try self.init(parsing: words)
    }

    /// Applies one more word. An empty one has no effect.
    ///
    /// - Throws: ``MountOptionError/malformedIDMap(_:)``.
    public mutating func add(_ word: String) throws(MountOptionError) {
        if word.isEmpty { return }
        if apply(word) { return }
        if word.hasPrefix("idmap=") || word.hasPrefix("ridmap=") {
            idMap = try MountIDMapping(word: word)
        } else if Self.userSpacePrefixes.contains(where: word.hasPrefix) {
            userSpaceWords.append(word)
        } else {
            data.append(word)
        }
    }

    /// Refuses options that exclude each other.
    public func validate() throws(MountOptionError) {
        if copiesSymbolicLink && (sourceNoFollow || targetNoFollow) {
            throw .exclusive("copy-symlink", sourceNoFollow ? "src-nofollow" : "dest-nofollow")
        }
    }
}

extension MountOptions {
    /// Whether a subtree is to be made visible at another place, rather than a file system mounted.
    public var isBind: Bool { flags.contains(.bind) }
    /// Whether the mounts below the source come along.
    public var isRecursiveBind: Bool { flags.isSuperset(of: [.bind, .recursive]) }
    /// Whether a mount that is there is to be changed.
    public var isRemount: Bool { flags.contains(.remount) }

    /// The file system's own words joined with commas: the last argument of `mount(2)`.
    public var dataString: String { data.joined(separator: ",") }

    /// The flags for the first `mount(2)`. A bind mount ignores all others, so for one it is those of the bind alone.
    public var mountFlags: MountFlags { isBind && !isRemount ? flags.intersection([.bind, .recursive]) : flags }

    /// The flags for the second `mount(2)`, without which a bind mount keeps its source's; nil where none is needed.
    ///
    /// The call replaces all per-mount flags: who lacks privileges over the source has to keep the locked ones, and
    /// `mount_setattr(2)` with ``attributes`` is the safer way where the kernel has it.
    public var bindRemountFlags: MountFlags? {
        guard isBind, !isRemount, !attributes.isEmpty else { return nil }
        return flags.subtracting([.recursive, .silent]).union([.remount, .bind])
    }

    /// What to tell a file system context, the flags of the superblock first, then the words of the file system's own.
    ///
    /// `silent` has no form here, and a value's surrounding double quotes are dropped.
    public var superblockParameters: [FileSystemParameter] {
        var parameters: [FileSystemParameter] = []
        for (flag, on, off) in Self.superblockWords {
            if flags.contains(flag) { parameters.append(.flag(on)) }
            if clearedFlags.contains(flag), let off { parameters.append(.flag(off)) }
        }
        return parameters + data.map(FileSystemParameter.init(word:))
    }
}

/// Why a list of mount options can't be taken apart.
public enum MountOptionError: Error, Hashable, Sendable {
    /// An `idmap=` or `ridmap=` whose mapping can't be read.
    case malformedIDMap(String)
    /// Two options that exclude each other.
    case exclusive(String, String)
}

extension MountOptionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformedIDMap(let word):
            "mount option \"\(word)\": expected uids=INSIDE-OUTSIDE-COUNT[#…];gids=INSIDE-OUTSIDE-COUNT[#…]"
        case .exclusive(let one, let other): "mount options \"\(one)\" and \"\(other)\" exclude each other"
        }
    }
}
