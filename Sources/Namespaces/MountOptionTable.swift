/// What a word of `mount(8)` does.
enum MountOptionEffect {
    /// A per-mount property: its bit for either call.
    case attribute(MountFlags, MountAttributes, Bool)
    case recursiveAttribute(MountAttributes, Bool)
    case accessTimes(AccessTimes)
    /// The opposite of a mode: back to the kernel's default, unless another mode was asked for.
    case notAccessTimes(AccessTimes)
    case recursiveAccessTimes(AccessTimes)
    case notRecursiveAccessTimes(AccessTimes)
    /// A property of the superblock, or the kind of operation.
    case flag(MountFlags, Bool)
    case propagation(MountPropagation)
    case idMap(recursive: Bool)
    case switchOn(WritableKeyPath<MountOptions, Bool> & Sendable)
    case userSpace
}

extension MountOptions {
    /// Superblock properties with the words `fsconfig(2)` takes for on and off.
    static let superblockWords: [(MountFlags, on: String, off: String?)] = [
        (.readOnly, "ro", "rw"), (.synchronous, "sync", "async"), (.directorySynchronous, "dirsync", nil),
        (.mandatoryLocking, "mand", "nomand"), (.lazyTime, "lazytime", "nolazytime"),
        (.inodeVersion, "iversion", "noiversion"),
    ]

    static let userSpacePrefixes = ["x-", "X-", "comment="]

    static let table: [String: [MountOptionEffect]] = {
        var table: [String: [MountOptionEffect]] = [
            "defaults": [],

            "dirsync": [.flag(.directorySynchronous, true)],
            "iversion": [.flag(.inodeVersion, true)], "noiversion": [.flag(.inodeVersion, false)],
            "lazytime": [.flag(.lazyTime, true)], "nolazytime": [.flag(.lazyTime, false)],
            "mand": [.flag(.mandatoryLocking, true)], "nomand": [.flag(.mandatoryLocking, false)],
            "silent": [.flag(.silent, true)], "loud": [.flag(.silent, false)],
            "sync": [.flag(.synchronous, true)], "async": [.flag(.synchronous, false)],

            // A superblock has no mounts below it: the recursive forms of its properties mean the plain ones.
            "rdirsync": [.flag(.directorySynchronous, true)],
            "rmand": [.flag(.mandatoryLocking, true)], "rnomand": [.flag(.mandatoryLocking, false)],
            "rsync": [.flag(.synchronous, true)], "rasync": [.flag(.synchronous, false)],

            "bind": [.flag(.bind, true)], "rbind": [.flag([.bind, .recursive], true)],
            "remount": [.flag(.remount, true)],

            "noatime": [.accessTimes(.never)], "atime": [.notAccessTimes(.never)],
            "relatime": [.accessTimes(.relative)], "norelatime": [.notAccessTimes(.relative)],
            "strictatime": [.accessTimes(.always)], "nostrictatime": [.notAccessTimes(.always)],
            "rnoatime": [.recursiveAccessTimes(.never)], "ratime": [.notRecursiveAccessTimes(.never)],
            "rrelatime": [.recursiveAccessTimes(.relative)], "rnorelatime": [.notRecursiveAccessTimes(.relative)],
            "rstrictatime": [.recursiveAccessTimes(.always)],
            "rnostrictatime": [.notRecursiveAccessTimes(.always)],

            "idmap": [.idMap(recursive: false)], "ridmap": [.idMap(recursive: true)],
            "tmpcopyup": [.switchOn(\.copiesUp)], "copy-symlink": [.switchOn(\.copiesSymbolicLink)],
            "src-nofollow": [.switchOn(\.sourceNoFollow)], "dest-nofollow": [.switchOn(\.targetNoFollow)],
        ]
        let attributes: [(on: String, off: String, MountFlags, MountAttributes)] = [
            ("ro", "rw", .readOnly, .readOnly), ("nosuid", "suid", .noSuid, .noSuid),
            ("nodev", "dev", .noDev, .noDev), ("noexec", "exec", .noExec, .noExec),
            ("nodiratime", "diratime", .noDirAtime, .noDirAtime),
            ("nosymfollow", "symfollow", .noSymFollow, .noSymFollow),
        ]
        for (on, off, flag, attribute) in attributes {
            table[on] = [.attribute(flag, attribute, true)]
            table[off] = [.attribute(flag, attribute, false)]
            table["r" + on] = [.recursiveAttribute(attribute, true)]
            table["r" + off] = [.recursiveAttribute(attribute, false)]
        }
        let kinds: [MountPropagation.Kind] = [.shared, .private, .slave, .unbindable]
        for propagation in kinds.flatMap({ [MountPropagation($0), MountPropagation($0, recursive: true)] }) {
            table[propagation.word] = [.propagation(propagation)]
        }
        for word in ["auto", "noauto", "nouser", "nousers", "nogroup", "noowner", "nofail", "_netdev"] {
            table[word] = [.userSpace]
        }
        // Who lets users mount takes away what a user's file system could be abused for; a later word gives it back.
        for word in ["owner", "group", "user", "users"] {
            table[word] = [.userSpace, .attribute(.noSuid, .noSuid, true), .attribute(.noDev, .noDev, true)]
        }
        for word in ["user", "users"] { table[word]?.append(.attribute(.noExec, .noExec, true)) }
        return table
    }()

    mutating func apply(_ effect: MountOptionEffect, of word: String) {
        switch effect {
        case .attribute(let flag, let attribute, let on):
            setFlag(flag, on)
            if on { attributes.turnOn(attribute) } else { attributes.turnOff(attribute) }
        case .recursiveAttribute(let attribute, let on):
            if on { recursiveAttributes.turnOn(attribute) } else { recursiveAttributes.turnOff(attribute) }
        case .accessTimes(let mode):
            clearedFlags.formUnion(flags.intersection(.accessTimes))
            flags.subtract(.accessTimes)
            setFlag(mode.flag, true)
            attributes.accessTimes = mode
        case .notAccessTimes(let mode):
            setFlag(mode.flag, false)
            attributes.accessTimes = Self.without(mode, attributes.accessTimes)
        case .recursiveAccessTimes(let mode): recursiveAttributes.accessTimes = mode
        case .notRecursiveAccessTimes(let mode):
            recursiveAttributes.accessTimes = Self.without(mode, recursiveAttributes.accessTimes)
        case .flag(let flag, let on): setFlag(flag, on)
        case .propagation(let type): propagation.append(type)
        case .idMap(let recursive): idMap = MountIDMapping(recursive: recursive)
        case .switchOn(let property): self[keyPath: property] = true
        case .userSpace: userSpaceWords.append(word)
        }
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
