import CKVM
import Testing

@testable import KVM

/// Every reason becomes its case, with the page's words in it. The page is made up, so this runs anywhere.
@Suite struct ExitDecodingTests {
    /// A run page with this reason, and the payload filled word by word with 0x100, 0x101, …
    private func with<Result>(
        _ reason: UInt32, prepare: (UnsafeMutablePointer<kvm_run>) -> Void = { _ in },
        _ body: (borrowing Exit) -> Result
    ) -> Result {
        let size = 3 * 4096
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        for word in 0..<32 {
            memory.storeBytes(
                of: UInt64(0x100 + word), toByteOffset: Int(BH_KVM_PAYLOAD_OFFSET) + 8 * word, as: UInt64.self)
        }
        let page = memory.baseAddress!.assumingMemoryBound(to: kvm_run.self)
        page.pointee.exit_reason = reason
        prepare(page)
        return Exit.with(page, size, body)
    }

    private func isWhole(_ payload: borrowing ExitPayload) -> Bool {
        payload.load(UInt64.self, at: 0) == 0x100 && payload.load(UInt64.self, at: 248) == 0x11f
    }

    private func name(_ exit: borrowing Exit) -> String {
        switch exit {
        case .unknownToKernel(hardwareReason: 0x100): "KVM_EXIT_UNKNOWN"
        case .exception(vector: 0x100, errorCode: 0): "KVM_EXIT_EXCEPTION"
        case .portRead(let read): read.port == 0x100 && read.count == 1 ? "KVM_EXIT_IO" : "?"
        case .hypercall(let call):
            call.number == 0x100 && (0..<6).map { call[$0] } == Array(0x101...0x106) ? "KVM_EXIT_HYPERCALL" : "?"
        case .debug: "KVM_EXIT_DEBUG"
        case .halt: "KVM_EXIT_HLT"
        case .memoryRead(let read): read.address == 0x100 ? "KVM_EXIT_MMIO" : "?"
        case .interruptWindowOpen: "KVM_EXIT_IRQ_WINDOW_OPEN"
        case .shutdown: "KVM_EXIT_SHUTDOWN"
        case .entryFailure(hardwareReason: 0x100, cpu: 0x101): "KVM_EXIT_FAIL_ENTRY"
        case .interrupted: "KVM_EXIT_INTR"
        case .setTaskPriority: "KVM_EXIT_SET_TPR"
        case .taskPriorityAccess(instruction: 0x100, isWrite: true): "KVM_EXIT_TPR_ACCESS"
        case .s390Intercept(let payload): isWhole(payload) ? "KVM_EXIT_S390_SIEIC" : "?"
        case .s390Reset(flags: 0x100): "KVM_EXIT_S390_RESET"
        case .deviceControlRegister(let payload): isWhole(payload) ? "KVM_EXIT_DCR" : "?"
        case .nonMaskableInterrupt: "KVM_EXIT_NMI"
        // The number of words is in the upper half of the first, and 0 here.
        case .internalError(let failure):
            failure.error.rawValue == 0x100 && failure.words.count == 0 ? "KVM_EXIT_INTERNAL_ERROR" : "?"
        case .openSourceInterface(let payload): isWhole(payload) ? "KVM_EXIT_OSI" : "?"
        case .paprHypercall(let payload): isWhole(payload) ? "KVM_EXIT_PAPR_HCALL" : "?"
        case .s390UserControl(let payload): isWhole(payload) ? "KVM_EXIT_S390_UCONTROL" : "?"
        case .watchdog: "KVM_EXIT_WATCHDOG"
        case .s390TestSubchannel(let payload): isWhole(payload) ? "KVM_EXIT_S390_TSCH" : "?"
        case .externalProxy(let payload): isWhole(payload) ? "KVM_EXIT_EPR" : "?"
        case .systemEvent(let system):
            system.event.rawValue == 0x100 && system.words.count == 0 ? "KVM_EXIT_SYSTEM_EVENT" : "?"
        case .s390StoreSystemInformation(let payload): isWhole(payload) ? "KVM_EXIT_S390_STSI" : "?"
        case .ioapicEOI(vector: 0): "KVM_EXIT_IOAPIC_EOI"
        case .hyperV(let payload): isWhole(payload) ? "KVM_EXIT_HYPERV" : "?"
        case .armUndescribedAccess(syndrome: 0x100, faultAddress: 0x101): "KVM_EXIT_ARM_NISV"
        case .msrRead(let read): read.index == 0 && read.reason.rawValue == 0x101 ? "KVM_EXIT_X86_RDMSR" : "?"
        case .msrWrite(let write): write.value == 0x102 ? "KVM_EXIT_X86_WRMSR" : "?"
        case .dirtyRingFull: "KVM_EXIT_DIRTY_RING_FULL"
        case .resetHold: "KVM_EXIT_AP_RESET_HOLD"
        case .busLock: "KVM_EXIT_X86_BUS_LOCK"
        case .xen(let payload): isWhole(payload) ? "KVM_EXIT_XEN" : "?"
        case .riscvSBI(let payload): isWhole(payload) ? "KVM_EXIT_RISCV_SBI" : "?"
        case .riscvCSR(let payload): isWhole(payload) ? "KVM_EXIT_RISCV_CSR" : "?"
        case .notify(contextIsInvalid: false): "KVM_EXIT_NOTIFY"
        case .loongArchIOCSR(let payload): isWhole(payload) ? "KVM_EXIT_LOONGARCH_IOCSR" : "?"
        case .memoryFault(address: 0x101, size: 0x102, let flags):
            flags.rawValue == 0x100 ? "KVM_EXIT_MEMORY_FAULT" : "?"
        case .tdx(let payload): isWhole(payload) ? "KVM_EXIT_TDX" : "?"
        case .armExternalAbort(flags: 0x100, syndrome: 0x101, virtualAddress: 0x102, physicalAddress: 0x103):
            "KVM_EXIT_ARM_SEA"
        case .unknown(let payload): isWhole(payload) ? "reason \(payload.reason)" : "?"
        default: "a case with other contents"
        }
    }

