import Linux

#if arch(x86_64)
    /// Exceptions and interrupts that are on their way into the guest; `struct kvm_vcpu_events`.
    public struct VCPUEvents: Sendable, BitwiseCopyable {
        public var exceptionInjected: UInt8 = 0
        public var exceptionVector: UInt8 = 0
        public var exceptionHasErrorCode: UInt8 = 0
        /// With ``Flags/payload``: not yet delivered.
        public var exceptionPending: UInt8 = 0
        public var exceptionErrorCode: UInt32 = 0
        public var interruptInjected: UInt8 = 0
        public var interruptVector: UInt8 = 0
        public var interruptIsSoft: UInt8 = 0
        /// `KVM_X86_SHADOW_INT_MOV_SS`, 1, and `KVM_X86_SHADOW_INT_STI`, 2.
        public var interruptShadow: UInt8 = 0
        public var nmiInjected: UInt8 = 0
        public var nmiPending: UInt8 = 0
        public var nmiMasked: UInt8 = 0
        private var nmiPadding: UInt8 = 0
        public var sipiVector: UInt32 = 0
        /// Which parts are to be set.
        public var flags: Flags = []
        public var smm: UInt8 = 0
        public var smiPending: UInt8 = 0
        public var smmInsideNMI: UInt8 = 0
        public var latchedINIT: UInt8 = 0
        public var tripleFaultPending: UInt8 = 0
        private var reserved = InlineArray<26, UInt8>(repeating: 0)
        public var exceptionHasPayload: UInt8 = 0
        public var exceptionPayload: UInt64 = 0

        public init() {}

        /// `KVM_VCPUEVENT_VALID_*`.
        public struct Flags: OptionSet, Hashable, Sendable, BitwiseCopyable {
            public let rawValue: UInt32
            public init(rawValue: UInt32) { self.rawValue = rawValue }
            public static let nmiPending = Flags(rawValue: 1 << 0)
            public static let sipiVector = Flags(rawValue: 1 << 1)
            public static let shadow = Flags(rawValue: 1 << 2)
            public static let smm = Flags(rawValue: 1 << 3)
            public static let payload = Flags(rawValue: 1 << 4)
            public static let tripleFault = Flags(rawValue: 1 << 5)
        }
    }
#elseif arch(arm64)
    /// Aborts that are on their way into the guest; `struct kvm_vcpu_events`.
    public struct VCPUEvents: Sendable, BitwiseCopyable {
        public var serrorPending: UInt8 = 0
        public var serrorHasSyndrome: UInt8 = 0
        /// Set, not read: an external data abort.
        public var externalAbortPending: UInt8 = 0
        private var padding = InlineArray<5, UInt8>(repeating: 0)
        public var serrorSyndrome: UInt64 = 0
        private var reserved = InlineArray<12, UInt32>(repeating: 0)

        public init() {}
    }
#endif

extension VCPU {
    /// `KVM_GET_VCPU_EVENTS`.
    public func events() throws(SystemError) -> VCPUEvents {
        var events = VCPUEvents()
        try descriptor.control(.getVCPUEvents, with: &events, text("KVM_GET_VCPU_EVENTS"))
        return events
    }

    /// `KVM_SET_VCPU_EVENTS`.
    ///
    /// - Throws: `EINVAL` for flags that the kernel does not know, or states that exclude each other.
    public func setEvents(_ events: VCPUEvents) throws(SystemError) {
        try descriptor.control(.setVCPUEvents, from: events, text("KVM_SET_VCPU_EVENTS"))
    }
}
