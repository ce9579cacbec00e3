/// How one mount behaves, apart from the file system behind it; `mount_setattr(2)`, `MOUNT_ATTR_*`.
public struct MountAttributes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// `MOUNT_ATTR_RDONLY`.
    public static let readOnly = MountAttributes(rawValue: 0x1)
    /// `MOUNT_ATTR_NOSUID`: set-user-id bits and file capabilities have no effect.
    public static let noSuid = MountAttributes(rawValue: 0x2)
    /// `MOUNT_ATTR_NODEV`: device nodes can't be opened.
    public static let noDev = MountAttributes(rawValue: 0x4)
    /// `MOUNT_ATTR_NOEXEC`: nothing can be executed.
    public static let noExec = MountAttributes(rawValue: 0x8)
    /// `MOUNT_ATTR__ATIME`: the field, not a flag, that holds ``AccessTimes``. Clear it whole to set another value.
    public static let accessTimesMask = MountAttributes(rawValue: 0x70)
    /// `MOUNT_ATTR_NODIRATIME`: access times of directories are never updated.
    public static let noDirAtime = MountAttributes(rawValue: 0x80)
    /// `MOUNT_ATTR_IDMAP`: owners are mapped through a user namespace. Set by passing that namespace.
    public static let idMap = MountAttributes(rawValue: 0x10_0000)
    /// `MOUNT_ATTR_NOSYMFOLLOW`: symbolic links are not followed; Linux 5.14.
    public static let noSymFollow = MountAttributes(rawValue: 0x20_0000)

    /// The attribute bits for an access-time mode; none for ``AccessTimes/relative``, whose value is 0.
    public static func accessTimes(_ mode: AccessTimes) -> MountAttributes {
        MountAttributes(rawValue: mode.rawValue)
    }
}

/// When reading a file updates its access time: the values of the field `MOUNT_ATTR__ATIME`.
public enum AccessTimes: UInt64, Hashable, Sendable {
    /// `MOUNT_ATTR_RELATIME`: at most daily, or when the file changed. The kernel's default.
    case relative = 0x00
    /// `MOUNT_ATTR_NOATIME`.
    case never = 0x10
    /// `MOUNT_ATTR_STRICTATIME`.
    case always = 0x20
}

/// Attributes to set and to clear in one `mount_setattr(2)`; what is in neither stays as it is.
public struct MountAttributeChange: Hashable, Sendable {
    /// The call's `attr_set`.
    public var set: MountAttributes
    /// The call's `attr_clr`.
    public var clear: MountAttributes

    public init(set: MountAttributes = [], clear: MountAttributes = []) {
        self.set = set
        self.clear = clear
    }

    /// Whether there is nothing to change.
    public var isEmpty: Bool { self.set.isEmpty && self.clear.isEmpty }

    /// The access-time mode to change to; nil leaves it. The kernel wants the whole field cleared with any new value.
    public var accessTimes: AccessTimes? {
        get {
            guard self.clear.isSuperset(of: .accessTimesMask) else { return nil }
            return AccessTimes(rawValue: self.set.intersection(.accessTimesMask).rawValue)
        }
        set {
            self.set.subtract(.accessTimesMask)
            self.clear.subtract(.accessTimesMask)
            guard let newValue else { return }
            self.set.formUnion(.accessTimes(newValue))
            self.clear.formUnion(.accessTimesMask)
        }
    }

    /// Asks for attributes to be on or off, instead of what was asked for them before.
    public mutating func turn(_ attributes: MountAttributes, _ on: Bool) {
        if on {
            self.set.formUnion(attributes)
            self.clear.subtract(attributes)
        } else {
            self.clear.formUnion(attributes)
            self.set.subtract(attributes)
        }
    }
}

/// Where mount events go, for one mount or with all below it; `mount_namespaces(7)`.
public struct MountPropagation: Hashable, Sendable {
    /// The propagation types.
    public enum Kind: Hashable, Sendable {
        /// Both ways between the members of a peer group.
        case shared
        /// Neither way.
        case `private`
        /// From the master only.
        case slave
        /// Neither way, and can't be bind-mounted.
        case unbindable
    }

    public var kind: Kind
    /// Whether every mount below changes as well.
    public var recursive: Bool

    public init(_ kind: Kind, recursive: Bool = false) {
        self.kind = kind
        self.recursive = recursive
    }

    /// The type's `MS_*` bit, with ``MountFlags/recursive`` where it is recursive: for a `mount(2)` of its own.
    public var flags: MountFlags { recursive ? [kind.flag, .recursive] : kind.flag }

    /// The word of `mount(8)`, such as `rslave`.
    public var word: String {
        let name =
            switch kind {
            case .shared: "shared"
            case .private: "private"
            case .slave: "slave"
            case .unbindable: "unbindable"
            }
        return recursive ? "r" + name : name
    }

    /// The type that a word of `mount(8)` asks for, such as `rslave` or `private`.
    public init?(word: some StringProtocol) {
        switch word {
        case "shared": self.init(.shared)
        case "rshared": self.init(.shared, recursive: true)
        case "private": self.init(.private)
        case "rprivate": self.init(.private, recursive: true)
        case "slave": self.init(.slave)
        case "rslave": self.init(.slave, recursive: true)
        case "unbindable": self.init(.unbindable)
        case "runbindable": self.init(.unbindable, recursive: true)
        default: return nil
        }
    }
}

extension MountPropagation.Kind {
    /// The type's `MS_*` bit.
    public var flag: MountFlags {
        switch self {
        case .shared: .shared
        case .private: .private
        case .slave: .slave
        case .unbindable: .unbindable
        }
    }
}
