#if arch(x86_64)
    import CKVM

    /// Registers that travel in the run page, which saves the calls to get and set them; `KVM_SYNC_X86_*`.
    public struct SyncedState: OptionSet, Hashable, Sendable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }
        public static let registers = SyncedState(rawValue: 1 << 0)
        public static let specialRegisters = SyncedState(rawValue: 1 << 1)
        public static let events = SyncedState(rawValue: 1 << 2)
    }

    extension VCPU {
        /// Which registers KVM writes into the page at each exit: a part of what `KVM_CAP_SYNC_REGS` says. A run with
        /// others ends with `EINVAL`.
        public var syncedState: SyncedState {
            get { unsafe SyncedState(rawValue: page.pointee.kvm_valid_regs) }
            set { unsafe page.pointee.kvm_valid_regs = newValue.rawValue }
        }

        /// The general registers as of the last exit, with ``SyncedState/registers``. What is written here is the guest's
        /// with the next run.
        public var syncedRegisters: Registers {
            get { load(offset: 0) }
            set { store(newValue, offset: 0, .registers) }
        }

        /// The special registers, with ``SyncedState/specialRegisters``.
        public var syncedSpecialRegisters: SpecialRegisters {
            get { load(offset: Self.specialOffset) }
            set { store(newValue, offset: Self.specialOffset, .specialRegisters) }
        }

        /// The events, with ``SyncedState/events``.
        public var syncedEvents: VCPUEvents {
            get { load(offset: Self.eventsOffset) }
            set { store(newValue, offset: Self.eventsOffset, .events) }
        }

        // The fields of struct kvm_sync_regs follow each other.
        private static var specialOffset: Int { MemoryLayout<Registers>.stride }
        private static var eventsOffset: Int { specialOffset + MemoryLayout<SpecialRegisters>.stride }

        private func load<Value: BitwiseCopyable>(offset: Int) -> Value {
            unsafe (UnsafeRawPointer(page) + Int(BH_KVM_SYNC_OFFSET) + offset).load(as: Value.self)
        }

        private func store<Value: BitwiseCopyable>(_ value: Value, offset: Int, _ state: SyncedState) {
            unsafe (UnsafeMutableRawPointer(page) + Int(BH_KVM_SYNC_OFFSET) + offset)
                .storeBytes(of: value, as: Value.self)
            unsafe page.pointee.kvm_dirty_regs |= state.rawValue
        }
    }
#endif
