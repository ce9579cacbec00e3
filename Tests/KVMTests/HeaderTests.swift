import CKVM
import KVMHeaders
import Testing

@testable import KVM

/// Every number that this module puts together itself, against the kernel's headers.
@Suite struct HeaderTests {
    /// What the building machine's headers say.
    let headers: [String: UInt64] = {
        let tables = [kvm_header_requests, kvm_header_structures, kvm_header_exits, kvm_header_capabilities]
        let rows = tables.flatMap { UnsafeBufferPointer(start: $0.rows, count: $0.count) }
        return Dictionary(uniqueKeysWithValues: rows.map { (String(cString: $0.name), $0.value) })
    }()

    /// Compares what the headers know, all of it or all but those names that are newer than Linux 6.1.
    private func compare(_ ours: [String: UInt64], newer: Set<String> = []) {
        for (name, value) in ours.sorted(by: { $0.key < $1.key }) {
            guard let expected = headers[name] else {
                #expect(newer.contains(name), "\(name) is not in the table of the headers")
                continue
            }
            #expect(value == expected, "\(name)")
        }
    }

    @Test func capabilities() {
        let ours = Dictionary(uniqueKeysWithValues: Capability.known.map { ($0.name, UInt64($0.capability.rawValue)) })
        compare(ours, newer: Set(ours.filter { $0.value > 223 }.map(\.key)))
        let theirs = headers.filter { $0.key.hasPrefix("KVM_CAP_") }
        #expect(theirs.count >= 140)
        #expect(Set(theirs.keys).isSubset(of: ours.keys))
        #expect(Set(ours.values).count == ours.count)
    }

    @Test func exitReasons() {
        typealias Reason = Exit.Reason
        let ours: [String: Reason] = [
            "UNKNOWN": .unknown, "EXCEPTION": .exception, "IO": .io, "HYPERCALL": .hypercall, "DEBUG": .debug,
            "HLT": .hlt, "MMIO": .mmio, "IRQ_WINDOW_OPEN": .irqWindowOpen, "SHUTDOWN": .shutdown,
            "FAIL_ENTRY": .failEntry, "INTR": .intr, "SET_TPR": .setTPR, "TPR_ACCESS": .tprAccess,
            "S390_SIEIC": .s390SIEIC, "S390_RESET": .s390Reset, "DCR": .dcr, "NMI": .nmi,
            "INTERNAL_ERROR": .internalError, "OSI": .osi, "PAPR_HCALL": .paprHCall,
            "S390_UCONTROL": .s390UControl, "WATCHDOG": .watchdog, "S390_TSCH": .s390TSCH, "EPR": .epr,
            "SYSTEM_EVENT": .systemEvent, "S390_STSI": .s390STSI, "IOAPIC_EOI": .ioapicEOI, "HYPERV": .hyperV,
            "ARM_NISV": .armNISV, "X86_RDMSR": .x86RDMSR, "X86_WRMSR": .x86WRMSR,
            "DIRTY_RING_FULL": .dirtyRingFull, "AP_RESET_HOLD": .apResetHold, "X86_BUS_LOCK": .x86BusLock,
            "XEN": .xen, "RISCV_SBI": .riscvSBI, "RISCV_CSR": .riscvCSR, "NOTIFY": .notify,
            "LOONGARCH_IOCSR": .loongArchIOCSR, "MEMORY_FAULT": .memoryFault, "TDX": .tdx, "ARM_SEA": .armSEA,
        ]
        let named = Dictionary(uniqueKeysWithValues: ours.map { ("KVM_EXIT_\($0.key)", UInt64($0.value.rawValue)) })
        compare(
            named,
            newer: [
                "KVM_EXIT_LOONGARCH_IOCSR", "KVM_EXIT_MEMORY_FAULT", "KVM_EXIT_TDX", "KVM_EXIT_ARM_SEA",
            ])
        #expect(ours.count == Reason.allCases.count)
        #expect(Set(headers.keys.filter { $0.hasPrefix("KVM_EXIT_") }).isSubset(of: named.keys))
    }

