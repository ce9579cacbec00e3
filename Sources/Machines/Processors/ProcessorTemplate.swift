#if arch(x86_64)
    import KVM
    import Linux
#endif

/// How a guest's processors differ from what this host's KVM offers: bits of CPUID and of model-specific registers, as
/// where guests are to see the same processor on different hosts.
public struct ProcessorTemplate: Hashable, Sendable {
    /// Bits of a register that get a value, and those that keep theirs.
    public struct Bitmap<Value: FixedWidthInteger & UnsignedInteger & Sendable>: Hashable, Sendable {
        /// The bits that get a value.
        public var mask: Value
        /// Their values; no other bit is set.
        public var value: Value

        public init(mask: Value, value: Value) {
            self.mask = mask
            self.value = value & mask
        }

        public func applied(to old: Value) -> Value { old & ~mask | value }
    }

    /// A register that CPUID answers with.
    public enum Register: String, CaseIterable, Hashable, Sendable {
        case eax, ebx, ecx, edx
    }

    /// A change of one of its registers.
    public struct Change: Hashable, Sendable {
        public var register: Register
        public var bitmap: Bitmap<UInt32>

        public init(_ register: Register, _ bitmap: Bitmap<UInt32>) {
            self.register = register
            self.bitmap = bitmap
        }
    }

    /// What changes of one answer of CPUID.
    public struct Leaf: Hashable, Sendable {
        public var leaf: UInt32
        public var subleaf: UInt32
        /// `KVM_CPUID_FLAG_*`, which the answer gets in the place of its own.
        public var flags: UInt32
        public var changes: [Change]

        public init(_ leaf: UInt32, _ subleaf: UInt32, flags: UInt32, _ changes: [Change]) {
            (self.leaf, self.subleaf, self.flags, self.changes) = (leaf, subleaf, flags, changes)
        }
    }

    /// What changes of a model-specific register.
    public struct ModelRegister: Hashable, Sendable {
        public var index: UInt32
        public var bitmap: Bitmap<UInt64>

        public init(_ index: UInt32, _ bitmap: Bitmap<UInt64>) {
            self.index = index
            self.bitmap = bitmap
        }
    }

    /// Numbers of KVM's capabilities that the host has to have, beside those that every machine needs.
    public var neededCapabilities: [UInt32] = []
    /// Those that are not asked for, whether a machine needs them or not.
    public var ignoredCapabilities: Set<UInt32> = []
    public var leaves: [Leaf] = []
    public var registers: [ModelRegister] = []

    public init() {}
}

#if arch(x86_64)
    extension ProcessorTemplate {
        /// What CPUID answers then.
        ///
        /// - Throws: `EINVAL` where KVM has no such answer.
        func applied(to entries: [CPUIDEntry]) throws(SystemError) -> [CPUIDEntry] {
            var entries = entries
            for leaf in leaves {
                guard
                    let index = entries.firstIndex(where: { $0.function == leaf.leaf && $0.index == leaf.subleaf })
                else {
                    throw SystemError(
                        "apply the processors' template", .invalidArgument,
                        hint: "Template changes a CPUID entry not supported by KVM: Leaf: "
                            + "\(String(leaf.leaf, radix: 16)), Subleaf: \(String(leaf.subleaf, radix: 16))")
                }
                entries[index].flags = CPUIDEntry.Flags(rawValue: leaf.flags)
                for change in leaf.changes {
                    switch change.register {
                    case .eax: entries[index].eax = change.bitmap.applied(to: entries[index].eax)
                    case .ebx: entries[index].ebx = change.bitmap.applied(to: entries[index].ebx)
                    case .ecx: entries[index].ecx = change.bitmap.applied(to: entries[index].ecx)
                    case .edx: entries[index].edx = change.bitmap.applied(to: entries[index].edx)
                    }
                }
            }
            return entries
        }

        /// Changes a processor's registers, once it knows what CPUID answers.
        func apply(to vcpu: borrowing VCPU) throws(SystemError) {
            guard !registers.isEmpty else { return }
            // One after the other: the same one may be named twice.
            for register in registers {
                let old = try vcpu.msrs([register.index])
                try vcpu.setMSRs([MSR(register.index, register.bitmap.applied(to: old[0].value))])
            }
        }
    }
#endif
