import CKVM
import Linux

/// A machine's paravirtual clock; `struct kvm_clock_data`.
public struct ClockData: Hashable, Sendable, BitwiseCopyable {
    /// Nanoseconds since the machine's boot, as its guest counts them.
    public var nanoseconds: UInt64
    public var flags: Flags
    private var padding0: UInt32 = 0
    /// Nanoseconds since 1970 on the host when that was read, with ``Flags/hasRealTime``.
    public var realTime: UInt64 = 0
    /// The host's time-stamp counter when that was read, with ``Flags/hasHostTSC``.
    public var hostTSC: UInt64 = 0
    private var padding1: UInt64 = 0
    private var padding2: UInt64 = 0

    public init(nanoseconds: UInt64 = 0, flags: Flags = []) {
        self.nanoseconds = nanoseconds
        self.flags = flags
    }

    /// `KVM_CLOCK_*`.
    public struct Flags: OptionSet, Hashable, Sendable, BitwiseCopyable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// All vCPUs see one clock.
        public static let isStable = Flags(rawValue: 1 << 1)
        /// Given to ``VirtualMachine/setClock(_:)``, the clock is set forward by the host's time since.
        public static let hasRealTime = Flags(rawValue: 1 << 2)
        public static let hasHostTSC = Flags(rawValue: 1 << 3)
    }
}

#if arch(x86_64)
    /// A channel of the timer; `struct kvm_pit_channel_state`.
    public struct PITChannel: Hashable, Sendable, BitwiseCopyable {
        /// What is counted down from; 65536 can be.
        public var count: UInt32 = 0
        public var latchedCount: UInt16 = 0
        public var countLatched: UInt8 = 0
        public var statusLatched: UInt8 = 0
        public var status: UInt8 = 0
        public var readState: UInt8 = 0
        public var writeState: UInt8 = 0
        public var writeLatch: UInt8 = 0
        public var accessMode: UInt8 = 0
        public var mode: UInt8 = 0
        public var isBCD: UInt8 = 0
        public var gate: UInt8 = 0
        /// When counting began, in nanoseconds of the host's monotonic clock.
        public var loadTime: Int64 = 0

        public init() {}
    }

    /// The 8254 timer; `struct kvm_pit_state2`.
    public struct PITState: Sendable, BitwiseCopyable {
        public var channels = InlineArray<3, PITChannel>(repeating: PITChannel())
        /// `KVM_PIT_FLAGS_*`.
        public var flags: UInt32 = 0
        private var reserved = InlineArray<9, UInt32>(repeating: 0)

        public init() {}
    }
#endif

extension VirtualMachine {
    #if arch(x86_64)
        /// The clock that the guest reads through its `kvm-clock`; `KVM_GET_CLOCK`.
        public func clock() throws(SystemError) -> ClockData {
            var data = ClockData()
            try descriptor.control(.getClock, with: &data, "KVM_GET_CLOCK")
            return data
        }

        /// `KVM_SET_CLOCK`.
        ///
        /// - Throws: `EINVAL` for a flag that is not there to be set.
        public func setClock(_ data: ClockData) throws(SystemError) {
            try descriptor.control(.setClock, from: data, "KVM_SET_CLOCK")
        }

        /// The kernel's own 8254 timer, on interrupt line 0; `KVM_CREATE_PIT2`.
        ///
        /// - Parameter speaker: whether port 0x61, by which the timer drives the speaker, is answered, too.
        /// - Throws: `EEXIST` when it is there; `ENOENT` on newer kernels, when the interrupt controllers were not made
        ///   before, as they have to be.
        public func makePIT(speaker: Bool = true) throws(SystemError) {
            var config = kvm_pit_config()
            config.flags = speaker ? UInt32(KVM_PIT_SPEAKER_DUMMY) : 0
            try descriptor.control(.createPIT2, from: config, "KVM_CREATE_PIT2")
        }

        /// `KVM_GET_PIT2`.
        ///
        /// - Throws: `ENXIO` for a machine without it.
        public func pit() throws(SystemError) -> PITState {
            var state = PITState()
            try descriptor.control(.getPIT2, with: &state, "KVM_GET_PIT2")
            return state
        }

        /// `KVM_SET_PIT2`.
        public func setPIT(_ state: PITState) throws(SystemError) {
            try descriptor.control(.setPIT2, from: state, "KVM_SET_PIT2")
        }

        /// Where three pages lie that Intel's processors need for real mode, below 4 GiB and not in a memory slot;
        /// to be called before the first vCPU is made. `KVM_SET_TSS_ADDR`.
        public func setTSSAddress(_ address: UInt32) throws(SystemError) {
            try descriptor.control(
                .setTSSAddress, number: UInt(address), "KVM_SET_TSS_ADDR 0x\(String(address, radix: 16))")
        }

        /// Where one more such page lies, 0xfffbc000 when not said; `KVM_SET_IDENTITY_MAP_ADDR`.
        ///
        /// - Throws: `EINVAL` when a vCPU was made before.
        public func setIdentityMapAddress(_ address: UInt64) throws(SystemError) {
            try descriptor.control(
                .setIdentityMapAddress, from: address, "KVM_SET_IDENTITY_MAP_ADDR 0x\(String(address, radix: 16))")
        }

        /// The rate of new vCPUs' time-stamp counters, in kHz; `KVM_GET_TSC_KHZ`, `KVM_CAP_VM_TSC_CONTROL`.
        public func tscKHz() throws(SystemError) -> UInt32 {
            UInt32(try descriptor.control(.getTSCKHz, "KVM_GET_TSC_KHZ"))
        }

        /// `KVM_SET_TSC_KHZ`, `KVM_CAP_VM_TSC_CONTROL`.
        ///
        /// - Throws: `EINVAL` for a rate that the processor can't scale to, or when a vCPU was made before.
        public func setTSCKHz(_ rate: UInt32) throws(SystemError) {
            try descriptor.control(.setTSCKHz, number: UInt(rate), "KVM_SET_TSC_KHZ \(rate)")
        }
    #endif
}
