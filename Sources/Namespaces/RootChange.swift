import CLinux
import Linux

extension Mount {
    /// Makes a mount the root directory of the mount namespace and takes the old root away, leaving no trace of it;
    /// `pivot_root(2)`.
    ///
    /// Old and new root end up stacked on one place for a moment, so no directory for the old one is needed in the
    /// new: it may be read-only. The calling thread's root and working directory become the new root, and so do those
    /// of all other processes of the namespace that had the old one.
    ///
    /// - Parameter newRoot: a mount's root, on another mount than the current root directory.
    /// - Throws: `EINVAL` when it is no mount's root, when its parent mount is shared, or when the current root is the
    ///   initial ramfs (see ``moveRoot(to:)``); `EBUSY` when it is on the current root's mount.
    public static func pivotRoot(to newRoot: borrowing Descriptor) throws(SystemError) {
        let number = newRoot.rawValue
        let oldRoot = try Descriptor.open("/", [.path, .directory])
        let old = oldRoot.rawValue
        try systemCall("enter \(pathForMessage(number))") { fchdir(number) }
        try failing(hint: pivotHint) { () throws(SystemError) in
            try systemCall("pivot_root to \(pathForMessage(number))") { unsafe bh_pivot_root(".", ".") }
        }
        try systemCall("enter old root") { fchdir(old) }
        // Else the unmount would reach the namespace that the old root came from.
        try systemCall("make old root slave") {
            unsafe bh_mount(nil, ".", nil, MountFlags([.slave, .recursive]).rawValue, nil)
        }
        try systemCall("unmount old root") { unsafe bh_umount(".", UnmountFlags.detach.rawValue) }
        try systemCall("enter new root") { unsafe chdir("/") }
    }

    /// Makes a mount the calling thread's root by moving it over `/`: for a system that runs from the initial ramfs,
    /// where `pivot_root(2)` is refused.
    ///
    /// Weaker than ``pivotRoot(to:)``: the old root stays mounted below the new one, where who holds `CAP_SYS_CHROOT`
    /// or an open directory of it can get at it.
    public static func moveRoot(to newRoot: borrowing Descriptor) throws(SystemError) {
        let number = newRoot.rawValue
        try systemCall("enter \(pathForMessage(number))") { fchdir(number) }
        try failing(hint: attachHint) { () throws(SystemError) in
            try systemCall("move \(pathForMessage(number)) to \"/\"") {
                unsafe bh_mount(".", "/", nil, MountFlags.move.rawValue, nil)
            }
        }
        try systemCall("chroot to new root") { unsafe chroot(".") }
        try systemCall("enter new root") { unsafe chdir("/") }
    }
}

private func pivotHint(_ errno: Errno) -> String? {
    switch errno {
    case .invalidArgument:
        "the new root is no mount's root, a mount above it or above the current root is shared, or the current root is the initial ramfs"
    case .busy: "the new root is on the current root's mount"
    case .notPermitted: "needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace"
    default: nil
    }
}
