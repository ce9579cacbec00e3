#if arch(arm64)
    /// A register's name in `KVM_GET_ONE_REG`: architecture, size, group and number; `KVM_REG_*`.
    public struct RegisterID: RawRepresentable, Hashable, Sendable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        private init(_ rawValue: UInt64) { self.rawValue = rawValue }

        private static let arm64: UInt64 = 0x6000_0000_0000_0000
        private static let size32: UInt64 = 0x0020_0000_0000_0000
        private static let size64: UInt64 = 0x0030_0000_0000_0000
        private static let size128: UInt64 = 0x0040_0000_0000_0000

        /// Bytes.
        public var size: Int { 1 << Int(rawValue >> 52 & 0xf) }

        /// A field of `struct kvm_regs`, which the kernel counts in words of 32 bits.
        private static func core(_ word: Int, _ size: UInt64 = size64) -> RegisterID {
            RegisterID(arm64 | size | 0x0010_0000 | UInt64(word))
        }

        /// X0 to X30.
        ///
        /// - Precondition: 0 to 30.
        public static func x(_ number: Int) -> RegisterID {
            precondition(number >= 0 && number <= 30, "X0 to X30")
            return core(2 * number)
        }
        /// SP_EL0.
        public static let sp = core(62)
        public static let pc = core(64)
        public static let pstate = core(66)
        public static let spEL1 = core(68)
        public static let elrEL1 = core(70)
        public static let spsrEL1 = core(72)
        /// V0 to V31, 16 bytes each.
        ///
        /// - Precondition: 0 to 31.
        public static func v(_ number: Int) -> RegisterID {
            precondition(number >= 0 && number <= 31, "V0 to V31")
            return core(84 + 4 * number, size128)
        }
        /// 4 bytes.
        public static let fpsr = core(212, size32)
        /// 4 bytes.
        public static let fpcr = core(213, size32)

        /// A system register by its encoding in MRS and MSR.
        public static func system(op0: Int, op1: Int, crn: Int, crm: Int, op2: Int) -> RegisterID {
            let name = (op0 & 3) << 14 | (op1 & 7) << 11 | (crn & 15) << 7 | (crm & 15) << 3 | op2 & 7
            return RegisterID(arm64 | size64 | 0x0013_0000 | UInt64(name))
        }
        /// The vCPU's affinity, by which a device tree names it.
        public static let mpidrEL1 = system(op0: 3, op1: 0, crn: 0, crm: 0, op2: 5)
        public static let sctlrEL1 = system(op0: 3, op1: 0, crn: 1, crm: 0, op2: 0)

        /// Which PSCI the guest is offered: the major version in bits 16 to 31, the minor below.
        public static let psciVersion = RegisterID(arm64 | size64 | 0x0014_0000)
    }

    extension RegisterID: CustomStringConvertible {
        public var description: String { "register 0x\(String(rawValue, radix: 16))" }
    }

    /// The bits of PSTATE that a kernel is started with.
    public enum ProcessorState {
        /// EL1 with a stack of its own, and debug, error, interrupt and fast interrupt masked.
        public static let kernelEntry: UInt64 = 0x3c5
    }
#endif