    @Test func everyReasonIsACase() {
        let expected = [
            "KVM_EXIT_UNKNOWN", "KVM_EXIT_EXCEPTION", "KVM_EXIT_IO", "KVM_EXIT_HYPERCALL", "KVM_EXIT_DEBUG",
            "KVM_EXIT_HLT", "KVM_EXIT_MMIO", "KVM_EXIT_IRQ_WINDOW_OPEN", "KVM_EXIT_SHUTDOWN", "KVM_EXIT_FAIL_ENTRY",
            "KVM_EXIT_INTR", "KVM_EXIT_SET_TPR", "KVM_EXIT_TPR_ACCESS", "KVM_EXIT_S390_SIEIC",
            "KVM_EXIT_S390_RESET", "KVM_EXIT_DCR", "KVM_EXIT_NMI", "KVM_EXIT_INTERNAL_ERROR", "KVM_EXIT_OSI",
            "KVM_EXIT_PAPR_HCALL", "KVM_EXIT_S390_UCONTROL", "KVM_EXIT_WATCHDOG", "KVM_EXIT_S390_TSCH",
            "KVM_EXIT_EPR", "KVM_EXIT_SYSTEM_EVENT", "KVM_EXIT_S390_STSI", "KVM_EXIT_IOAPIC_EOI",
            "KVM_EXIT_HYPERV", "KVM_EXIT_ARM_NISV", "KVM_EXIT_X86_RDMSR", "KVM_EXIT_X86_WRMSR",
            "KVM_EXIT_DIRTY_RING_FULL", "KVM_EXIT_AP_RESET_HOLD", "KVM_EXIT_X86_BUS_LOCK", "KVM_EXIT_XEN",
            "KVM_EXIT_RISCV_SBI", "KVM_EXIT_RISCV_CSR", "KVM_EXIT_NOTIFY", "KVM_EXIT_LOONGARCH_IOCSR",
            "KVM_EXIT_MEMORY_FAULT", "KVM_EXIT_TDX", "KVM_EXIT_ARM_SEA", "reason 42",
        ]
        for (reason, name) in expected.enumerated() {
            let seen = with(UInt32(reason)) { page in
                // These two have lengths and offsets among their words.
                if reason == 2 {
                    page.pointee.io.data_offset = 4096
                    page.pointee.io.port = 0x100
                    page.pointee.io.size = 1
                    page.pointee.io.count = 1
                    page.pointee.io.direction = 0
                }
                if reason == 6 { page.pointee.mmio.is_write = 0 }
            } _: {
                self.name($0)
            }
            #expect(seen == name)
        }
        #expect(with(.max) { self.name($0) } == "reason \(UInt32.max)")
    }

    @Test func answersLandInThePage() {
        var page: UnsafeMutablePointer<kvm_run>?
        with(3) {
            page = $0
        } _: { exit in
            switch exit {
            case .hypercall(let call): call.answer(0xabc)
            default: break
            }
            #expect(page?.pointee.hypercall.ret == 0xabc)
        }
        with(29) {
            page = $0
        } _: { exit in
            switch exit {
            case .msrRead(let read):
                read.fill(0xdef)
                read.refuse()
            default: break
            }
            #expect(page?.pointee.msr.data == 0xdef)
            #expect(page?.pointee.msr.error == 1)
        }
        with(30) {
            page = $0
        } _: { exit in
            switch exit {
            case .msrWrite(let write): write.refuse()
            default: break
            }
            #expect(page?.pointee.msr.error == 1)
        }
        with(6) {
            page = $0
            $0.pointee.mmio.data = (0, 0, 0, 0, 0, 0, 0, 0)
            $0.pointee.mmio.len = 2
            $0.pointee.mmio.is_write = 0
        } _: { exit in
            switch exit {
            case .memoryRead(let read): read.fill(0x1234_5678)
            default: break
            }
            #expect(page?.pointee.mmio.data.0 == 0x78 && page?.pointee.mmio.data.1 == 0x56)
            // No more than was asked for.
            #expect(page?.pointee.mmio.data.2 == 0)
        }
        with(40) {
            page = $0
        } _: { exit in
            switch exit {
            case .tdx(let payload): payload.store(UInt64(7), at: 16)
            default: break
            }
            #expect(UnsafeRawPointer(page!).load(fromByteOffset: 32 + 16, as: UInt64.self) == 7)
        }
    }

