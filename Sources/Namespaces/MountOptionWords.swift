/// What each word does. Switches and not a dictionary: building one would cost the first container start half a
/// millisecond, and a word is short enough to be compared in a few instructions.
extension MountOptions {
    /// Superblock properties with the words `fsconfig(2)` takes for on and off.
    static let superblockWords: [(MountFlags, on: String, off: String?)] = [
        (.readOnly, "ro", "rw"), (.synchronous, "sync", "async"), (.directorySynchronous, "dirsync", nil),
        (.mandatoryLocking, "mand", "nomand"), (.lazyTime, "lazytime", "nolazytime"),
        (.inodeVersion, "iversion", "noiversion"),
    ]

    static let userSpacePrefixes = ["x-", "X-", "comment="]

    /// Every word with an effect of its own, in alphabetical order; `idmap=` and `ridmap=` also take a value.
    public static var knownWords: [String] {
        let perMount = [
            "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "nodiratime", "diratime", "nosymfollow",
            "symfollow", "noatime", "atime", "relatime", "norelatime", "strictatime", "nostrictatime",
        ]
        let superblock = ["sync", "async", "dirsync", "mand", "nomand"]
        let types = ["shared", "private", "slave", "unbindable"]
        let both = perMount + superblock + types + ["bind", "idmap"]
        let single = [
            "defaults", "iversion", "noiversion", "lazytime", "nolazytime", "silent", "loud", "remount", "tmpcopyup",
            "copy-symlink", "src-nofollow", "dest-nofollow", "auto", "noauto", "user", "nouser", "users", "nousers",
            "group", "nogroup", "owner", "noowner", "nofail", "_netdev",
        ]
        return (both + both.map { "r" + $0 } + single).sorted()
    }

    /// Applies a word of ``knownWords``.
    ///
    /// - Returns: whether it is one.
    mutating func apply(_ word: String) -> Bool {
        if applyPerMount(word, recursive: false) || applySuperblock(word) || applyOther(word) { return true }
        guard word.utf8.first == UInt8(ascii: "r") else { return false }
        let plain = String(word.dropFirst())
        if applyPerMount(plain, recursive: true) { return true }
        switch plain {
        // A superblock has no mounts below it: the recursive forms of its properties mean the plain ones.
        case "sync", "async", "dirsync", "mand", "nomand": return applySuperblock(plain)
        default: return false
        }
    }

    private mutating func applyPerMount(_ word: String, recursive: Bool) -> Bool {
        switch word {
        case "ro": set(.readOnly, .readOnly, true, recursive)
        case "rw": set(.readOnly, .readOnly, false, recursive)
        case "nosuid": set(.noSuid, .noSuid, true, recursive)
        case "suid": set(.noSuid, .noSuid, false, recursive)
        case "nodev": set(.noDev, .noDev, true, recursive)
        case "dev": set(.noDev, .noDev, false, recursive)
        case "noexec": set(.noExec, .noExec, true, recursive)
        case "exec": set(.noExec, .noExec, false, recursive)
        case "nodiratime": set(.noDirAtime, .noDirAtime, true, recursive)
        case "diratime": set(.noDirAtime, .noDirAtime, false, recursive)
        case "nosymfollow": set(.noSymFollow, .noSymFollow, true, recursive)
        case "symfollow": set(.noSymFollow, .noSymFollow, false, recursive)
        case "noatime": set(.never, true, recursive)
        case "atime": set(.never, false, recursive)
        case "relatime": set(.relative, true, recursive)
        case "norelatime": set(.relative, false, recursive)
        case "strictatime": set(.always, true, recursive)
        case "nostrictatime": set(.always, false, recursive)
        default: return false
        }
        return true
    }

    private mutating func applySuperblock(_ word: String) -> Bool {
        switch word {
        case "sync": setFlag(.synchronous, true)
        case "async": setFlag(.synchronous, false)
        case "dirsync": setFlag(.directorySynchronous, true)
        case "mand": setFlag(.mandatoryLocking, true)
        case "nomand": setFlag(.mandatoryLocking, false)
        case "lazytime": setFlag(.lazyTime, true)
        case "nolazytime": setFlag(.lazyTime, false)
        case "iversion": setFlag(.inodeVersion, true)
        case "noiversion": setFlag(.inodeVersion, false)
        case "silent": setFlag(.silent, true)
        case "loud": setFlag(.silent, false)
        default: return false
        }
        return true
    }

    private mutating func applyOther(_ word: String) -> Bool {
        if let type = MountPropagation(word: word) {
            propagation.append(type)
            return true
        }
        switch word {
        case "defaults": break
        case "bind": setFlag(.bind, true)
        case "rbind": setFlag([.bind, .recursive], true)
        case "remount": setFlag(.remount, true)
        case "idmap": idMap = MountIDMapping(recursive: false)
        case "ridmap": idMap = MountIDMapping(recursive: true)
        case "tmpcopyup": copiesUp = true
        case "copy-symlink": copiesSymbolicLink = true
        case "src-nofollow": sourceNoFollow = true
        case "dest-nofollow": targetNoFollow = true
        // Who lets users mount takes away what a user's file system could be abused for; a later word gives it back.
        case "user", "users":
            set(.noExec, .noExec, true, false)
            fallthrough
        case "owner", "group":
            set(.noSuid, .noSuid, true, false)
            set(.noDev, .noDev, true, false)
            fallthrough
        case "auto", "noauto", "nouser", "nousers", "nogroup", "noowner", "nofail", "_netdev":
            userSpaceWords.append(word)
        default: return false
        }
        return true
    }

    private mutating func set(_ flag: MountFlags, _ attribute: MountAttributes, _ on: Bool, _ recursive: Bool) {
        if recursive {
            recursiveAttributes.turn(attribute, on)
        } else {
            setFlag(flag, on)
            attributes.turn(attribute, on)
        }
    }

    private mutating func set(_ mode: AccessTimes, _ on: Bool, _ recursive: Bool) {
        if recursive {
            recursiveAttributes.accessTimes = on ? mode : Self.without(mode, recursiveAttributes.accessTimes)
            return
        }
        if on {
            clearedFlags.formUnion(flags.intersection(.accessTimes))
            flags.subtract(.accessTimes)
        }
        setFlag(mode.flag, on)
        attributes.accessTimes = on ? mode : Self.without(mode, attributes.accessTimes)
    }

    private mutating func setFlag(_ flag: MountFlags, _ on: Bool) {
        if on {
            flags.formUnion(flag)
            clearedFlags.subtract(flag)
        } else {
            flags.subtract(flag)
            clearedFlags.formUnion(flag)
        }
    }

    /// The mode to ask for when `unwanted` is not to be: another one that was asked for stays. Relative times are the
    /// kernel's default, so there is nothing to ask for instead of them.
    private static func without(_ unwanted: AccessTimes, _ current: AccessTimes?) -> AccessTimes? {
        if let current, current != unwanted { return current }
        return unwanted == .relative ? nil : .relative
    }
}

extension AccessTimes {
    /// The mode's `MS_*` bit.
    var flag: MountFlags {
        switch self {
        case .relative: .relAtime
        case .never: .noAtime
        case .always: .strictAtime
        }
    }
}
