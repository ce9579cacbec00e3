import CLinux
import Linux

extension Namespace {
    /// The user namespace that owns this one: capabilities in it give power over this one; `NS_GET_USERNS`.
    ///
    /// - Throws: `EPERM` when it is outside the caller's user namespace.
    public func owner() throws(SystemError) -> Namespace {
        let number = descriptor.rawValue
        let owner = try failing(hint: { $0 == .notPermitted ? "it is outside this user namespace" : nil }) {
            () throws(SystemError) in
            try systemCall("get owner of \(description)") { bh_ioctl(number, BH_NS_GET_USERNS, 0) }
        }
        return try Namespace(owning: Descriptor(owning: owner), expecting: .user)
    }

    /// The parent of a pid or user namespace; nil when there is none that the caller may see; `NS_GET_PARENT`.
    ///
    /// - Throws: `EINVAL` for the kinds that have no parents.
    public func parent() throws(SystemError) -> Namespace? {
        let number = descriptor.rawValue
        do throws(SystemError) {
            let parent = try systemCall("get parent of \(description)") { bh_ioctl(number, BH_NS_GET_PARENT, 0) }
            return try Namespace(owning: Descriptor(owning: parent), expecting: kind)
        } catch {
            // The kernel has one answer for the first namespace and for a parent out of sight.
            if error.errno == .notPermitted { return nil }
            throw error
        }
    }

    /// The id of the user who made this user namespace, as seen from the caller's; `NS_GET_OWNER_UID`.
    ///
    /// - Throws: `EINVAL` when this is no user namespace.
    public func ownerUserID() throws(SystemError) -> uid_t {
        let number = descriptor.rawValue
        var owner: uid_t = 0
        try systemCall("get owner of \(description)") {
            unsafe bh_ioctl_pointer(number, BH_NS_GET_OWNER_UID, &owner)
        }
        return owner
    }

    /// A mount namespace's number that is never used again, unlike an inode's; `NS_GET_MNTNS_ID`, Linux 6.11.
    ///
    /// - Returns: nil when the kernel is older.
    /// - Throws: `EINVAL` when this is no mount namespace.
    public func mountNamespaceID() throws(SystemError) -> UInt64? {
        if kind != .mount { throw SystemError("get mount namespace id of \(description)", .invalidArgument) }
        let number = descriptor.rawValue
        var id: UInt64 = 0
        do throws(SystemError) {
            try systemCall("get mount namespace id") {
                unsafe bh_ioctl_pointer(number, BH_NS_GET_MNTNS_ID, &id)
            }
        } catch {
            if Self.lacksRequest(error.errno) { return nil }
            throw error
        }
        return id
    }

    /// What a process of this pid namespace is called in the caller's; `NS_GET_PID_FROM_PIDNS`, Linux 6.11.
    ///
    /// - Returns: nil when there is no such process.
    /// - Throws: `ENOTTY` when the kernel is older, `EINVAL` when this is no pid namespace.
    public func outerPID(_ inner: pid_t) throws(SystemError) -> pid_t? {
        try translate(BH_NS_GET_PID_FROM_PIDNS, inner)
    }

    /// What a process of the caller's pid namespace is called in this one; `NS_GET_PID_IN_PIDNS`, Linux 6.11.
    ///
    /// - Returns: nil when it has no id there, or there is no such process.
    /// - Throws: `ENOTTY` when the kernel is older, `EINVAL` when this is no pid namespace.
    public func innerPID(_ outer: pid_t) throws(SystemError) -> pid_t? {
        try translate(BH_NS_GET_PID_IN_PIDNS, outer)
    }

    private func translate(_ request: UInt, _ pid: pid_t) throws(SystemError) -> pid_t? {
        if kind != .pid { throw SystemError("translate pid \(pid) by \(description)", .invalidArgument) }
        guard pid > 0 else { return nil }
        let number = descriptor.rawValue
        do throws(SystemError) {
            let translated = try systemCall("translate pid \(pid) by \(description)") {
                bh_ioctl(number, request, UInt(pid))
            }
            return translated > 0 ? translated : nil
        } catch {
            if error.errno == .noSuchProcess { return nil }
            throw SystemError(error.operation, error.errno, hint: "needs Linux 6.11")
        }
    }
}
