// Those that concern x86_64 and arm64, up to Linux 6.19; others are `Capability(rawValue:)`.
extension Capability {
    public static let irqChip = Capability(rawValue: 0)
    public static let hlt = Capability(rawValue: 1)
    public static let mmuShadowCacheControl = Capability(rawValue: 2)
    public static let userMemory = Capability(rawValue: 3)
    public static let setTSSAddr = Capability(rawValue: 4)
    public static let vapic = Capability(rawValue: 6)
    public static let extCPUID = Capability(rawValue: 7)
    public static let clockSource = Capability(rawValue: 8)
    public static let nrVCPUs = Capability(rawValue: 9)
    public static let nrMemorySlots = Capability(rawValue: 10)
    public static let pit = Capability(rawValue: 11)
    public static let nopIODelay = Capability(rawValue: 12)
    public static let pvMMU = Capability(rawValue: 13)
    public static let mpState = Capability(rawValue: 14)
    public static let coalescedMMIO = Capability(rawValue: 15)
    public static let syncMMU = Capability(rawValue: 16)
    public static let iommu = Capability(rawValue: 18)
    public static let destroyMemoryRegionWorks = Capability(rawValue: 21)
    public static let userNMI = Capability(rawValue: 22)
    public static let setGuestDebug = Capability(rawValue: 23)
    public static let reinjectControl = Capability(rawValue: 24)
    public static let irqRouting = Capability(rawValue: 25)
    public static let irqInjectStatus = Capability(rawValue: 26)
    public static let assignDeviceIRQ = Capability(rawValue: 29)
    public static let joinMemoryRegionsWorks = Capability(rawValue: 30)
    public static let mce = Capability(rawValue: 31)
    public static let irqfd = Capability(rawValue: 32)
    public static let pit2 = Capability(rawValue: 33)
    public static let setBootCPUID = Capability(rawValue: 34)
    public static let pitState2 = Capability(rawValue: 35)
    public static let ioeventfd = Capability(rawValue: 36)
    public static let setIdentityMapAddr = Capability(rawValue: 37)
    public static let xenHVM = Capability(rawValue: 38)
    public static let adjustClock = Capability(rawValue: 39)
    public static let internalErrorData = Capability(rawValue: 40)
    public static let vcpuEvents = Capability(rawValue: 41)
    public static let hyperV = Capability(rawValue: 44)
    public static let hyperVVAPIC = Capability(rawValue: 45)
    public static let hyperVSpin = Capability(rawValue: 46)
    public static let pciSegment = Capability(rawValue: 47)
    public static let interruptShadow = Capability(rawValue: 49)
    public static let debugRegs = Capability(rawValue: 50)
    public static let x86RobustSingleStep = Capability(rawValue: 51)
    public static let enableCap = Capability(rawValue: 54)
    public static let xsave = Capability(rawValue: 55)
    public static let xcrs = Capability(rawValue: 56)
    public static let asyncPF = Capability(rawValue: 59)
    public static let tscControl = Capability(rawValue: 60)
    public static let getTSCKHz = Capability(rawValue: 61)
    public static let maxVCPUs = Capability(rawValue: 66)
    public static let oneReg = Capability(rawValue: 70)
    public static let tscDeadlineTimer = Capability(rawValue: 72)
    public static let syncRegs = Capability(rawValue: 74)
    public static let pci23 = Capability(rawValue: 75)
    public static let kvmclockControl = Capability(rawValue: 76)
    public static let signalMSI = Capability(rawValue: 77)
    public static let readOnlyMemory = Capability(rawValue: 81)
    public static let irqfdResample = Capability(rawValue: 82)
    public static let armPSCI = Capability(rawValue: 87)
    public static let armSetDeviceAddr = Capability(rawValue: 88)
    public static let deviceControl = Capability(rawValue: 89)
    public static let armEL132Bit = Capability(rawValue: 93)
    public static let extEmulCPUID = Capability(rawValue: 95)
    public static let hyperVTime = Capability(rawValue: 96)
    public static let ioapicPolarityIgnored = Capability(rawValue: 97)
    public static let enableCapVM = Capability(rawValue: 98)
    public static let ioeventfdNoLength = Capability(rawValue: 100)
    public static let vmAttributes = Capability(rawValue: 101)
    public static let armPSCI02 = Capability(rawValue: 102)
    public static let checkExtensionVM = Capability(rawValue: 105)
    public static let disableQuirks = Capability(rawValue: 116)
    public static let x86SMM = Capability(rawValue: 117)
    public static let multiAddressSpace = Capability(rawValue: 118)
    public static let guestDebugHardwareBreakpoints = Capability(rawValue: 119)
    public static let guestDebugHardwareWatchpoints = Capability(rawValue: 120)
    public static let splitIRQChip = Capability(rawValue: 121)
    public static let ioeventfdAnyLength = Capability(rawValue: 122)
    public static let hyperVSynIC = Capability(rawValue: 123)
    public static let armPMUV3 = Capability(rawValue: 126)
    public static let vcpuAttributes = Capability(rawValue: 127)
    public static let maxVCPUID = Capability(rawValue: 128)
    public static let x2apicAPI = Capability(rawValue: 129)
    public static let msiDeviceID = Capability(rawValue: 131)
    public static let immediateExit = Capability(rawValue: 136)
    public static let x86DisableExits = Capability(rawValue: 143)
    public static let armUserIRQ = Capability(rawValue: 144)
    public static let hyperVSynIC2 = Capability(rawValue: 148)
    public static let hyperVVPIndex = Capability(rawValue: 149)
    public static let getMSRFeatures = Capability(rawValue: 153)
    public static let hyperVEventFD = Capability(rawValue: 154)
    public static let hyperVTLBFlush = Capability(rawValue: 155)
    public static let nestedState = Capability(rawValue: 157)
    public static let armInjectSErrorESR = Capability(rawValue: 158)
    public static let msrPlatformInfo = Capability(rawValue: 159)
    public static let hyperVSendIPI = Capability(rawValue: 161)
    public static let coalescedPIO = Capability(rawValue: 162)
    public static let hyperVEnlightenedVMCS = Capability(rawValue: 163)
    public static let exceptionPayload = Capability(rawValue: 164)
    public static let armVMIPASize = Capability(rawValue: 165)
    public static let manualDirtyLogProtect = Capability(rawValue: 166)
    public static let hyperVCPUID = Capability(rawValue: 167)
    public static let manualDirtyLogProtect2 = Capability(rawValue: 168)
    public static let armSVE = Capability(rawValue: 170)
    public static let armPointerAuthenticationAddress = Capability(rawValue: 171)
    public static let armPointerAuthenticationGeneric = Capability(rawValue: 172)
    public static let pmuEventFilter = Capability(rawValue: 173)
    public static let armIRQLineLayout2 = Capability(rawValue: 174)
    public static let hyperVDirectTLBFlush = Capability(rawValue: 175)
    public static let armNISVToUser = Capability(rawValue: 177)
    public static let armInjectExtDABT = Capability(rawValue: 178)
    public static let haltPoll = Capability(rawValue: 182)
    public static let asyncPFInt = Capability(rawValue: 183)
    public static let lastCPU = Capability(rawValue: 184)
    public static let smallerMaxPhysicalAddress = Capability(rawValue: 185)
    public static let stealTime = Capability(rawValue: 187)
    public static let x86UserSpaceMSR = Capability(rawValue: 188)
    public static let x86MSRFilter = Capability(rawValue: 189)
    public static let enforcePVFeatureCPUID = Capability(rawValue: 190)
    public static let systemHyperVCPUID = Capability(rawValue: 191)
    public static let dirtyLogRing = Capability(rawValue: 192)
    public static let x86BusLockExit = Capability(rawValue: 193)
    public static let setGuestDebug2 = Capability(rawValue: 195)
    public static let sgxAttribute = Capability(rawValue: 196)
    public static let vmCopyEncryptionContextFrom = Capability(rawValue: 197)
    public static let ptpKVM = Capability(rawValue: 198)
    public static let hyperVEnforceCPUID = Capability(rawValue: 199)
    public static let sregs2 = Capability(rawValue: 200)
    public static let exitHypercall = Capability(rawValue: 201)
    public static let binaryStatsFD = Capability(rawValue: 203)
    public static let exitOnEmulationFailure = Capability(rawValue: 204)
    public static let armMTE = Capability(rawValue: 205)
    public static let vmMoveEncryptionContextFrom = Capability(rawValue: 206)
    public static let vmGPABits = Capability(rawValue: 207)
    public static let xsave2 = Capability(rawValue: 208)
    public static let systemAttributes = Capability(rawValue: 209)
    public static let pmuCapability = Capability(rawValue: 212)
    public static let disableQuirks2 = Capability(rawValue: 213)
    public static let vmTSCControl = Capability(rawValue: 214)
    public static let systemEventData = Capability(rawValue: 215)
    public static let armSystemSuspend = Capability(rawValue: 216)
    public static let x86TripleFaultEvent = Capability(rawValue: 218)
    public static let x86NotifyVMExit = Capability(rawValue: 219)
    public static let vmDisableNXHugePages = Capability(rawValue: 220)
    public static let dirtyLogRingAcqRel = Capability(rawValue: 223)
    public static let dirtyLogRingWithBitmap = Capability(rawValue: 225)
    public static let pmuEventMaskedEvents = Capability(rawValue: 226)
    public static let counterOffset = Capability(rawValue: 227)
    public static let armEagerSplitChunkSize = Capability(rawValue: 228)
    public static let armSupportedBlockSizes = Capability(rawValue: 229)
    public static let armSupportedRegMaskRanges = Capability(rawValue: 230)
    public static let userMemory2 = Capability(rawValue: 231)
    public static let memoryFaultInfo = Capability(rawValue: 232)
    public static let memoryAttributes = Capability(rawValue: 233)
    public static let guestMemFD = Capability(rawValue: 234)
    public static let vmTypes = Capability(rawValue: 235)
    public static let preFaultMemory = Capability(rawValue: 236)
    public static let x86APICBusCyclesNS = Capability(rawValue: 237)
    public static let x86GuestMode = Capability(rawValue: 238)
    public static let armWritableIMPIDRegs = Capability(rawValue: 239)
    public static let armEL2 = Capability(rawValue: 240)
    public static let armEL2E2H0 = Capability(rawValue: 241)
    public static let armCacheablePFNMapSupported = Capability(rawValue: 243)
    public static let guestMemFDFlags = Capability(rawValue: 244)
    public static let armSEAToUser = Capability(rawValue: 245)