    #if arch(x86_64)
        @Test func requests() {
            let ours: [String: Request] = [
                "KVM_GET_API_VERSION": .getAPIVersion, "KVM_CREATE_VM": .createVM,
                "KVM_GET_MSR_INDEX_LIST": .getMSRIndexList, "KVM_CHECK_EXTENSION": .checkExtension,
                "KVM_GET_VCPU_MMAP_SIZE": .getRunPageSize, "KVM_GET_SUPPORTED_CPUID": .getSupportedCPUID,
                "KVM_GET_EMULATED_CPUID": .getEmulatedCPUID,
                "KVM_GET_MSR_FEATURE_INDEX_LIST": .getMSRFeatureIndexList,
                "KVM_CREATE_VCPU": .createVCPU, "KVM_GET_DIRTY_LOG": .getDirtyLog,
                "KVM_SET_USER_MEMORY_REGION": .setMemoryRegion, "KVM_SET_TSS_ADDR": .setTSSAddress,
                "KVM_SET_IDENTITY_MAP_ADDR": .setIdentityMapAddress,
                "KVM_SET_USER_MEMORY_REGION2": .setMemoryRegion2, "KVM_CREATE_IRQCHIP": .createIRQChip,
                "KVM_IRQ_LINE": .setInterruptLine, "KVM_SET_GSI_ROUTING": .setRouting, "KVM_IRQFD": .irqfd,
                "KVM_SET_BOOT_CPU_ID": .setBootCPU, "KVM_IOEVENTFD": .ioeventfd,
                "KVM_REGISTER_COALESCED_MMIO": .registerCoalesced,
                "KVM_UNREGISTER_COALESCED_MMIO": .unregisterCoalesced, "KVM_SET_CLOCK": .setClock,
                "KVM_GET_CLOCK": .getClock, "KVM_ENABLE_CAP": .enableCapability, "KVM_SIGNAL_MSI": .signalMSI,
                "KVM_CLEAR_DIRTY_LOG": .clearDirtyLog, "KVM_SET_MEMORY_ATTRIBUTES": .setMemoryAttributes,
                "KVM_CREATE_GUEST_MEMFD": .createGuestMemory, "KVM_CREATE_DEVICE": .createDevice,
                "KVM_SET_DEVICE_ATTR": .setDeviceAttribute, "KVM_GET_DEVICE_ATTR": .getDeviceAttribute,
                "KVM_HAS_DEVICE_ATTR": .hasDeviceAttribute, "KVM_RUN": .run, "KVM_GET_MP_STATE": .getMPState,
                "KVM_SET_MP_STATE": .setMPState, "KVM_SET_GUEST_DEBUG": .setGuestDebug,
                "KVM_GET_VCPU_EVENTS": .getVCPUEvents, "KVM_SET_VCPU_EVENTS": .setVCPUEvents,
                "KVM_GET_ONE_REG": .getOneRegister, "KVM_SET_ONE_REG": .setOneRegister,
                "KVM_GET_REG_LIST": .getRegisterList, "KVM_GET_IRQCHIP": .getIRQChip,
                "KVM_SET_IRQCHIP": .setIRQChip, "KVM_CREATE_PIT2": .createPIT2, "KVM_GET_PIT2": .getPIT2,
                "KVM_SET_PIT2": .setPIT2, "KVM_SET_TSC_KHZ": .setTSCKHz, "KVM_GET_TSC_KHZ": .getTSCKHz,
                "KVM_GET_REGS": .getRegisters, "KVM_SET_REGS": .setRegisters,
                "KVM_GET_SREGS": .getSpecialRegisters, "KVM_SET_SREGS": .setSpecialRegisters,
                "KVM_TRANSLATE": .translate, "KVM_INTERRUPT": .interrupt, "KVM_GET_MSRS": .getMSRs,
                "KVM_SET_MSRS": .setMSRs, "KVM_GET_FPU": .getFPU, "KVM_SET_FPU": .setFPU,
                "KVM_GET_LAPIC": .getLocalAPIC, "KVM_SET_LAPIC": .setLocalAPIC, "KVM_SET_CPUID2": .setCPUID2,
                "KVM_GET_CPUID2": .getCPUID2, "KVM_NMI": .injectNMI, "KVM_GET_DEBUGREGS": .getDebugRegisters,
                "KVM_SET_DEBUGREGS": .setDebugRegisters, "KVM_GET_XSAVE": .getXSave, "KVM_SET_XSAVE": .setXSave,
                "KVM_GET_XCRS": .getXCRs, "KVM_SET_XCRS": .setXCRs, "KVM_KVMCLOCK_CTRL": .clockControl,
                "KVM_GET_XSAVE2": .getXSave2,
            ]
            compare(
                ours.mapValues { UInt64($0.rawValue) },
                newer: ["KVM_SET_USER_MEMORY_REGION2", "KVM_SET_MEMORY_ATTRIBUTES", "KVM_CREATE_GUEST_MEMFD"])
            #expect(ours.count == 72)
        }