    @Test func severalValuesAtOnce() {
        func prepare(_ page: UnsafeMutablePointer<kvm_run>, out: Bool) {
            page.pointee.io.data_offset = 4096
            page.pointee.io.size = 2
            page.pointee.io.count = 3
            page.pointee.io.direction = out ? 1 : 0
            for word in 0..<4 {
                UnsafeMutableRawPointer(page).storeBytes(
                    of: UInt16(0xa0 + word), toByteOffset: 4096 + 2 * word, as: UInt16.self)
            }
        }
        with(2) {
            prepare($0, out: true)
        } _: { exit in
            switch exit {
            case .portWrite(let write):
                let values = (0..<write.count).map { write[$0] }
                let (first, bytes) = (write.value, write.withUnsafeBytes { $0.count })
                #expect(values == [0xa0, 0xa1, 0xa2] && first == 0xa0 && bytes == 6)
            default: Issue.record("another exit")
            }
        }
        with(2) {
            prepare($0, out: false)
        } _: { exit in
            func words(_ read: borrowing PortRead) -> [UInt16] {
                read.withUnsafeBytes { bytes in
                    // One more than is the guest's.
                    (0..<4).map { bytes.baseAddress!.load(fromByteOffset: 2 * $0, as: UInt16.self) }
                }
            }
            switch exit {
            case .portRead(let read):
                read.fill(0x12345)
                let all = words(read)
                read.fill(7, at: 1)
                let one = words(read)
                #expect(all == [0x2345, 0x2345, 0x2345, 0xa3] && one == [0x2345, 7, 0x2345, 0xa3])
            default: Issue.record("another exit")
            }
        }
    }

    @Test func lengthsOfThePageAreNotTrusted() {
        let words = with(17) {
            $0.pointee.internal.ndata = 400
        } _: { (exit) -> Int in
            switch exit {
            case .internalError(let failure): failure.words.count
            default: -1
            }
        }
        #expect(words == 16)
        let events = with(24) {
            $0.pointee.system_event.ndata = .max
        } _: { (exit) -> Int in
            switch exit {
            case .systemEvent(let system): system.words.count
            default: -1
            }
        }
        #expect(events == 16)
        let bytes = with(6) {
            $0.pointee.mmio.len = 4096
        } _: { (exit) -> Int in
            switch exit {
            case .memoryWrite(_, let size, _): size
            case .memoryRead(let read): read.size
            default: -1
            }
        }
        #expect(bytes == 8)
    }

    @Test func dataOutsideOfThePageIsAProgrammersError() async {
        await #expect(processExitsWith: .failure) {
            ExitDecodingTests().with(2) {
                $0.pointee.io.data_offset = 3 * 4096 - 1
                $0.pointee.io.size = 1
                $0.pointee.io.count = 2
            } _: { _ in
            }
        }
        await #expect(processExitsWith: .failure) {
            ExitDecodingTests().with(40) { exit in
                switch exit {
                case .tdx(let payload): payload.store(UInt64(1), at: 250)
                default: break
                }
            }
        }
    }

    @Test func anInstructionThatCantBeEmulated() {
        let bytes = with(17) {
            $0.pointee.emulation_failure.suberror = 1
            $0.pointee.emulation_failure.ndata = 3
            $0.pointee.emulation_failure.flags = 1
            $0.pointee.emulation_failure.insn_size = 3
            $0.pointee.emulation_failure.insn_bytes.0 = 0x0f
            $0.pointee.emulation_failure.insn_bytes.1 = 0x01
            $0.pointee.emulation_failure.insn_bytes.2 = 0xd0
        } _: { (exit) -> [UInt8] in
            switch exit {
            case .internalError(let failure): failure.instruction
            default: []
            }
        }
        #expect(bytes == [0x0f, 0x01, 0xd0])
    }

    @Test func valuesOfAnySize() {
        for (bytes, value): ([UInt8], UInt64) in [
            ([0x81], 0x81), ([1, 2], 0x201), ([1, 2, 3], 0x30201), ([1, 2, 3, 4], 0x4030201),
            ([1, 2, 3, 4, 5, 6, 7, 0x88], 0x8807_0605_0403_0201),
        ] {
            bytes.withUnsafeBytes { #expect(LittleEndian.load(bytes.count, $0.baseAddress!) == value) }
            var copy = [UInt8](repeating: 0xff, count: bytes.count + 1)
            copy.withUnsafeMutableBytes { LittleEndian.store(value, bytes.count, $0.baseAddress!) }
            #expect(copy == bytes + [0xff])
        }
    }
}