    /// Every capability that has a name here, in the order of their numbers, with the kernel's name for it.
    public static let known: [(capability: Capability, name: String)] = [
        (.irqChip, "KVM_CAP_IRQCHIP"),
        (.hlt, "KVM_CAP_HLT"),
        (.mmuShadowCacheControl, "KVM_CAP_MMU_SHADOW_CACHE_CONTROL"),
        (.userMemory, "KVM_CAP_USER_MEMORY"),
        (.setTSSAddr, "KVM_CAP_SET_TSS_ADDR"),
        (.vapic, "KVM_CAP_VAPIC"),
        (.extCPUID, "KVM_CAP_EXT_CPUID"),
        (.clockSource, "KVM_CAP_CLOCKSOURCE"),
        (.nrVCPUs, "KVM_CAP_NR_VCPUS"),
        (.nrMemorySlots, "KVM_CAP_NR_MEMSLOTS"),
        (.pit, "KVM_CAP_PIT"),
        (.nopIODelay, "KVM_CAP_NOP_IO_DELAY"),
        (.pvMMU, "KVM_CAP_PV_MMU"),
        (.mpState, "KVM_CAP_MP_STATE"),
        (.coalescedMMIO, "KVM_CAP_COALESCED_MMIO"),
        (.syncMMU, "KVM_CAP_SYNC_MMU"),
        (.iommu, "KVM_CAP_IOMMU"),
        (.destroyMemoryRegionWorks, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS"),
        (.userNMI, "KVM_CAP_USER_NMI"),
        (.setGuestDebug, "KVM_CAP_SET_GUEST_DEBUG"),
        (.reinjectControl, "KVM_CAP_REINJECT_CONTROL"),
        (.irqRouting, "KVM_CAP_IRQ_ROUTING"),
        (.irqInjectStatus, "KVM_CAP_IRQ_INJECT_STATUS"),
        (.assignDeviceIRQ, "KVM_CAP_ASSIGN_DEV_IRQ"),
        (.joinMemoryRegionsWorks, "KVM_CAP_JOIN_MEMORY_REGIONS_WORKS"),
        (.mce, "KVM_CAP_MCE"),
        (.irqfd, "KVM_CAP_IRQFD"),
        (.pit2, "KVM_CAP_PIT2"),
        (.setBootCPUID, "KVM_CAP_SET_BOOT_CPU_ID"),
        (.pitState2, "KVM_CAP_PIT_STATE2"),
        (.ioeventfd, "KVM_CAP_IOEVENTFD"),
        (.setIdentityMapAddr, "KVM_CAP_SET_IDENTITY_MAP_ADDR"),
        (.xenHVM, "KVM_CAP_XEN_HVM"),
        (.adjustClock, "KVM_CAP_ADJUST_CLOCK"),
        (.internalErrorData, "KVM_CAP_INTERNAL_ERROR_DATA"),
        (.vcpuEvents, "KVM_CAP_VCPU_EVENTS"),
        (.hyperV, "KVM_CAP_HYPERV"),
        (.hyperVVAPIC, "KVM_CAP_HYPERV_VAPIC"),
        (.hyperVSpin, "KVM_CAP_HYPERV_SPIN"),
        (.pciSegment, "KVM_CAP_PCI_SEGMENT"),
        (.interruptShadow, "KVM_CAP_INTR_SHADOW"),
        (.debugRegs, "KVM_CAP_DEBUGREGS"),
        (.x86RobustSingleStep, "KVM_CAP_X86_ROBUST_SINGLESTEP"),
        (.enableCap, "KVM_CAP_ENABLE_CAP"),
        (.xsave, "KVM_CAP_XSAVE"),
        (.xcrs, "KVM_CAP_XCRS"),
        (.asyncPF, "KVM_CAP_ASYNC_PF"),
        (.tscControl, "KVM_CAP_TSC_CONTROL"),
        (.getTSCKHz, "KVM_CAP_GET_TSC_KHZ"),
        (.maxVCPUs, "KVM_CAP_MAX_VCPUS"),
        (.oneReg, "KVM_CAP_ONE_REG"),
        (.tscDeadlineTimer, "KVM_CAP_TSC_DEADLINE_TIMER"),
        (.syncRegs, "KVM_CAP_SYNC_REGS"),
        (.pci23, "KVM_CAP_PCI_2_3"),
        (.kvmclockControl, "KVM_CAP_KVMCLOCK_CTRL"),
        (.signalMSI, "KVM_CAP_SIGNAL_MSI"),
        (.readOnlyMemory, "KVM_CAP_READONLY_MEM"),
        (.irqfdResample, "KVM_CAP_IRQFD_RESAMPLE"),
        (.armPSCI, "KVM_CAP_ARM_PSCI"),
        (.armSetDeviceAddr, "KVM_CAP_ARM_SET_DEVICE_ADDR"),
        (.deviceControl, "KVM_CAP_DEVICE_CTRL"),
        (.armEL132Bit, "KVM_CAP_ARM_EL1_32BIT"),
        (.extEmulCPUID, "KVM_CAP_EXT_EMUL_CPUID"),
        (.hyperVTime, "KVM_CAP_HYPERV_TIME"),
        (.ioapicPolarityIgnored, "KVM_CAP_IOAPIC_POLARITY_IGNORED"),
        (.enableCapVM, "KVM_CAP_ENABLE_CAP_VM"),
        (.ioeventfdNoLength, "KVM_CAP_IOEVENTFD_NO_LENGTH"),
        (.vmAttributes, "KVM_CAP_VM_ATTRIBUTES"),
        (.armPSCI02, "KVM_CAP_ARM_PSCI_0_2"),
        (.checkExtensionVM, "KVM_CAP_CHECK_EXTENSION_VM"),
        (.disableQuirks, "KVM_CAP_DISABLE_QUIRKS"),
        (.x86SMM, "KVM_CAP_X86_SMM"),
        (.multiAddressSpace, "KVM_CAP_MULTI_ADDRESS_SPACE"),
        (.guestDebugHardwareBreakpoints, "KVM_CAP_GUEST_DEBUG_HW_BPS"),
        (.guestDebugHardwareWatchpoints, "KVM_CAP_GUEST_DEBUG_HW_WPS"),
        (.splitIRQChip, "KVM_CAP_SPLIT_IRQCHIP"),
        (.ioeventfdAnyLength, "KVM_CAP_IOEVENTFD_ANY_LENGTH"),
        (.hyperVSynIC, "KVM_CAP_HYPERV_SYNIC"),
        (.armPMUV3, "KVM_CAP_ARM_PMU_V3"),
        (.vcpuAttributes, "KVM_CAP_VCPU_ATTRIBUTES"),
        (.maxVCPUID, "KVM_CAP_MAX_VCPU_ID"),
        (.x2apicAPI, "KVM_CAP_X2APIC_API"),
        (.msiDeviceID, "KVM_CAP_MSI_DEVID"),
        (.immediateExit, "KVM_CAP_IMMEDIATE_EXIT"),
        (.x86DisableExits, "KVM_CAP_X86_DISABLE_EXITS"),
        (.armUserIRQ, "KVM_CAP_ARM_USER_IRQ"),
        (.hyperVSynIC2, "KVM_CAP_HYPERV_SYNIC2"),
        (.hyperVVPIndex, "KVM_CAP_HYPERV_VP_INDEX"),
        (.getMSRFeatures, "KVM_CAP_GET_MSR_FEATURES"),
        (.hyperVEventFD, "KVM_CAP_HYPERV_EVENTFD"),
        (.hyperVTLBFlush, "KVM_CAP_HYPERV_TLBFLUSH"),
        (.nestedState, "KVM_CAP_NESTED_STATE"),
        (.armInjectSErrorESR, "KVM_CAP_ARM_INJECT_SERROR_ESR"),
        (.msrPlatformInfo, "KVM_CAP_MSR_PLATFORM_INFO"),
        (.hyperVSendIPI, "KVM_CAP_HYPERV_SEND_IPI"),
        (.coalescedPIO, "KVM_CAP_COALESCED_PIO"),
        (.hyperVEnlightenedVMCS, "KVM_CAP_HYPERV_ENLIGHTENED_VMCS"),
        (.exceptionPayload, "KVM_CAP_EXCEPTION_PAYLOAD"),
        (.armVMIPASize, "KVM_CAP_ARM_VM_IPA_SIZE"),
        (.manualDirtyLogProtect, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT"),
        (.hyperVCPUID, "KVM_CAP_HYPERV_CPUID"),
        (.manualDirtyLogProtect2, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2"),
        (.armSVE, "KVM_CAP_ARM_SVE"),
        (.armPointerAuthenticationAddress, "KVM_CAP_ARM_PTRAUTH_ADDRESS"),
        (.armPointerAuthenticationGeneric, "KVM_CAP_ARM_PTRAUTH_GENERIC"),
        (.pmuEventFilter, "KVM_CAP_PMU_EVENT_FILTER"),
        (.armIRQLineLayout2, "KVM_CAP_ARM_IRQ_LINE_LAYOUT_2"),
        (.hyperVDirectTLBFlush, "KVM_CAP_HYPERV_DIRECT_TLBFLUSH"),
        (.armNISVToUser, "KVM_CAP_ARM_NISV_TO_USER"),
        (.armInjectExtDABT, "KVM_CAP_ARM_INJECT_EXT_DABT"),
        (.haltPoll, "KVM_CAP_HALT_POLL"),
        (.asyncPFInt, "KVM_CAP_ASYNC_PF_INT"),
        (.lastCPU, "KVM_CAP_LAST_CPU"),
        (.smallerMaxPhysicalAddress, "KVM_CAP_SMALLER_MAXPHYADDR"),
        (.stealTime, "KVM_CAP_STEAL_TIME"),
        (.x86UserSpaceMSR, "KVM_CAP_X86_USER_SPACE_MSR"),
        (.x86MSRFilter, "KVM_CAP_X86_MSR_FILTER"),
        (.enforcePVFeatureCPUID, "KVM_CAP_ENFORCE_PV_FEATURE_CPUID"),
        (.systemHyperVCPUID, "KVM_CAP_SYS_HYPERV_CPUID"),
        (.dirtyLogRing, "KVM_CAP_DIRTY_LOG_RING"),
        (.x86BusLockExit, "KVM_CAP_X86_BUS_LOCK_EXIT"),
        (.setGuestDebug2, "KVM_CAP_SET_GUEST_DEBUG2"),
        (.sgxAttribute, "KVM_CAP_SGX_ATTRIBUTE"),
        (.vmCopyEncryptionContextFrom, "KVM_CAP_VM_COPY_ENC_CONTEXT_FROM"),
        (.ptpKVM, "KVM_CAP_PTP_KVM"),
        (.hyperVEnforceCPUID, "KVM_CAP_HYPERV_ENFORCE_CPUID"),
        (.sregs2, "KVM_CAP_SREGS2"),
        (.exitHypercall, "KVM_CAP_EXIT_HYPERCALL"),
        (.binaryStatsFD, "KVM_CAP_BINARY_STATS_FD"),
        (.exitOnEmulationFailure, "KVM_CAP_EXIT_ON_EMULATION_FAILURE"),
        (.armMTE, "KVM_CAP_ARM_MTE"),
        (.vmMoveEncryptionContextFrom, "KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM"),
        (.vmGPABits, "KVM_CAP_VM_GPA_BITS"),
        (.xsave2, "KVM_CAP_XSAVE2"),
        (.systemAttributes, "KVM_CAP_SYS_ATTRIBUTES"),
        (.pmuCapability, "KVM_CAP_PMU_CAPABILITY"),
        (.disableQuirks2, "KVM_CAP_DISABLE_QUIRKS2"),
        (.vmTSCControl, "KVM_CAP_VM_TSC_CONTROL"),
        (.systemEventData, "KVM_CAP_SYSTEM_EVENT_DATA"),
        (.armSystemSuspend, "KVM_CAP_ARM_SYSTEM_SUSPEND"),
        (.x86TripleFaultEvent, "KVM_CAP_X86_TRIPLE_FAULT_EVENT"),
        (.x86NotifyVMExit, "KVM_CAP_X86_NOTIFY_VMEXIT"),
        (.vmDisableNXHugePages, "KVM_CAP_VM_DISABLE_NX_HUGE_PAGES"),
        (.dirtyLogRingAcqRel, "KVM_CAP_DIRTY_LOG_RING_ACQ_REL"),
        (.dirtyLogRingWithBitmap, "KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP"),
        (.pmuEventMaskedEvents, "KVM_CAP_PMU_EVENT_MASKED_EVENTS"),
        (.counterOffset, "KVM_CAP_COUNTER_OFFSET"),
        (.armEagerSplitChunkSize, "KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE"),
        (.armSupportedBlockSizes, "KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES"),
        (.armSupportedRegMaskRanges, "KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES"),
        (.userMemory2, "KVM_CAP_USER_MEMORY2"),
        (.memoryFaultInfo, "KVM_CAP_MEMORY_FAULT_INFO"),
        (.memoryAttributes, "KVM_CAP_MEMORY_ATTRIBUTES"),
        (.guestMemFD, "KVM_CAP_GUEST_MEMFD"),
        (.vmTypes, "KVM_CAP_VM_TYPES"),
        (.preFaultMemory, "KVM_CAP_PRE_FAULT_MEMORY"),
        (.x86APICBusCyclesNS, "KVM_CAP_X86_APIC_BUS_CYCLES_NS"),
        (.x86GuestMode, "KVM_CAP_X86_GUEST_MODE"),
        (.armWritableIMPIDRegs, "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"),
        (.armEL2, "KVM_CAP_ARM_EL2"),
        (.armEL2E2H0, "KVM_CAP_ARM_EL2_E2H0"),
        (.armCacheablePFNMapSupported, "KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED"),
        (.guestMemFDFlags, "KVM_CAP_GUEST_MEMFD_FLAGS"),
        (.armSEAToUser, "KVM_CAP_ARM_SEA_TO_USER"),
    ]
}
