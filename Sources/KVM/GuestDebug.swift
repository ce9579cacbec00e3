import CKVM
import Linux

/// What a guest's debugger wants; `struct kvm_guest_debug`.
public struct GuestDebug: Sendable, BitwiseCopyable {
    public var control: Control
    private var padding: UInt32 = 0
    #if arch(x86_64)
        /// The debug registers, for ``Control/hardwareBreakpoints``: four addresses, two unused, DR6, DR7.
        public var registers = InlineArray<8, UInt64>(repeating: 0)
    #elseif arch(arm64)
        public var breakpointControls = InlineArray<16, UInt64>(repeating: 0)
        public var breakpointValues = InlineArray<16, UInt64>(repeating: 0)
        public var watchpointControls = InlineArray<16, UInt64>(repeating: 0)
        public var watchpointValues = InlineArray<16, UInt64>(repeating: 0)
    #endif

    public init(_ control: Control = []) { self.control = control }

    /// `KVM_GUESTDBG_*`.
    public struct Control: OptionSet, Hashable, Sendable, BitwiseCopyable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Without it, all else is off.
        public static let enabled = Control(rawValue: 1 << 0)
        /// Stop after each instruction.
        public static let singleStep = Control(rawValue: 1 << 1)
        /// Breakpoint instructions come to the caller, not to the guest.
        public static let softwareBreakpoints = Control(rawValue: 1 << 16)
        /// The registers given here are the caller's.
        public static let hardwareBreakpoints = Control(rawValue: 1 << 17)
        #if arch(x86_64)
            /// Inject a debug exception.
            public static let injectDebug = Control(rawValue: 1 << 18)
            /// Inject a breakpoint exception.
            public static let injectBreakpoint = Control(rawValue: 1 << 19)
            /// No interrupts while stepping.
            public static let blockInterrupts = Control(rawValue: 1 << 20)
        #endif
    }
}

extension VCPU {
    /// Watches the guest; what stops it comes as ``Exit/debug(_:)``; `KVM_SET_GUEST_DEBUG`.
    public func setGuestDebug(_ debug: GuestDebug) throws(SystemError) {
        try descriptor.control(.setGuestDebug, from: debug, text("KVM_SET_GUEST_DEBUG"))
    }
}

#if arch(x86_64)
    /// The guest's own debug registers; `struct kvm_debugregs`.
    public struct DebugRegisters: Sendable, BitwiseCopyable {
        /// DR0 to DR3.
        public var addresses = InlineArray<4, UInt64>(repeating: 0)
        public var dr6: UInt64 = 0
        public var dr7: UInt64 = 0
        public var flags: UInt64 = 0
        private var reserved = InlineArray<9, UInt64>(repeating: 0)

        public init() {}
    }

    extension VCPU {
        /// `KVM_GET_DEBUGREGS`.
        public func debugRegisters() throws(SystemError) -> DebugRegisters {
            var registers = DebugRegisters()
            try descriptor.control(.getDebugRegisters, with: &registers, text("KVM_GET_DEBUGREGS"))
            return registers
        }

        /// `KVM_SET_DEBUGREGS`.
        ///
        /// - Throws: `EINVAL` for bits that processors do not have.
        public func setDebugRegisters(_ registers: DebugRegisters) throws(SystemError) {
            try descriptor.control(.setDebugRegisters, from: registers, text("KVM_SET_DEBUGREGS"))
        }
    }
#endif
