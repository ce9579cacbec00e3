import CLinux
import Linux

/// Operations on mounts of the calling thread's mount namespace; `mount_namespaces(7)`.
///
/// A place is given by a descriptor wherever the kernel takes one (one opened with `OpenFlags.path` will do):
/// unlike a path, it can't be led astray between being checked and being used. All need `CAP_SYS_ADMIN` in the user
/// namespace that owns the mount namespace.
public enum Mount {
    /// Sets and clears attributes of a mount, and with `recursive` of every mount below it: of all or, when one
    /// refuses, of none; `mount_setattr(2)`.
    ///
    /// - Parameters:
    ///   - change: what is set and what is cleared; the rest stays.
    ///   - place: the mount's root, as opened after it was mounted.
    ///   - recursive: whether the mounts below are changed too.
    /// - Throws: `EINVAL` when the place is no mount's root, `EPERM` when the change would clear an attribute that a
    ///   more privileged user namespace locked, `EBUSY` for a read-only change while a file is open for writing.
    public static func setAttributes(
        _ change: MountAttributeChange, of place: borrowing Descriptor, recursive: Bool = false
    ) throws(SystemError) {
        let number = place.rawValue
        try setAttributes(change, number, recursive: recursive) { "mount \(pathForMessage(number))" }
    }

    /// Changes where mount events of a mount go; `mount_setattr(2)`.
    ///
    /// - Throws: `EINVAL` when the place is no mount's root.
    public static func setPropagation(
        _ propagation: MountPropagation, of place: borrowing Descriptor
    ) throws(SystemError) {
        let number = place.rawValue
        try failing(hint: setAttributesHint) { () throws(SystemError) in
            try systemCall("set propagation \(propagation.word) of \(pathForMessage(number))") {
                unsafe bh_mount_setattr(
                    number, "", AtFlags.emptyPath | (propagation.recursive ? AtFlags.recursive : 0), 0, 0,
                    UInt64(propagation.kind.flag.rawValue), 0)
            }
        }
    }

    /// Makes a file or a directory visible at another place as well; `open_tree(2)`, `mount_setattr(2)`,
    /// `move_mount(2)`.
    ///
    /// - Parameters:
    ///   - source: the file or directory to show.
    ///   - target: where: a file for a file, a directory for a directory.
    ///   - recursive: whether the mounts below the source come along.
    ///   - change: applied before the mount can be seen, to all that come along.
    /// - Returns: the new mount's root.
    @discardableResult
    public static func bind(
        _ source: borrowing Descriptor, on target: borrowing Descriptor, recursive: Bool = false,
        changing change: MountAttributeChange = MountAttributeChange()
    ) throws(SystemError) -> Descriptor {
        let mount = try DetachedMount(cloning: source, recursive: recursive)
        if !change.isEmpty { try mount.setAttributes(change, recursive: recursive) }
        return try mount.attach(to: target)
    }

    /// Makes a path visible at another path as well. Symbolic links in both are followed.
    @discardableResult
    public static func bind(
        _ source: String, on target: String, recursive: Bool = false,
        changing change: MountAttributeChange = MountAttributeChange()
    ) throws(SystemError) -> Descriptor {
        let from = try Descriptor.open(source, .path)
        let to = try Descriptor.open(target, .path)
        return try bind(from, on: to, recursive: recursive, changing: change)
    }

    /// Moves a mount, with all below it, to another place; `move_mount(2)`.
    ///
    /// - Throws: `EINVAL` when the source is no mount's root or its parent mount is shared.
    public static func move(
        _ source: borrowing Descriptor, to target: borrowing Descriptor
    ) throws(SystemError) {
        try attach(source.rawValue, to: target.rawValue)
    }

    /// Takes the mount with this root out of the tree, with all below it; it ends when its last user leaves.
    /// `umount2(2)` with `MNT_DETACH`: without it, the descriptor itself would keep the mount busy.
    ///
    /// The call goes through `/proc`, which has to be mounted.
    ///
    /// - Throws: `EINVAL` when the place is no mount's root or is locked by a more privileged user namespace.
    public static func detach(_ place: borrowing Descriptor) throws(SystemError) {
        let number = place.rawValue
        try failing(hint: unmountHint) { () throws(SystemError) in
            try systemCall("unmount \(pathForMessage(number))") {
                unsafe bh_umount("/proc/thread-self/fd/\(number)", UnmountFlags.detach.rawValue)
            }
        }
    }

    /// Unmounts the topmost mount at a path; `umount2(2)`.
    ///
    /// - Throws: `EBUSY` while it is in use and ``UnmountFlags/detach`` is not asked for, `EINVAL` when the path is no
    ///   mount point, `EAGAIN` from ``UnmountFlags/expire`` the first time.
    public static func unmount(_ path: String, _ flags: UnmountFlags = []) throws(SystemError) {
        try failing(hint: unmountHint) { () throws(SystemError) in
            try systemCall("unmount \(quoted(path))") { unsafe bh_umount(path, flags.rawValue) }
        }
    }

    /// The one call that did everything before Linux 5.2; `mount(2)`.
    ///
    /// - Parameters:
    ///   - source: a device, a directory, or whatever the file system wants to see there.
    ///   - target: the mount point.
    ///   - type: the file system; nil where `flags` bind, move, remount or change propagation.
    ///   - flags: `MS_*`.
    ///   - data: the file system's own options, between commas; less than a page.
    public static func mount(
        _ source: String?, on target: String, type: String? = nil, _ flags: MountFlags = [], data: String? = nil
    ) throws(SystemError) {
        let name = (type ?? source).map { quoted($0) + " " } ?? ""
        try failing(hint: { createHint($0, type: type) }) { () throws(SystemError) in
            try systemCall("mount \(name)on \(quoted(target))") {
                unsafe bh_mount(source, target, type, flags.rawValue, data)
            }
        }
    }

    static func setAttributes(
        _ change: MountAttributeChange, _ number: CInt, recursive: Bool, userNamespace: CInt? = nil,
        _ what: () -> String
    ) throws(SystemError) {
        try failing(hint: userNamespace == nil ? setAttributesHint : idMapHint) { () throws(SystemError) in
            try systemCall("set attributes of \(what())") {
                unsafe bh_mount_setattr(
                    number, "", AtFlags.emptyPath | (recursive ? AtFlags.recursive : 0), change.set.rawValue,
                    change.clear.rawValue, 0, UInt64(userNamespace ?? 0))
            }
        }
    }

    static func attach(_ mount: CInt, to target: CInt) throws(SystemError) {
        try failing(hint: attachHint) { () throws(SystemError) in
            try systemCall("attach mount to \(pathForMessage(target))") {
                // MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
                unsafe bh_move_mount(mount, "", target, "", 0x4 | 0x40)
            }
        }
    }
}

/// `AT_*` flags in the unsigned form that the mount calls take.
enum AtFlags {
    static let emptyPath: CUnsignedInt = 0x1000
    static let recursive: CUnsignedInt = 0x8000
}
