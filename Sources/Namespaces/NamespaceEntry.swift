import CLinux
import Linux

extension Namespace {
    /// Moves the calling thread into this namespace; `setns(2)`.
    ///
    /// For ``NamespaceKind/pid``, and before Linux 5.11 for ``NamespaceKind/time``, it is the thread's next children
    /// that are moved.
    ///
    /// - Throws: `EPERM` without `CAP_SYS_ADMIN` in the user namespaces that own it and the present one. `EINVAL` for
    ///   a user namespace from a process with more than one thread or the caller's own, and for a mount namespace from
    ///   a thread that shares its root and working directory (see ``unshareWorkingDirectory()``). `EUSERS` for a time
    ///   namespace from a process with more than one thread.
    public func enter() throws(SystemError) {
        let number = descriptor.rawValue
        let kind = kind
        try failing(hint: { enterHint($0, NamespaceKinds(kind)) }) { () throws(SystemError) in
            try systemCall("enter namespace \(description)") { setns(number, 0) }
        }
    }

    /// Moves the calling thread into several namespaces of a process, into all or none; `setns(2)` with a pidfd,
    /// Linux 5.8.
    ///
    /// - Throws: as ``enter()``; `ESRCH` when the process has ended.
    public static func enter(_ kinds: NamespaceKinds, of process: borrowing ProcessDescriptor) throws(SystemError) {
        let number = process.descriptor.rawValue
        try failing(hint: { enterHint($0, kinds) }) { () throws(SystemError) in
            try systemCall("enter \(kinds) namespaces of process") {
                setns(number, CInt(truncatingIfNeeded: kinds.rawValue))
            }
        }
    }

    /// Moves the calling thread into new namespaces; `unshare(2)`.
    ///
    /// Of ``NamespaceKinds/pid`` and ``NamespaceKinds/time``, it is the thread's next children that get the new one.
    /// With a mount namespace the thread's root and working directory become its own.
    ///
    /// - Throws: `EPERM` without `CAP_SYS_ADMIN`, `EINVAL` for a user namespace from a process with more than one
    ///   thread, `ENOSPC` when one of the limits in `/proc/sys/user` is reached.
    public static func unshare(_ kinds: NamespaceKinds) throws(SystemError) {
        try failing(hint: { unshareHint($0, kinds) }) { () throws(SystemError) in
            try systemCall("unshare \(kinds) namespaces") { CLinux.unshare(CInt(truncatingIfNeeded: kinds.rawValue)) }
        }
    }

    /// Gives the calling thread a root, working directory and umask of its own, which entering a mount namespace
    /// requires of a thread among others; `unshare(2)`, `CLONE_FS`.
    public static func unshareWorkingDirectory() throws(SystemError) {
        try systemCall("unshare working directory") { CLinux.unshare(CLONE_FS) }
    }

    /// Binds the namespace to a file, which keeps it alive and gives it a name, until ``unbind(_:)``.
    ///
    /// - Parameter path: an empty file is made there when there is nothing. The mount it is on should not be shared
    ///   with what lies inside the namespace.
    /// - Throws: `EINVAL` or `ELOOP` for a mount namespace that is not newer than the caller's: such a mount could never end.
    public func bind(to path: String) throws(SystemError) {
        var isNew = true
        let file: Descriptor
        do throws(SystemError) {
            file = try Descriptor.open(path, [.create, .exclusive, .noFollow], mode: 0o444)
        } catch {
            guard error.errno == .fileExists else { throw error }
            file = try Descriptor.open(path, [.path, .noFollow])
            isNew = false
        }
        do throws(SystemError) {
            try Mount.bind(descriptor, on: file)
        } catch {
            if isNew { unsafe unlink(path) }
            throw SystemError("bind \(description) to \(quoted(path))", error.errno, hint: bindHint(error))
        }
    }

    /// Takes away what ``bind(to:)`` made: the mount and the file below it. The namespace ends when nobody else uses it.
    public static func unbind(_ path: String) throws(SystemError) {
        try Mount.unmount(path, [.detach, .noFollow])
        try systemCall("remove \(quoted(path))") { unsafe unlink(path) }
    }

    private func bindHint(_ error: SystemError) -> String? {
        switch error.errno {
        case .invalidArgument where kind == .mount, .tooManySymbolicLinks where kind == .mount:
            "a mount namespace can only be bound in one that is older"
        default: error.hint
        }
    }
}

private func enterHint(_ errno: Errno, _ kinds: NamespaceKinds) -> String? {
    switch errno {
    case .invalidArgument where kinds.contains(.user):
        "the process has more than one thread, or is in that user namespace already"
    case .invalidArgument where kinds.contains(.mount):
        "the thread shares its root and working directory with others"
    case Errno(rawValue: EUSERS): "the process has more than one thread"
    case .notPermitted:
        "needs CAP_SYS_ADMIN in the user namespaces that own it and the present one"
    default: nil
    }
}

private func unshareHint(_ errno: Errno, _ kinds: NamespaceKinds) -> String? {
    switch errno {
    case .invalidArgument where kinds.contains(.user): "the process has more than one thread"
    case .invalidArgument: "the kernel lacks one of them"
    case .notPermitted where kinds.contains(.user):
        "user namespaces are refused here: by a sysctl, a security module, or because the caller is in a chroot"
    case .notPermitted: "needs CAP_SYS_ADMIN"
    case .noSpace: "a limit in /proc/sys/user is reached"
    default: nil
    }
}
