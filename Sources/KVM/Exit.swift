import CKVM

/// Why the guest stopped: a view of the run page, which the kernel writes over with the next run.
///
/// An exit is noncopyable and only lent to the closure that ``VCPU/run(_:)`` calls, and so are the parts of it that show
/// the page: neither can be kept or given to another thread, and the vCPU can't run before they are given back. All of
/// that is checked when the program is compiled, without experimental features. (Swift 6.3 overlooks one way: a closure
/// on the same thread that captures them and is called later.) What a guest asks for is stored into the exit, and the
/// guest has it when it runs next.
///
/// It is looked at with `switch`: `if case` and `guard case` would consume it.
///
/// The cases stand in the order of the kernel's `KVM_EXIT_*`, and are those of `struct kvm_run` in `linux/kvm.h`. Those of
/// processors that this module has no other code for carry an ``ExitPayload``.
public enum Exit: ~Copyable, ~Escapable {
    /// The processor gave a reason that KVM does not know; `KVM_EXIT_UNKNOWN`.
    case unknownToKernel(hardwareReason: UInt64)
    /// An exception, where those are reported; `KVM_EXIT_EXCEPTION`.
    case exception(vector: UInt32, errorCode: UInt32)
    /// The guest reads a port; `KVM_EXIT_IO`.
    case portRead(PortRead)
    /// The guest writes to a port; `KVM_EXIT_IO`.
    case portWrite(PortWrite)
    /// The guest calls the hypervisor, where those calls are passed on; `KVM_EXIT_HYPERCALL`.
    case hypercall(Hypercall)
    /// A breakpoint or step that ``VCPU/setGuestDebug(_:)`` asked for; `KVM_EXIT_DEBUG`.
    case debug(DebugExit)
    /// The guest halted, where no controller in the kernel waits for its interrupts; `KVM_EXIT_HLT`.
    case halt
    /// The guest reads where there is no memory; `KVM_EXIT_MMIO`.
    case memoryRead(MemoryRead)
    /// The guest writes `size` bytes, 1 to 8, where there is no memory or none that it may write to; `KVM_EXIT_MMIO`. The
    /// value is little-endian in the page.
    case memoryWrite(address: UInt64, size: Int, value: UInt64)
    /// The guest takes interrupts; asked for with ``VCPU/requestsInterruptWindow``; `KVM_EXIT_IRQ_WINDOW_OPEN`.
    case interruptWindowOpen
    /// A triple fault on x86; `KVM_EXIT_SHUTDOWN`.
    case shutdown
    /// The processor refused the guest's state; `KVM_EXIT_FAIL_ENTRY`.
    case entryFailure(hardwareReason: UInt64, cpu: UInt32)
    /// A kick, or another signal, ended the run, or ``VCPU/requestImmediateExit()`` did; `KVM_EXIT_INTR` and `EINTR`.
    case interrupted
    /// The guest changed its task priority; `KVM_EXIT_SET_TPR`.
    case setTaskPriority
    /// The guest touched its task priority register; `KVM_EXIT_TPR_ACCESS`.
    case taskPriorityAccess(instruction: UInt64, isWrite: Bool)
    /// `KVM_EXIT_S390_SIEIC`.
    case s390Intercept(ExitPayload)
    /// `KVM_EXIT_S390_RESET`.
    case s390Reset(flags: UInt64)
    /// `KVM_EXIT_DCR`.
    case deviceControlRegister(ExitPayload)
    /// A non-maskable interrupt; `KVM_EXIT_NMI`.
    case nonMaskableInterrupt
    /// KVM itself can't go on; `KVM_EXIT_INTERNAL_ERROR`.
    case internalError(InternalFailure)
    /// `KVM_EXIT_OSI`.
    case openSourceInterface(ExitPayload)
    /// `KVM_EXIT_PAPR_HCALL`.
    case paprHypercall(ExitPayload)
    /// `KVM_EXIT_S390_UCONTROL`.
    case s390UserControl(ExitPayload)
    /// The guest's watchdog expired; `KVM_EXIT_WATCHDOG`.
    case watchdog
    /// `KVM_EXIT_S390_TSCH`.
    case s390TestSubchannel(ExitPayload)
    /// `KVM_EXIT_EPR`.
    case externalProxy(ExitPayload)
    /// The guest asks to end, to start again, or tells of a crash; `KVM_EXIT_SYSTEM_EVENT`. On arm64 this is what PSCI's
    /// calls for it become.
    case systemEvent(SystemEventExit)
    /// `KVM_EXIT_S390_STSI`.
    case s390StoreSystemInformation(ExitPayload)
    /// The end of a level-triggered interrupt, for a caller that emulates the IOAPIC; `KVM_EXIT_IOAPIC_EOI`.
    case ioapicEOI(vector: UInt8)
    /// `KVM_EXIT_HYPERV`, laid out as `struct kvm_hyperv_exit`.
    case hyperV(ExitPayload)
    /// A load or store that arm64 does not describe well enough to be emulated; `KVM_EXIT_ARM_NISV`.
    case armUndescribedAccess(syndrome: UInt64, faultAddress: UInt64)
    /// The guest reads a model-specific register that is left to the caller with `KVM_CAP_X86_USER_SPACE_MSR`;
    /// `KVM_EXIT_X86_RDMSR`.
    case msrRead(MSRRead)
    /// The guest writes one; `KVM_EXIT_X86_WRMSR`.
    case msrWrite(MSRWrite)
    /// The ring of dirty pages has to be emptied; `KVM_EXIT_DIRTY_RING_FULL`.
    case dirtyRingFull
    /// `KVM_EXIT_AP_RESET_HOLD`.
    case resetHold
    /// The guest locked the bus; `KVM_EXIT_X86_BUS_LOCK`.
    case busLock
    /// `KVM_EXIT_XEN`, laid out as `struct kvm_xen_exit`.
    case xen(ExitPayload)
    /// `KVM_EXIT_RISCV_SBI`.
    case riscvSBI(ExitPayload)
    /// `KVM_EXIT_RISCV_CSR`.
    case riscvCSR(ExitPayload)
    /// The guest let no event through for too long, where that was asked for; `KVM_EXIT_NOTIFY`.
    case notify(contextIsInvalid: Bool)
    /// `KVM_EXIT_LOONGARCH_IOCSR`.
    case loongArchIOCSR(ExitPayload)
    /// Memory is not there as the guest wants it; `KVM_EXIT_MEMORY_FAULT`. With ``MemoryFaultFlags/isPrivate`` it wanted
    /// private memory.
    case memoryFault(address: UInt64, size: UInt64, MemoryFaultFlags)
    /// `KVM_EXIT_TDX`: flags, number, and six words that depend on the number.
    case tdx(ExitPayload)
    /// The host reported an error in memory that the guest read; `KVM_EXIT_ARM_SEA`.
    case armExternalAbort(flags: UInt64, syndrome: UInt64, virtualAddress: UInt64, physicalAddress: UInt64)
    /// A reason that is newer than this library.
    case unknown(ExitPayload)
}