        /// A structure as it is here.
        private struct Layout {
            var name: String
            var size: Int
            var fields: [String: Int?]
            init<T>(_ name: String, _ type: T.Type, _ fields: [String: PartialKeyPath<T>]) {
                self.name = name
                size = MemoryLayout<T>.stride
                self.fields = fields.mapValues { MemoryLayout<T>.offset(of: $0) }
            }
        }

        @Test func structures() {
            let layouts = [
                Layout(
                    "kvm_regs", Registers.self,
                    [
                        "rax": \.rax, "rbx": \.rbx, "rcx": \.rcx, "rdx": \.rdx, "rsi": \.rsi, "rdi": \.rdi,
                        "rsp": \.rsp, "rbp": \.rbp, "r8": \.r8, "r9": \.r9, "r10": \.r10, "r11": \.r11,
                        "r12": \.r12, "r13": \.r13, "r14": \.r14, "r15": \.r15, "rip": \.rip,
                        "rflags": \.rflags,
                    ]),
                Layout(
                    "kvm_segment", Segment.self,
                    [
                        "base": \.base, "limit": \.limit, "selector": \.selector, "type": \.type,
                        "present": \.present, "dpl": \.dpl, "db": \.db, "s": \.s, "l": \.l, "g": \.g,
                        "avl": \.avl, "unusable": \.unusable,
                    ]),
                Layout("kvm_dtable", DescriptorTable.self, ["base": \.base, "limit": \.limit]),
                Layout(
                    "kvm_sregs", SpecialRegisters.self,
                    [
                        "cs": \.cs, "ds": \.ds, "es": \.es, "fs": \.fs, "gs": \.gs, "ss": \.ss, "tr": \.tr,
                        "ldt": \.ldt, "gdt": \.gdt, "idt": \.idt, "cr0": \.cr0, "cr2": \.cr2, "cr3": \.cr3,
                        "cr4": \.cr4, "cr8": \.cr8, "efer": \.efer, "apic_base": \.apicBase,
                        "interrupt_bitmap": \.pendingInterrupt0,
                    ]),
                Layout(
                    "kvm_fpu", FloatingPointState.self,
                    [
                        "fpr": \.registers, "fcw": \.controlWord, "fsw": \.statusWord, "ftwx": \.tags,
                        "last_opcode": \.lastOpcode, "last_ip": \.lastInstruction, "last_dp": \.lastData,
                        "xmm": \.xmm, "mxcsr": \.mxcsr,
                    ]),
                Layout(
                    "kvm_xcr", ExtendedControlRegister.self, ["xcr": \.index, "value": \.value]),
                Layout(
                    "kvm_xcrs", ExtendedControlRegisters.self,
                    ["nr_xcrs": \.count, "flags": \.flags, "xcrs": \.registers]),
                Layout("kvm_lapic_state", LocalAPIC.self, [:]),
                Layout("kvm_msr_entry", MSR.self, ["index": \.index, "data": \.value]),
                Layout(
                    "kvm_cpuid_entry2", CPUIDEntry.self,
                    [
                        "function": \.function, "index": \.index, "flags": \.flags, "eax": \.eax, "ebx": \.ebx,
                        "ecx": \.ecx, "edx": \.edx,
                    ]),
                Layout(
                    "kvm_vcpu_events", VCPUEvents.self,
                    [
                        "exception.injected": \.exceptionInjected, "exception.nr": \.exceptionVector,
                        "exception.has_error_code": \.exceptionHasErrorCode,
                        "exception.pending": \.exceptionPending, "exception.error_code": \.exceptionErrorCode,
                        "interrupt.injected": \.interruptInjected, "interrupt.nr": \.interruptVector,
                        "interrupt.soft": \.interruptIsSoft, "interrupt.shadow": \.interruptShadow,
                        "nmi.injected": \.nmiInjected, "nmi.pending": \.nmiPending, "nmi.masked": \.nmiMasked,
                        "sipi_vector": \.sipiVector, "flags": \.flags, "smi.smm": \.smm,
                        "smi.pending": \.smiPending, "smi.smm_inside_nmi": \.smmInsideNMI,
                        "smi.latched_init": \.latchedINIT, "triple_fault.pending": \.tripleFaultPending,
                        "exception_has_payload": \.exceptionHasPayload, "exception_payload": \.exceptionPayload,
                    ]),
                Layout(
                    "kvm_debugregs", DebugRegisters.self,
                    ["db": \.addresses, "dr6": \.dr6, "dr7": \.dr7, "flags": \.flags]),
                Layout("kvm_mp_state", MPState.self, ["mp_state": \.rawValue]),
                Layout(
                    "kvm_guest_debug", GuestDebug.self, ["control": \.control, "arch.debugreg": \.registers]),
                Layout(
                    "kvm_clock_data", ClockData.self,
                    [
                        "clock": \.nanoseconds, "flags": \.flags, "realtime": \.realTime, "host_tsc": \.hostTSC,
                    ]),
                Layout(
                    "kvm_pit_channel_state", PITChannel.self,
                    [
                        "count": \.count, "latched_count": \.latchedCount, "count_latched": \.countLatched,
                        "status_latched": \.statusLatched, "status": \.status, "read_state": \.readState,
                        "write_state": \.writeState, "write_latch": \.writeLatch, "rw_mode": \.accessMode,
                        "mode": \.mode, "bcd": \.isBCD, "gate": \.gate, "count_load_time": \.loadTime,
                    ]),
                Layout("kvm_pit_state2", PITState.self, ["channels": \.channels, "flags": \.flags]),
                Layout(
                    "kvm_pic_state", PICState.self,
                    [
                        "last_irr": \.lastRequests, "irr": \.requests, "imr": \.mask, "isr": \.inService,
                        "priority_add": \.highestPriority, "irq_base": \.vectorBase,
                        "read_reg_select": \.readRegisterSelect, "poll": \.poll,
                        "special_mask": \.specialMask, "init_state": \.initializationState,
                        "auto_eoi": \.autoEOI, "rotate_on_auto_eoi": \.rotateOnAutoEOI,
                        "special_fully_nested_mode": \.specialFullyNestedMode,
                        "init4": \.initializesInFourBytes, "elcr": \.levelTriggered,
                        "elcr_mask": \.levelTriggeredMask,
                    ]),
                Layout(
                    "kvm_ioapic_state", IOAPICState.self,
                    [
                        "base_address": \.baseAddress, "ioregsel": \.selectedRegister, "id": \.id,
                        "irr": \.requests, "redirtbl": \.redirections,
                    ]),
                Layout(
                    "kvm_irq_routing_entry", InterruptRoute.Entry.self,
                    [
                        "gsi": \.gsi, "type": \.type, "flags": \.flags, "u": \.words,
                        "u.irqchip.pin": \.words.1, "u.msi.data": \.words.2, "u.msi.devid": \.words.3,
                    ]),
                Layout("kvm_irq_level", LineLevel.self, ["irq": \.line, "level": \.level]),
                Layout(
                    "kvm_userspace_memory_region2", bh_kvm_memory_region2.self,
                    [
                        "slot": \.slot, "flags": \.flags, "guest_phys_addr": \.guest_phys_addr,
                        "memory_size": \.memory_size, "userspace_addr": \.userspace_addr,
                        "guest_memfd_offset": \.guest_memfd_offset, "guest_memfd": \.guest_memfd,
                    ]),
                Layout(
                    "kvm_create_guest_memfd", bh_kvm_create_guest_memfd.self,
                    ["size": \.size, "flags": \.flags]),
                Layout(
                    "kvm_memory_attributes", bh_kvm_memory_attributes.self,
                    ["address": \.address, "size": \.size, "attributes": \.attributes, "flags": \.flags]),
            ]
            let newer = ["kvm_userspace_memory_region2", "kvm_create_guest_memfd", "kvm_memory_attributes"]
            for layout in layouts {
                guard let size = headers[layout.name] else {
                    #expect(newer.contains(layout.name), "\(layout.name) is not in the table of the headers")
                    continue
                }
                #expect(UInt64(layout.size) == size, "\(layout.name)")
                for (field, offset) in layout.fields {
                    let name = "\(layout.name).\(field)"
                    #expect(offset.map(UInt64.init) == headers[name], "\(name)")
                    #expect(headers[name] != nil, "\(name)")
                }
                // No field was forgotten: the table has no other of this structure.
                let theirs = headers.keys.filter { $0.hasPrefix("\(layout.name).") }
                #expect(theirs.count == layout.fields.count || layout.name == "kvm_lapic_state", "\(layout.name)")
            }
            // What newer headers would say of those that this machine's may lack.
            #expect(MemoryLayout<bh_kvm_memory_region2>.stride == 160)
            #expect(MemoryLayout<bh_kvm_create_guest_memfd>.stride == 64)
            #expect(MemoryLayout<bh_kvm_memory_attributes>.stride == 32)
            #expect(Request.setMemoryRegion2.rawValue == 0x40a0_ae49)
            #expect(Request.createGuestMemory.rawValue == 0xc040_aed4)
            #expect(Request.setMemoryAttributes.rawValue == 0x4020_aed2)
        }

