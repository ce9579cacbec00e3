import CCapability
import CLinux
import Linux

/// The single steps by which the calling thread's capabilities change. They never touch another thread.
public enum ThreadCapabilities {
    /// Drops from the bounding set what is not in `kept`, for ever; `PR_CAPBSET_DROP`.
    ///
    /// - Throws: `EPERM` when something must be dropped and `CAP_SETPCAP` is not effective.
    public static func limitBounding(to kept: CapabilitySet) throws(CapabilityError) {
        let dropped = try CapabilitySet.supported().subtracting(kept)
        for capability in dropped.capabilities {
            let number = CInt(capability.rawValue)
            // Already gone: dropping it again would need CAP_SETPCAP for nothing.
            if cap_get_bound(number) == 0 { continue }
            try call("drop \(capability) from the bounding set", needs: .setProcessCapabilities) {
                cap_drop_bound(number)
            }
        }
    }

    /// Sets three of the sets in one step; `capset(2)`. The kernel takes from the ambient set what is not both
    /// permitted and inheritable any more.
    ///
    /// - Throws: `EPERM` when permitted would grow, effective is not within permitted, or inheritable would grow
    ///   beyond what the bounding set (and without `CAP_SETPCAP` the permitted one) allows.
    public static func set(
        effective: CapabilitySet, permitted: CapabilitySet, inheritable: CapabilitySet
    ) throws(CapabilityError) {
        var header = __user_cap_header_struct(version: UInt32(_LINUX_CAPABILITY_VERSION_3), pid: 0)
        func half(_ shift: UInt64) -> __user_cap_data_struct {
            __user_cap_data_struct(
                effective: UInt32(truncatingIfNeeded: effective.rawValue >> shift),
                permitted: UInt32(truncatingIfNeeded: permitted.rawValue >> shift),
                inheritable: UInt32(truncatingIfNeeded: inheritable.rawValue >> shift))
        }
        var data = [half(0), half(32)]
        try call("capset") { unsafe capset(&header, &data) }
    }

    /// Makes the ambient set exactly this; `PR_CAP_AMBIENT`.
    ///
    /// - Throws: `EPERM` when a capability is not both permitted and inheritable, or
    ///   ``SecureBits/noAmbientRaise`` is set.
    public static func setAmbient(_ ambient: CapabilitySet) throws(CapabilityError) {
        try call("clear the ambient set") { cap_reset_ambient() }
        for capability in ambient.capabilities {
            try call("raise \(capability) in the ambient set") {
                cap_set_ambient(CInt(capability.rawValue), CAP_SET)
            }
        }
    }

    /// Whether the thread keeps its permitted set when its last user id of 0 goes; `PR_GET_KEEPCAPS`.
    public static func keepsCapabilities() throws(CapabilityError) -> Bool {
        try call("read keepcaps") { bh_prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) } == 1
    }

    /// Keeps the permitted set across the next `setresuid(2)` away from 0; `execve(2)` clears the flag;
    /// `PR_SET_KEEPCAPS`.
    ///
    /// - Throws: `EPERM` when ``SecureBits/keepCapabilitiesLocked`` is set.
    public static func setKeepsCapabilities(_ keeps: Bool) throws(CapabilityError) {
        try call("set keepcaps") { bh_prctl(PR_SET_KEEPCAPS, keeps ? 1 : 0, 0, 0, 0) }
    }

    /// Whether `execve(2)` can no longer bring privileges; `PR_GET_NO_NEW_PRIVS`.
    public static func noNewPrivileges() throws(CapabilityError) -> Bool {
        try call("read no_new_privs") { bh_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) } == 1
    }

    /// From now on `execve(2)` brings no privileges, neither by set-user-id nor by file capabilities. There is no
    /// way back; `PR_SET_NO_NEW_PRIVS`.
    public static func setNoNewPrivileges() throws(CapabilityError) {
        try call("set no_new_privs") { bh_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }
    }
}

/// Makes a call of libcap or the kernel; a refusal for lack of a privilege names the capability that was needed.
@discardableResult
func call(
    _ operation: @autoclosure () -> String, needs: Capability? = nil, _ body: () -> CInt
) throws(CapabilityError) -> CInt {
    do throws(SystemError) { return try systemCall(operation(), body) } catch {
        var error = error
        if error.errno == .notPermitted, let needs { error.hint = "needs \(needs)" }
        throw .system(error)
    }
}
