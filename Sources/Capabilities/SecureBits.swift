import CCapability
import Linux

/// Which of user id 0's special powers a thread has given up; `capabilities(7)`, `PR_SET_SECUREBITS`.
public struct SecureBits: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Executing a file as user 0 brings no capabilities; `SECBIT_NOROOT`.
    public static let noRoot = SecureBits(rawValue: 1 << 0)
    /// ``noRoot`` can't change any more.
    public static let noRootLocked = SecureBits(rawValue: 1 << 1)
    /// Changing user ids does not change capabilities; `SECBIT_NO_SETUID_FIXUP`.
    public static let noSetUIDFixup = SecureBits(rawValue: 1 << 2)
    /// ``noSetUIDFixup`` can't change any more.
    public static let noSetUIDFixupLocked = SecureBits(rawValue: 1 << 3)
    /// The permitted set survives the loss of user id 0; `SECBIT_KEEP_CAPS`.
    public static let keepCapabilities = SecureBits(rawValue: 1 << 4)
    /// ``keepCapabilities`` can't change any more.
    public static let keepCapabilitiesLocked = SecureBits(rawValue: 1 << 5)
    /// Nothing can be raised in the ambient set; `SECBIT_NO_CAP_AMBIENT_RAISE`.
    public static let noAmbientRaise = SecureBits(rawValue: 1 << 6)
    /// ``noAmbientRaise`` can't change any more.
    public static let noAmbientRaiseLocked = SecureBits(rawValue: 1 << 7)

    /// The calling thread's bits; `PR_GET_SECUREBITS`.
    public static func ofCallingThread() throws(CapabilityError) -> SecureBits {
        SecureBits(rawValue: UInt32(bitPattern: try call("read securebits") { CInt(bitPattern: cap_get_secbits()) }))
    }

    /// Sets exactly these bits on the calling thread; `PR_SET_SECUREBITS`.
    ///
    /// - Throws: `EPERM` without `CAP_SETPCAP`, or when a locked bit would change.
    public func applyToCallingThread() throws(CapabilityError) {
        try call("set securebits", needs: .setProcessCapabilities) { cap_set_secbits(rawValue) }
    }
}