        @Test func listsBeginWhereTheKernelLooks() {
            #expect(headers["kvm_msrs.entries"] == 8)
            #expect(headers["kvm_cpuid2.entries"] == 8)
            #expect(headers["kvm_msr_list.indices"] == 4)
            #expect(headers["kvm_irq_routing.entries"] == 8)
            #expect(headers["kvm_reg_list.reg"] == 8)
            #expect(headers["kvm_xsave"] == 4096)
        }

        @Test func runPage() {
            let sync = UInt64(BH_KVM_SYNC_OFFSET)
            let payload = UInt64(BH_KVM_PAYLOAD_OFFSET)
            #expect(headers["kvm_run.s"] == sync)
            #expect(headers["kvm_sync_regs.regs"] == 0)
            #expect(headers["kvm_sync_regs.sregs"] == UInt64(MemoryLayout<Registers>.stride))
            #expect(
                headers["kvm_sync_regs.events"]
                    == UInt64(MemoryLayout<Registers>.stride + MemoryLayout<SpecialRegisters>.stride))
            #expect(headers["kvm_run.io"] == payload)
            // Where the decoder counts words by itself.
            for (name, offset) in [
                ("mmio.phys_addr", 0), ("mmio.data", 8), ("ex.error_code", 4), ("fail_entry.cpu", 8),
                ("tpr_access.is_write", 8), ("hypercall.args", 8), ("hypercall.ret", 56), ("internal.ndata", 4),
                ("internal.data", 8), ("emulation_failure.insn_size", 16), ("emulation_failure.insn_bytes", 17),
                ("system_event.ndata", 4), ("system_event.data", 8), ("eoi.vector", 0), ("arm_nisv.fault_ipa", 8),
                ("msr.error", 0), ("msr.reason", 8), ("msr.index", 12), ("msr.data", 16), ("notify.flags", 0),
            ] {
                #expect(headers["kvm_run.\(name)"] == payload + UInt64(offset), "\(name)")
            }
            // Not every host's headers have these.
            for (name, offset) in [
                ("memory_fault.flags", 0), ("memory_fault.gpa", 8), ("memory_fault.size", 16), ("arm_sea.flags", 0),
                ("arm_sea.esr", 8), ("arm_sea.gva", 16), ("arm_sea.gpa", 24),
            ] {
                guard let found = headers["kvm_run.\(name)"] else { continue }
                #expect(found == payload + UInt64(offset), "\(name)")
            }
        }

        @Test func flagsAndStates() {
            let ours: [String: UInt64] = [
                "KVM_MEM_LOG_DIRTY_PAGES": UInt64(MemoryFlags.logDirtyPages.rawValue),
                "KVM_MEM_READONLY": UInt64(MemoryFlags.readOnly.rawValue),
                "KVM_MEM_GUEST_MEMFD": UInt64(MemoryFlags.guestMemory.rawValue),
                "KVM_MEMORY_ATTRIBUTE_PRIVATE": MemoryAttributes.isPrivate.rawValue,
                "GUEST_MEMFD_FLAG_MMAP": GuestMemoryFlags.mappable.rawValue,
                "GUEST_MEMFD_FLAG_INIT_SHARED": GuestMemoryFlags.initiallyShared.rawValue,
                "KVM_MEMORY_EXIT_FLAG_PRIVATE": MemoryFaultFlags.isPrivate.rawValue,
                "KVM_X86_SW_PROTECTED_VM": MachineType.softwareProtected.rawValue,
                "KVM_IRQFD_FLAG_DEASSIGN": 1,
                "KVM_IRQFD_FLAG_RESAMPLE": 2,
                "KVM_IOEVENTFD_FLAG_DATAMATCH": UInt64(WriteNotification.matches),
                "KVM_IOEVENTFD_FLAG_PIO": UInt64(WriteNotification.isPort),
                "KVM_IOEVENTFD_FLAG_DEASSIGN": UInt64(WriteNotification.removes),
                "KVM_IRQ_ROUTING_IRQCHIP": UInt64(InterruptRoute(line: 0, to: .pin(.ioapic, 0)).entry.type),
                "KVM_IRQ_ROUTING_MSI": UInt64(
                    InterruptRoute(line: 0, to: .message(MSIMessage(address: 0, data: 0))).entry.type),
                "KVM_MSI_VALID_DEVID": UInt64(
                    InterruptRoute(line: 0, to: .message(MSIMessage(address: 0, data: 0, device: 1))).entry.flags),
                "KVM_CLOCK_TSC_STABLE": UInt64(ClockData.Flags.isStable.rawValue),
                "KVM_CLOCK_REALTIME": UInt64(ClockData.Flags.hasRealTime.rawValue),
                "KVM_CLOCK_HOST_TSC": UInt64(ClockData.Flags.hasHostTSC.rawValue),
                "KVM_MP_STATE_RUNNABLE": UInt64(MPState.runnable.rawValue),
                "KVM_MP_STATE_UNINITIALIZED": UInt64(MPState.uninitialized.rawValue),
                "KVM_MP_STATE_INIT_RECEIVED": UInt64(MPState.initReceived.rawValue),
                "KVM_MP_STATE_HALTED": UInt64(MPState.halted.rawValue),
                "KVM_MP_STATE_SIPI_RECEIVED": UInt64(MPState.sipiReceived.rawValue),
                "KVM_MP_STATE_STOPPED": UInt64(MPState.stopped.rawValue),
                "KVM_MP_STATE_AP_RESET_HOLD": UInt64(MPState.resetHold.rawValue),
                "KVM_MP_STATE_SUSPENDED": UInt64(MPState.suspended.rawValue),
                "KVM_GUESTDBG_ENABLE": UInt64(GuestDebug.Control.enabled.rawValue),
                "KVM_GUESTDBG_SINGLESTEP": UInt64(GuestDebug.Control.singleStep.rawValue),
                "KVM_GUESTDBG_USE_SW_BP": UInt64(GuestDebug.Control.softwareBreakpoints.rawValue),
                "KVM_GUESTDBG_USE_HW_BP": UInt64(GuestDebug.Control.hardwareBreakpoints.rawValue),
                "KVM_GUESTDBG_INJECT_DB": UInt64(GuestDebug.Control.injectDebug.rawValue),
                "KVM_GUESTDBG_INJECT_BP": UInt64(GuestDebug.Control.injectBreakpoint.rawValue),
                "KVM_GUESTDBG_BLOCKIRQ": UInt64(GuestDebug.Control.blockInterrupts.rawValue),
                "KVM_VCPUEVENT_VALID_NMI_PENDING": UInt64(VCPUEvents.Flags.nmiPending.rawValue),
                "KVM_VCPUEVENT_VALID_SIPI_VECTOR": UInt64(VCPUEvents.Flags.sipiVector.rawValue),
                "KVM_VCPUEVENT_VALID_SHADOW": UInt64(VCPUEvents.Flags.shadow.rawValue),
                "KVM_VCPUEVENT_VALID_SMM": UInt64(VCPUEvents.Flags.smm.rawValue),
                "KVM_VCPUEVENT_VALID_PAYLOAD": UInt64(VCPUEvents.Flags.payload.rawValue),
                "KVM_VCPUEVENT_VALID_TRIPLE_FAULT": UInt64(VCPUEvents.Flags.tripleFault.rawValue),
                "KVM_CPUID_FLAG_SIGNIFCANT_INDEX": UInt64(CPUIDEntry.Flags.indexMatters.rawValue),
                "KVM_CPUID_FLAG_STATEFUL_FUNC": UInt64(CPUIDEntry.Flags.stateful.rawValue),
                "KVM_CPUID_FLAG_STATE_READ_NEXT": UInt64(CPUIDEntry.Flags.readNext.rawValue),
                "KVM_MSR_EXIT_REASON_INVAL": UInt64(MSRExitReason.invalid.rawValue),
                "KVM_MSR_EXIT_REASON_UNKNOWN": UInt64(MSRExitReason.unknown.rawValue),
                "KVM_MSR_EXIT_REASON_FILTER": UInt64(MSRExitReason.filtered.rawValue),
                "KVM_SYSTEM_EVENT_SHUTDOWN": UInt64(SystemEvent.shutdown.rawValue),
                "KVM_SYSTEM_EVENT_RESET": UInt64(SystemEvent.reset.rawValue),
                "KVM_SYSTEM_EVENT_CRASH": UInt64(SystemEvent.crash.rawValue),
                "KVM_SYSTEM_EVENT_WAKEUP": UInt64(SystemEvent.wakeUp.rawValue),
                "KVM_SYSTEM_EVENT_SUSPEND": UInt64(SystemEvent.suspend.rawValue),
                "KVM_SYSTEM_EVENT_SEV_TERM": UInt64(SystemEvent.sevTermination.rawValue),
                "KVM_SYSTEM_EVENT_TDX_FATAL": UInt64(SystemEvent.tdxFatal.rawValue),
                "KVM_INTERNAL_ERROR_EMULATION": UInt64(InternalError.emulation.rawValue),
                "KVM_INTERNAL_ERROR_SIMUL_EX": UInt64(InternalError.simultaneousExceptions.rawValue),
                "KVM_INTERNAL_ERROR_DELIVERY_EV": UInt64(InternalError.delivery.rawValue),
                "KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON": UInt64(InternalError.unexpectedExit.rawValue),
                "KVM_IRQCHIP_PIC_MASTER": UInt64(InterruptChip.firstPIC.rawValue),
                "KVM_IRQCHIP_PIC_SLAVE": UInt64(InterruptChip.secondPIC.rawValue),
                "KVM_IRQCHIP_IOAPIC": UInt64(InterruptChip.ioapic.rawValue),
                "KVM_SYNC_X86_REGS": SyncedState.registers.rawValue,
                "KVM_SYNC_X86_SREGS": SyncedState.specialRegisters.rawValue,
                "KVM_SYNC_X86_EVENTS": SyncedState.events.rawValue,
                "KVM_DEV_TYPE_VFIO": UInt64(DeviceType.vfio.rawValue),
            ]
            compare(
                ours,
                newer: [
                    "KVM_MEM_GUEST_MEMFD", "KVM_MEMORY_ATTRIBUTE_PRIVATE", "GUEST_MEMFD_FLAG_MMAP",
                    "GUEST_MEMFD_FLAG_INIT_SHARED", "KVM_MEMORY_EXIT_FLAG_PRIVATE", "KVM_X86_SW_PROTECTED_VM",
                    "KVM_SYSTEM_EVENT_TDX_FATAL",
                ])
        }
    #endif
}
