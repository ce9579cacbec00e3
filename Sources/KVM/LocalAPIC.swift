#if arch(x86_64)
    import Linux

    /// A local APIC's registers; `struct kvm_lapic_state`.
    public struct LocalAPIC: Sendable, BitwiseCopyable {
        private var words = InlineArray<256, UInt32>(repeating: 0)

        public init() {}

        /// A register by its offset in the APIC's page, as the processors' manuals list them: a multiple of 16, below
        /// 0x400.
        public subscript(register: Register) -> UInt32 {
            get { words[register.rawValue / 4] }
            set { words[register.rawValue / 4] = newValue }
        }

        /// A register's offset.
        public struct Register: RawRepresentable, Hashable, Sendable {
            public let rawValue: Int

            /// - Precondition: a multiple of 4 from 0 to 0x3fc.
            public init(rawValue: Int) {
                precondition(rawValue >= 0 && rawValue < 0x400 && rawValue % 4 == 0, "an offset in the APIC's page")
                self.rawValue = rawValue
            }

            /// Bits 24 to 31 are the id, in xAPIC mode.
            public static let id = Register(rawValue: 0x20)
            public static let version = Register(rawValue: 0x30)
            public static let taskPriority = Register(rawValue: 0x80)
            public static let spuriousInterrupt = Register(rawValue: 0xf0)
            public static let timer = Register(rawValue: 0x320)
            /// The local interrupt line 0, to which the 8259 leads.
            public static let lint0 = Register(rawValue: 0x350)
            /// The local interrupt line 1, for non-maskable interrupts.
            public static let lint1 = Register(rawValue: 0x360)
            public static let error = Register(rawValue: 0x370)
        }

        /// How a local interrupt line is delivered.
        public struct DeliveryMode: RawRepresentable, Hashable, Sendable {
            public let rawValue: UInt32
            public init(rawValue: UInt32) { self.rawValue = rawValue }
            public static let fixed = DeliveryMode(rawValue: 0)
            public static let nonMaskable = DeliveryMode(rawValue: 4)
            /// The vector comes from the 8259.
            public static let external = DeliveryMode(rawValue: 7)
        }

        /// Changes how a line is delivered, and nothing else of it.
        public mutating func setDeliveryMode(_ mode: DeliveryMode, of line: Register) {
            self[line] = self[line] & ~0x700 | (mode.rawValue & 7) << 8
        }
    }

    extension VCPU {
        /// `KVM_GET_LAPIC`.
        ///
        /// - Throws: `EINVAL` where the kernel has no local APICs.
        public func localAPIC() throws(SystemError) -> LocalAPIC {
            var state = LocalAPIC()
            try descriptor.control(.getLocalAPIC, with: &state, text("KVM_GET_LAPIC"))
            return state
        }

        /// `KVM_SET_LAPIC`.
        public func setLocalAPIC(_ state: LocalAPIC) throws(SystemError) {
            try descriptor.control(.setLocalAPIC, from: state, text("KVM_SET_LAPIC"))
        }
    }
#endif
