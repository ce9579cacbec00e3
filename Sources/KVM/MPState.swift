import Linux

/// Whether a vCPU runs, waits or has not begun; `struct kvm_mp_state`.
public struct MPState: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let runnable = MPState(rawValue: 0)
    /// It waits for INIT; x86.
    public static let uninitialized = MPState(rawValue: 1)
    /// It had INIT and waits for SIPI; x86.
    public static let initReceived = MPState(rawValue: 2)
    public static let halted = MPState(rawValue: 3)
    /// It had SIPI and is about to begin; x86.
    public static let sipiReceived = MPState(rawValue: 4)
    /// It is off; arm64.
    public static let stopped = MPState(rawValue: 5)
    /// It waits for the SEV-ES way of being reset; x86.
    public static let resetHold = MPState(rawValue: 9)
    /// It is suspended and waits for an interrupt; arm64.
    public static let suspended = MPState(rawValue: 10)
}

extension VCPU {
    /// `KVM_GET_MP_STATE`.
    public func mpState() throws(SystemError) -> MPState {
        var state = MPState.runnable
        try descriptor.control(.getMPState, with: &state, text("KVM_GET_MP_STATE"))
        return state
    }

    /// `KVM_SET_MP_STATE`.
    ///
    /// - Throws: `EINVAL` for a state that the architecture, or a machine without controllers in the kernel, has not.
    public func setMPState(_ state: MPState) throws(SystemError) {
        try descriptor.control(.setMPState, from: state, text("KVM_SET_MP_STATE"))
    }
}
