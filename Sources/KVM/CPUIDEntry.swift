#if arch(x86_64)
    import CKVM
    import Linux

    /// One answer of the CPUID instruction; `struct kvm_cpuid_entry2`.
    public struct CPUIDEntry: Hashable, Sendable, BitwiseCopyable {
        /// The leaf: EAX before the instruction.
        public var function: UInt32
        /// The subleaf: ECX before it, where ``Flags/indexMatters`` is set.
        public var index: UInt32
        public var flags: Flags
        public var eax: UInt32
        public var ebx: UInt32
        public var ecx: UInt32
        public var edx: UInt32
        private var padding0: UInt32 = 0
        private var padding1: UInt32 = 0
        private var padding2: UInt32 = 0

        public init(
            function: UInt32, index: UInt32 = 0, flags: Flags = [], eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0,
            edx: UInt32 = 0
        ) {
            self.function = function
            self.index = index
            self.flags = flags
            self.eax = eax
            self.ebx = ebx
            self.ecx = ecx
            self.edx = edx
        }

        /// `KVM_CPUID_FLAG_*`.
        public struct Flags: OptionSet, Hashable, Sendable, BitwiseCopyable {
            public let rawValue: UInt32
            public init(rawValue: UInt32) { self.rawValue = rawValue }
            /// The subleaf is looked at; the kernel spells it `SIGNIFCANT_INDEX`.
            public static let indexMatters = Flags(rawValue: 1 << 0)
            /// Several entries answer the same question in turn; no longer made by KVM.
            public static let stateful = Flags(rawValue: 1 << 1)
            /// It is this one's turn.
            public static let readNext = Flags(rawValue: 1 << 2)
        }

        /// No processor has more; the kernel's own limit was 80 for long and is 256.
        static let most = 4096

        /// Asks with growing room until all entries fit.
        static func list(
            _ operation: String, _ descriptor: borrowing Descriptor, _ request: Request
        ) throws(SystemError) -> [CPUIDEntry] {
            var room = 128
            while true {
                var list = ListBuffer<CPUIDEntry>(head: 8, count: room)
                list.length = UInt32(room)
                switch list.control(descriptor, request) {
                case .success: return list.elements(Int(list.length))
                case .failure(.argumentListTooLong) where room < most: room *= 2
                case .failure(let error): throw SystemError(operation, error)
                }
            }
        }
    }
#endif