/// Why KVM can't go on; `KVM_INTERNAL_ERROR_*`.
public struct InternalError: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// An instruction that it can't emulate; ``InternalFailure/instruction`` says which.
    public static let emulation = InternalError(rawValue: 1)
    public static let simultaneousExceptions = InternalError(rawValue: 2)
    public static let delivery = InternalError(rawValue: 3)
    public static let unexpectedExit = InternalError(rawValue: 4)
}

/// What a guest wants of the machine it runs on; `KVM_SYSTEM_EVENT_*`.
public struct SystemEvent: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let shutdown = SystemEvent(rawValue: 1)
    public static let reset = SystemEvent(rawValue: 2)
    public static let crash = SystemEvent(rawValue: 3)
    public static let wakeUp = SystemEvent(rawValue: 4)
    public static let suspend = SystemEvent(rawValue: 5)
    public static let sevTermination = SystemEvent(rawValue: 6)
    public static let tdxFatal = SystemEvent(rawValue: 7)
}

/// Why the access came to the caller; `KVM_MSR_EXIT_REASON_*`. The same bits, given to
/// `KVM_CAP_X86_USER_SPACE_MSR`, ask for such exits.
public struct MSRExitReason: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// KVM refuses the value.
    public static let invalid = MSRExitReason(rawValue: 1 << 0)
    /// KVM does not know the register.
    public static let unknown = MSRExitReason(rawValue: 1 << 1)
    /// A filter forbids it.
    public static let filtered = MSRExitReason(rawValue: 1 << 2)
}

/// `KVM_MEMORY_EXIT_FLAG_*`.
public struct MemoryFaultFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let isPrivate = MemoryFaultFlags(rawValue: 1 << 3)
}

/// What stopped a guest that is debugged; `struct kvm_debug_exit_arch`.
public struct DebugExit: Hashable, Sendable {
    #if arch(x86_64)
        /// The vector: 1 for a step or a hardware breakpoint, 3 for a breakpoint instruction.
        public var exception: UInt32
        /// The instruction's linear address.
        public var instruction: UInt64
        public var dr6: UInt64
        public var dr7: UInt64
    #elseif arch(arm64)
        /// ESR_EL2's lower half.
        public var syndrome: UInt32
        public var syndromeHigh: UInt32
        /// FAR_EL2, for watchpoints.
        public var faultAddress: UInt64
    #endif
}
