#if arch(x86_64)
    import CKVM
    import Linux

    /// The state of an 8259; `struct kvm_pic_state`.
    public struct PICState: Hashable, Sendable, BitwiseCopyable {
        /// The lines as they were last, to tell edges.
        public var lastRequests: UInt8 = 0
        public var requests: UInt8 = 0
        public var mask: UInt8 = 0
        public var inService: UInt8 = 0
        public var highestPriority: UInt8 = 0
        /// The vector of its first line.
        public var vectorBase: UInt8 = 0
        public var readRegisterSelect: UInt8 = 0
        public var poll: UInt8 = 0
        public var specialMask: UInt8 = 0
        public var initializationState: UInt8 = 0
        public var autoEOI: UInt8 = 0
        public var rotateOnAutoEOI: UInt8 = 0
        public var specialFullyNestedMode: UInt8 = 0
        public var initializesInFourBytes: UInt8 = 0
        /// Which lines are level-triggered.
        public var levelTriggered: UInt8 = 0
        public var levelTriggeredMask: UInt8 = 0

        public init() {}
    }

    /// The state of an IOAPIC; `struct kvm_ioapic_state`.
    public struct IOAPICState: Sendable, BitwiseCopyable {
        public var baseAddress: UInt64 = 0
        public var selectedRegister: UInt32 = 0
        public var id: UInt32 = 0
        public var requests: UInt32 = 0
        private var padding: UInt32 = 0
        /// The redirection table, an entry for each pin.
        public var redirections = InlineArray<24, UInt64>(repeating: 0)

        public init() {}
    }

    extension VirtualMachine {
        /// One of the two 8259; `KVM_GET_IRQCHIP`.
        ///
        /// - Throws: `ENXIO` for a machine that has none, `EINVAL` for another chip.
        public func pic(_ chip: InterruptChip) throws(SystemError) -> PICState {
            try chipState(chip, PICState())
        }

        /// `KVM_SET_IRQCHIP`.
        public func setPIC(_ chip: InterruptChip, _ state: PICState) throws(SystemError) {
            try setChipState(chip, state)
        }

        /// The IOAPIC; `KVM_GET_IRQCHIP`.
        ///
        /// - Throws: `ENXIO` for a machine that has none.
        public func ioapic() throws(SystemError) -> IOAPICState {
            try chipState(.ioapic, IOAPICState())
        }

        /// `KVM_SET_IRQCHIP`.
        public func setIOAPIC(_ state: IOAPICState) throws(SystemError) {
            try setChipState(.ioapic, state)
        }

        private func isKind<State>(_ chip: InterruptChip, of state: State) -> Bool {
            State.self == IOAPICState.self ? chip == .ioapic : chip == .firstPIC || chip == .secondPIC
        }

        private func chipState<State: BitwiseCopyable>(
            _ chip: InterruptChip, _ empty: State
        ) throws(SystemError) -> State {
            guard isKind(chip, of: empty) else { throw SystemError("KVM_GET_IRQCHIP", .invalidArgument) }
            var request = kvm_irqchip()
            request.chip_id = chip.rawValue
            try descriptor.control(.getIRQChip, with: &request, "KVM_GET_IRQCHIP")
            return unsafe withUnsafeBytes(of: &request.chip) { unsafe $0.loadUnaligned(as: State.self) }
        }

        private func setChipState<State: BitwiseCopyable>(
            _ chip: InterruptChip, _ state: State
        ) throws(SystemError) {
            guard isKind(chip, of: state) else { throw SystemError("KVM_SET_IRQCHIP", .invalidArgument) }
            var request = kvm_irqchip()
            request.chip_id = chip.rawValue
            unsafe withUnsafeMutableBytes(of: &request.chip) { unsafe $0.storeBytes(of: state, as: State.self) }
            try descriptor.control(.setIRQChip, with: &request, "KVM_SET_IRQCHIP")
        }
    }
#endif
