/// What `mount(2)` is asked to do and how the mount behaves; the kernel's `MS_*`.
public struct MountFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt
    @inlinable
    public init(rawValue: UInt) { self.rawValue = rawValue }

    /// `MS_RDONLY`: mount and, for a new file system, its superblock are read-only.
    public static let readOnly = MountFlags(rawValue: 1)
    /// `MS_NOSUID`: set-user-id bits and file capabilities have no effect.
    public static let noSuid = MountFlags(rawValue: 2)
    /// `MS_NODEV`: device nodes can't be opened.
    public static let noDev = MountFlags(rawValue: 4)
    /// `MS_NOEXEC`: nothing can be executed.
    public static let noExec = MountFlags(rawValue: 8)
    /// `MS_SYNCHRONOUS`: writes reach the disk at once. A property of the superblock.
    public static let synchronous = MountFlags(rawValue: 16)
    /// `MS_REMOUNT`: change a mount that is there.
    public static let remount = MountFlags(rawValue: 32)
    /// `MS_MANDLOCK`: mandatory locking; without effect since Linux 5.15.
    public static let mandatoryLocking = MountFlags(rawValue: 64)
    /// `MS_DIRSYNC`: changes of directories reach the disk at once. A property of the superblock.
    public static let directorySynchronous = MountFlags(rawValue: 128)
    /// `MS_NOSYMFOLLOW`: symbolic links are not followed.
    public static let noSymFollow = MountFlags(rawValue: 256)
    /// `MS_NOATIME`: access times are never updated.
    public static let noAtime = MountFlags(rawValue: 1024)
    /// `MS_NODIRATIME`: access times of directories are never updated.
    public static let noDirAtime = MountFlags(rawValue: 2048)
    /// `MS_BIND`: make a subtree visible at another place as well.
    public static let bind = MountFlags(rawValue: 4096)
    /// `MS_MOVE`: move a mount to another place.
    public static let move = MountFlags(rawValue: 8192)
    /// `MS_REC`: with ``bind`` or a propagation type, the mounts below as well.
    public static let recursive = MountFlags(rawValue: 16384)
    /// `MS_SILENT`: fewer messages in the kernel log.
    public static let silent = MountFlags(rawValue: 1 << 15)
    /// `MS_POSIXACL`. The kernel's own; file systems take the words `acl` and `noacl` instead.
    public static let posixACL = MountFlags(rawValue: 1 << 16)
    /// `MS_UNBINDABLE`: private, and can't be bind-mounted.
    public static let unbindable = MountFlags(rawValue: 1 << 17)
    /// `MS_PRIVATE`: mount events neither arrive nor leave.
    public static let `private` = MountFlags(rawValue: 1 << 18)
    /// `MS_SLAVE`: mount events arrive and do not leave.
    public static let slave = MountFlags(rawValue: 1 << 19)
    /// `MS_SHARED`: mount events go both ways.
    public static let shared = MountFlags(rawValue: 1 << 20)
    /// `MS_RELATIME`: access times are updated at most daily, or when the file changed. The kernel's default.
    public static let relAtime = MountFlags(rawValue: 1 << 21)
    /// `MS_I_VERSION`: the inode version is kept.
    public static let inodeVersion = MountFlags(rawValue: 1 << 23)
    /// `MS_STRICTATIME`: access times are always updated.
    public static let strictAtime = MountFlags(rawValue: 1 << 24)
    /// `MS_LAZYTIME`: times reach the disk lazily. A property of the superblock.
    public static let lazyTime = MountFlags(rawValue: 1 << 25)

    /// The bits of access-time updates, of which at most one has a meaning.
    static let accessTimes: MountFlags = [.noAtime, .relAtime, .strictAtime]
}

/// How `umount2(2)` unmounts; the kernel's `MNT_*` and `UMOUNT_NOFOLLOW`.
public struct UnmountFlags: OptionSet, Hashable, Sendable {
    public let rawValue: CInt
    @inlinable
    public init(rawValue: CInt) { self.rawValue = rawValue }

    /// `MNT_FORCE`: abort requests in flight, where the file system knows how.
    public static let force = UnmountFlags(rawValue: 1)
    /// `MNT_DETACH`: gone from the tree now, ended when its last user leaves.
    public static let detach = UnmountFlags(rawValue: 2)
    /// `MNT_EXPIRE`: ends only what nobody used since the last such call.
    public static let expire = UnmountFlags(rawValue: 4)
    /// `UMOUNT_NOFOLLOW`: the path's last part is not followed when it is a symbolic link.
    public static let noFollow = UnmountFlags(rawValue: 8)
}
