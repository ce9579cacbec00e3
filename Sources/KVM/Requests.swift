import CKVM

// Numbers and structures are those of linux/kvm.h and asm/kvm.h.

// /dev/kvm itself.
extension Request {
    static let getAPIVersion = plain(0x00)
    static let createVM = plain(0x01)
    static let getMSRIndexList = both(0x02, headOf: 4)
    static let checkExtension = plain(0x03)
    static let getRunPageSize = plain(0x04)
    static let getSupportedCPUID = both(0x05, headOf: 8)
    static let getEmulatedCPUID = both(0x09, headOf: 8)
    static let getMSRFeatureIndexList = both(0x0a, headOf: 4)
}

// A virtual machine.
extension Request {
    static let createVCPU = plain(0x41)
    static let getDirtyLog = unsafe write(0x42, kvm_dirty_log.self)
    static let setMemoryRegion = write(0x46, kvm_userspace_memory_region.self)
    static let setTSSAddress = plain(0x47)
    static let setIdentityMapAddress = write(0x48, UInt64.self)
    static let setMemoryRegion2 = write(0x49, bh_kvm_memory_region2.self)
    static let createIRQChip = plain(0x60)
    static let setInterruptLine = write(0x61, LineLevel.self)
    static let setRouting = write(0x6a, headOf: 8)
    static let irqfd = write(0x76, kvm_irqfd.self)
    static let registerCoalesced = write(0x67, kvm_coalesced_mmio_zone.self)
    static let unregisterCoalesced = write(0x68, kvm_coalesced_mmio_zone.self)
    static let setBootCPU = plain(0x78)
    static let ioeventfd = write(0x79, kvm_ioeventfd.self)
    static let setClock = write(0x7b, ClockData.self)
    static let getClock = read(0x7c, ClockData.self)
    static let enableCapability = write(0xa3, kvm_enable_cap.self)
    static let signalMSI = write(0xa5, kvm_msi.self)
    static let clearDirtyLog = unsafe both(0xc0, kvm_clear_dirty_log.self)
    static let setMemoryAttributes = write(0xd2, bh_kvm_memory_attributes.self)
    static let createGuestMemory = both(0xd4, bh_kvm_create_guest_memfd.self)
    static let createDevice = both(0xe0, kvm_create_device.self)
    static let setDeviceAttribute = write(0xe1, kvm_device_attr.self)
    static let getDeviceAttribute = write(0xe2, kvm_device_attr.self)
    static let hasDeviceAttribute = write(0xe3, kvm_device_attr.self)
}

// A vCPU, on every architecture.
extension Request {
    static let run = plain(0x80)
    static let getMPState = read(0x98, MPState.self)
    static let setMPState = write(0x99, MPState.self)
    static let setGuestDebug = write(0x9b, GuestDebug.self)
    static let getVCPUEvents = read(0x9f, VCPUEvents.self)
    static let setVCPUEvents = write(0xa0, VCPUEvents.self)
    static let getOneRegister = write(0xab, kvm_one_reg.self)
    static let setOneRegister = write(0xac, kvm_one_reg.self)
    static let getRegisterList = both(0xb0, headOf: 8)
}

#if arch(x86_64)
    extension Request {
        static let getIRQChip = both(0x62, kvm_irqchip.self)
        // The kernel's header has the direction of this one the wrong way round.
        static let setIRQChip = read(0x63, kvm_irqchip.self)
        static let createPIT2 = write(0x77, kvm_pit_config.self)
        static let getPIT2 = read(0x9f, PITState.self)
        static let setPIT2 = write(0xa0, PITState.self)
        static let setTSCKHz = plain(0xa2)
        static let getTSCKHz = plain(0xa3)

        static let getRegisters = read(0x81, Registers.self)
        static let setRegisters = write(0x82, Registers.self)
        static let getSpecialRegisters = read(0x83, SpecialRegisters.self)
        static let setSpecialRegisters = write(0x84, SpecialRegisters.self)
        static let translate = both(0x85, kvm_translation.self)
        static let interrupt = write(0x86, kvm_interrupt.self)
        static let getMSRs = both(0x88, headOf: 8)
        static let setMSRs = write(0x89, headOf: 8)
        static let getFPU = read(0x8c, FloatingPointState.self)
        static let setFPU = write(0x8d, FloatingPointState.self)
        static let getLocalAPIC = read(0x8e, LocalAPIC.self)
        static let setLocalAPIC = write(0x8f, LocalAPIC.self)
        static let setCPUID2 = write(0x90, headOf: 8)
        static let getCPUID2 = both(0x91, headOf: 8)
        static let injectNMI = plain(0x9a)
        static let getDebugRegisters = read(0xa1, DebugRegisters.self)
        static let setDebugRegisters = write(0xa2, DebugRegisters.self)
        // The rest of the area, where there is more, is not counted.
        static let getXSave = read(0xa4, InlineArray<1024, UInt32>.self)
        static let setXSave = write(0xa5, InlineArray<1024, UInt32>.self)
        static let getXCRs = read(0xa6, ExtendedControlRegisters.self)
        static let setXCRs = write(0xa7, ExtendedControlRegisters.self)
        static let clockControl = plain(0xad)
        static let getXSave2 = read(0xcf, InlineArray<1024, UInt32>.self)
    }
#endif

#if arch(arm64)
    extension Request {
        static let initializeVCPU = write(0xae, VCPUInitialization.self)
        static let preferredTarget = read(0xaf, VCPUInitialization.self)
        static let finalizeVCPU = write(0xc2, CInt.self)
    }
#endif
