#if arch(arm64)
    import CKVM
    import Linux

    /// What a vCPU is to be; `struct kvm_vcpu_init`.
    public struct VCPUInitialization: Hashable, Sendable, BitwiseCopyable {
        /// The kind of processor, as ``VirtualMachine/preferredInitialization()`` says it.
        public var target: UInt32 = 0
        /// The features that are switched on.
        public var features: Features = []
        private var rest: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0)

        public init() {}

        public static func == (left: Self, right: Self) -> Bool {
            left.target == right.target && left.features == right.features && left.rest == right.rest
        }

        public func hash(into hasher: inout Hasher) {
            hasher.combine(target)
            hasher.combine(features)
        }

        /// `KVM_ARM_VCPU_*`.
        public struct Features: OptionSet, Hashable, Sendable, BitwiseCopyable {
            public let rawValue: UInt32
            public init(rawValue: UInt32) { self.rawValue = rawValue }
            /// It waits until another calls PSCI's CPU_ON for it: all vCPUs but the first.
            public static let powerOff = Features(rawValue: 1 << 0)
            /// Its EL1 runs 32-bit code.
            public static let el1Is32Bit = Features(rawValue: 1 << 1)
            /// PSCI 0.2 and later, without which no vCPU starts another or powers off.
            public static let psci = Features(rawValue: 1 << 2)
            /// Performance counters.
            public static let pmu = Features(rawValue: 1 << 3)
            /// Scalable vectors; to be followed by ``VCPU/finalize(_:)``.
            public static let sve = Features(rawValue: 1 << 4)
            /// Pointer authentication for addresses; together with the next one.
            public static let pointerAuthenticationAddress = Features(rawValue: 1 << 5)
            public static let pointerAuthenticationGeneric = Features(rawValue: 1 << 6)
            /// A hypervisor of its own.
            public static let el2 = Features(rawValue: 1 << 7)
        }
    }

    extension VirtualMachine {
        /// The processor that suits this host best; `KVM_ARM_PREFERRED_TARGET`.
        public func preferredInitialization() throws(SystemError) -> VCPUInitialization {
            var value = VCPUInitialization()
            try descriptor.control(.preferredTarget, with: &value, "KVM_ARM_PREFERRED_TARGET")
            return value
        }
    }

    extension VCPU {
        /// Makes the vCPU what it is to be; once before all else, and again to reset it; `KVM_ARM_VCPU_INIT`.
        ///
        /// - Throws: `EINVAL` for a processor or features that the host has not, or other ones than the first time.
        public func initialize(_ value: VCPUInitialization) throws(SystemError) {
            try descriptor.control(.initializeVCPU, from: value, text("KVM_ARM_VCPU_INIT"))
        }

        /// Ends the configuration of a feature that has one, ``VCPUInitialization/Features/sve`` alone;
        /// `KVM_ARM_VCPU_FINALIZE`.
        ///
        /// - Throws: `EPERM` when done before, `EINVAL` for another feature.
        public func finalize(_ feature: VCPUInitialization.Features) throws(SystemError) {
            // The kernel wants the feature's number, not its bit.
            let number = CInt(feature.rawValue.trailingZeroBitCount)
            try descriptor.control(.finalizeVCPU, from: number, text("KVM_ARM_VCPU_FINALIZE \(number)"))
        }

        /// A register of 64 bits; `KVM_GET_ONE_REG`.
        ///
        /// - Throws: `ENOENT` for one that the vCPU has not, `EINVAL` for one of another size.
        public func register(_ id: RegisterID) throws(SystemError) -> UInt64 {
            try register(id, 0)
        }

        /// `KVM_SET_ONE_REG`.
        ///
        /// - Throws: `ENOENT` for one that the vCPU has not, `EINVAL` for one of another size or a value that it can't
        ///   have.
        public func setRegister(_ id: RegisterID, _ value: UInt64) throws(SystemError) {
            try setRegister(id, as: value)
        }

        /// A register of any size.
        ///
        /// - Parameter empty: a value of the register's size; others are refused with `EINVAL`.
        public func register<Value: BitwiseCopyable>(
            _ id: RegisterID, _ empty: Value
        ) throws(SystemError) -> Value {
            var value = empty
            try access(id, .getOneRegister, "get", &value)
            return value
        }

        /// A register of any size.
        public func setRegister<Value: BitwiseCopyable>(
            _ id: RegisterID, as value: Value
        ) throws(SystemError) {
            var value = value
            try access(id, .setOneRegister, "set", &value)
        }

        private func access<Value: BitwiseCopyable>(
            _ id: RegisterID, _ request: Request, _ verb: String, _ value: inout Value
        ) throws(SystemError) {
            guard MemoryLayout<Value>.size == id.size else {
                throw SystemError(
                    text("\(verb) \(id)"), .invalidArgument, hint: "it has \(id.size) bytes")
            }
            try descriptor.withPointer(to: &value) { (address) throws(SystemError) in
                try descriptor.control(
                    request, from: kvm_one_reg(id: id.rawValue, addr: UInt64(address)), text("\(verb) \(id)"))
            }
        }

        /// All registers that can be got and set; `KVM_GET_REG_LIST`.
        public func registerList() throws(SystemError) -> [RegisterID] {
            var room = 512
            while true {
                var list = ListBuffer<UInt64>(head: 8, count: room)
                list.length = UInt32(room)
                switch list.control(descriptor, .getRegisterList) {
                case .success: return list.elements(Int(list.length)).map { RegisterID(rawValue: $0) }
                case .failure(.argumentListTooLong) where Int(list.length) > room: room = Int(list.length)
                case .failure(let error): throw SystemError(text("KVM_GET_REG_LIST"), error)
                }
            }
        }

        /// Whether the vCPU has an attribute, such as the interrupts of its timers and counters.
        public func has(_ attribute: KernelDevice.Attribute) -> Bool { descriptor.hasAttribute(attribute) }

        /// Sets an attribute whose value has this type; `KVM_SET_DEVICE_ATTR`.
        public func set<Value: BitwiseCopyable>(
            _ attribute: KernelDevice.Attribute, to value: Value
        ) throws(SystemError) {
            try descriptor.setAttribute(attribute, to: value)
        }

        /// Sets an attribute that is an order and has no value.
        public func perform(_ attribute: KernelDevice.Attribute) throws(SystemError) {
            try descriptor.performAttribute(attribute)
        }
    }

    extension KernelDevice.Attribute {
        /// The counters' interrupt, a CInt; of a vCPU.
        public static let pmuInterrupt = Self(group: 0, 0)
        /// The end of the counters' configuration; of a vCPU.
        public static let pmuInitialize = Self(group: 0, 1)
        /// The virtual timer's interrupt, a CInt; of a vCPU.
        public static let virtualTimerInterrupt = Self(group: 1, 0)
        /// The physical timer's interrupt, a CInt; of a vCPU.
        public static let physicalTimerInterrupt = Self(group: 1, 1)
    }
#endif
