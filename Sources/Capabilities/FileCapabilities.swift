import CCapability
import CLinux
import Linux

/// The capabilities that executing a file brings: its `security.capability` attribute; `capabilities(7)`,
/// `cap_get_file(3)`.
public struct FileCapabilities: Hashable, Sendable {
    /// What the thread gets, within its bounding set.
    public var permitted: CapabilitySet
    /// What the thread gets when it has the same capability inheritable.
    public var inheritable: CapabilitySet
    /// Whether what it gets is effective at once.
    public var effective: Bool
    /// The user id, in the caller's user namespace, that is root of the namespaces in which the attribute counts;
    /// 0 makes an attribute that counts in the caller's namespace.
    public var rootID: uid_t

    public init(
        permitted: CapabilitySet, inheritable: CapabilitySet = [], effective: Bool = false, rootID: uid_t = 0
    ) {
        self.permitted = permitted
        self.inheritable = inheritable
        self.effective = effective
        self.rootID = rootID
    }

    /// The capabilities of an open file, nil when it has none.
    ///
    /// - Throws: ``CapabilityError/system(_:)``, with `EBADF` for a descriptor opened with `O_PATH`.
    public static func of(_ file: borrowing Descriptor) throws(CapabilityError) -> FileCapabilities? {
        let number = file.rawValue
        return unsafe try read("read the capabilities of descriptor \(number)") { unsafe cap_get_fd(number) }
    }

    /// The capabilities of the file at a path, nil when it has none.
    public static func of(path: String) throws(CapabilityError) -> FileCapabilities? {
        unsafe try read("read the capabilities of \(quoted(path))") { unsafe cap_get_file(path) }
    }

    /// Gives an open regular file these capabilities.
    ///
    /// - Throws: ``CapabilityError/system(_:)`` with `EPERM` without `CAP_SETFCAP`, `EINVAL` when the file is not
    ///   a regular one.
    public func apply(to file: borrowing Descriptor) throws(CapabilityError) {
        let number = file.rawValue
        let handle = try libraryForm()
        try call("set the capabilities of descriptor \(number)", needs: .setFileCapabilities) {
            unsafe cap_set_fd(number, handle.pointer)
        }
    }

    /// Takes an open file's capabilities away; nothing happens when it has none.
    public static func remove(from file: borrowing Descriptor) throws(CapabilityError) {
        let number = file.rawValue
        do throws(CapabilityError) {
            try call("remove the capabilities of descriptor \(number)", needs: .setFileCapabilities) {
                cap_set_fd(number, nil)
            }
        } catch {
            if case .system(let refusal) = error, refusal.errno.rawValue == ENODATA { return }
            throw error
        }
    }

    private func libraryForm() throws(CapabilityError) -> LibraryCapabilities {
        let handle = try LibraryCapabilities()
        try handle.set(CAP_PERMITTED, permitted)
        try handle.set(CAP_INHERITABLE, inheritable)
        // The attribute has one flag for all: libcap wants it as the union of the others or nothing.
        if effective { try handle.set(CAP_EFFECTIVE, permitted.union(inheritable)) }
        if rootID != 0 {
            try call("cap_set_nsowner") { unsafe cap_set_nsowner(handle.pointer, rootID) }
        }
        return handle
    }

    private static func read(
        _ operation: @autoclosure () -> String, _ body: () -> cap_t?
    ) throws(CapabilityError) -> FileCapabilities? {
        guard let pointer = unsafe body() else {
            let error = Errno.current
            if error.rawValue == ENODATA { return nil }
            throw .system(SystemError(operation(), error))
        }
        let handle = unsafe LibraryCapabilities(owning: pointer)
        return FileCapabilities(
            permitted: handle.get(CAP_PERMITTED), inheritable: handle.get(CAP_INHERITABLE),
            effective: !handle.get(CAP_EFFECTIVE).isEmpty, rootID: unsafe cap_get_nsowner(handle.pointer))
    }
}
