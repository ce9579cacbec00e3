#if arch(x86_64)
    import CKVM
    import Linux

    /// The x87 and SSE registers; `struct kvm_fpu`.
    public struct FloatingPointState: Sendable, BitwiseCopyable {
        /// The eight x87 registers, 16 bytes each, of which 10 count.
        public var registers = InlineArray<128, UInt8>(repeating: 0)
        public var controlWord: UInt16 = 0x37f
        public var statusWord: UInt16 = 0
        /// A bit for each register that is not empty.
        public var tags: UInt8 = 0
        private var padding0: UInt8 = 0
        public var lastOpcode: UInt16 = 0
        public var lastInstruction: UInt64 = 0
        public var lastData: UInt64 = 0
        /// The sixteen SSE registers, 16 bytes each.
        public var xmm = InlineArray<256, UInt8>(repeating: 0)
        /// KVM neither sets nor gets it this way; ``ExtendedState`` has it.
        public var mxcsr: UInt32 = 0x1f80
        private var padding1: UInt32 = 0

        /// As after `fninit`, with SSE's exceptions masked: what kernels are started with.
        public init() {}
    }

    /// All that XSAVE saves, in the processor's own layout, which CPUID's leaf 0xd describes; `struct kvm_xsave`.
    public struct ExtendedState: Hashable, Sendable {
        /// 4096 or more.
        public var bytes: [UInt8]

        public init(_ bytes: [UInt8]) { self.bytes = bytes }
    }

    /// An extended control register; `struct kvm_xcr`.
    public struct ExtendedControlRegister: Hashable, Sendable, BitwiseCopyable {
        public var index: UInt32 = 0
        private var reserved: UInt32 = 0
        public var value: UInt64 = 0

        public init(_ index: UInt32 = 0, _ value: UInt64 = 0) {
            self.index = index
            self.value = value
        }
    }

    /// The extended control registers, of which processors have one, XCR0; `struct kvm_xcrs`.
    public struct ExtendedControlRegisters: Sendable, BitwiseCopyable {
        /// How many of `registers` there are, up to 16.
        public var count: UInt32 = 0
        public var flags: UInt32 = 0
        public var registers = InlineArray<16, ExtendedControlRegister>(repeating: ExtendedControlRegister())
        private var padding = InlineArray<16, UInt64>(repeating: 0)

        public init() {}
    }

    extension VCPU {
        /// `KVM_GET_FPU`.
        public func floatingPoint() throws(SystemError) -> FloatingPointState {
            var state = FloatingPointState()
            try descriptor.control(.getFPU, with: &state, text("KVM_GET_FPU"))
            return state
        }

        /// `KVM_SET_FPU`.
        public func setFloatingPoint(_ state: FloatingPointState) throws(SystemError) {
            try descriptor.control(.setFPU, from: state, text("KVM_SET_FPU"))
        }

        /// `KVM_GET_XSAVE2`, or `KVM_GET_XSAVE` where that is not there.
        public func extendedState() throws(SystemError) -> ExtendedState {
            var bytes = [UInt8](repeating: 0, count: extendedStateSize)
            let number = descriptor.rawValue
            func get(_ request: Request) -> CInt {
                unsafe bytes.withUnsafeMutableBytes { unsafe bh_kvm_control(number, request.rawValue, $0.baseAddress) }
            }
            // A machine that needs no more than a page has an area of a page, by either call.
            let request = extendedStateSize > 4096 ? Request.getXSave2 : .getXSave
            try systemCall(text("KVM_GET_XSAVE")) { get(request) }
            return ExtendedState(bytes)
        }

        /// `KVM_SET_XSAVE`.
        ///
        /// - Throws: `EINVAL` for fewer bytes than this machine's area has, for components that the guest may not have,
        ///   or an area that is not well formed.
        public func setExtendedState(_ state: ExtendedState) throws(SystemError) {
            // The kernel reads as many bytes as it would write, whatever it is given.
            guard state.bytes.count >= extendedStateSize else {
                throw SystemError(
                    text("KVM_SET_XSAVE"), .invalidArgument,
                    hint: "\(state.bytes.count) bytes, where \(extendedStateSize) are needed")
            }
            var bytes = state.bytes
            let number = descriptor.rawValue
            try systemCall(text("KVM_SET_XSAVE")) {
                unsafe bytes.withUnsafeMutableBytes {
                    unsafe bh_kvm_control(number, Request.setXSave.rawValue, $0.baseAddress)
                }
            }
        }

        /// `KVM_GET_XCRS`.
        public func extendedControlRegisters() throws(SystemError) -> ExtendedControlRegisters {
            var registers = ExtendedControlRegisters()
            try descriptor.control(.getXCRs, with: &registers, text("KVM_GET_XCRS"))
            return registers
        }

        /// `KVM_SET_XCRS`.
        ///
        /// - Throws: `EINVAL` for a value that CPUID does not allow.
        public func setExtendedControlRegisters(_ registers: ExtendedControlRegisters) throws(SystemError) {
            try descriptor.control(.setXCRs, from: registers, text("KVM_SET_XCRS"))
        }
    }
#endif
