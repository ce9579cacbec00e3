import CKVM

extension Exit {
    /// `KVM_EXIT_*`, up to Linux 6.19.
    @usableFromInline
    enum Reason: UInt32, CaseIterable {
        case unknown = 0
        case exception, io, hypercall, debug, hlt, mmio, irqWindowOpen, shutdown, failEntry, intr, setTPR, tprAccess
        case s390SIEIC, s390Reset, dcr, nmi, internalError, osi, paprHCall, s390UControl, watchdog, s390TSCH, epr
        case systemEvent, s390STSI, ioapicEOI, hyperV, armNISV, x86RDMSR, x86WRMSR, dirtyRingFull, apResetHold
        case x86BusLock, xen, riscvSBI, riscvCSR, notify, loongArchIOCSR, memoryFault, tdx, armSEA
    }

    /// Lends the page's exit to the closure.
    ///
    /// - Parameter size: bytes that are mapped there.
    @inlinable
    static func with<Result: ~Copyable>(
        _ page: UnsafeMutablePointer<kvm_run>, _ size: Int, _ body: (borrowing Exit) -> Result
    ) -> Result {
        // The two that come a million times a second stand before the rest.
        let reason = unsafe page.pointee.exit_reason
        if reason == UInt32(KVM_EXIT_IO) {
            let io = unsafe page.pointee.io
            let (width, count, offset) = (Int(io.size), Int(io.count), Int(truncatingIfNeeded: io.data_offset))
            precondition(offset >= 0 && offset <= size && width * count <= size - offset, "data lies in the run page")
            let start = unsafe UnsafeMutableRawPointer(page) + offset
            if Int32(io.direction) == KVM_EXIT_IO_OUT {
                return unsafe body(
                    .portWrite(
                        PortWrite(port: io.port, size: width, count: count, start: UnsafeRawPointer(start))))
            }
            return unsafe body(.portRead(PortRead(port: io.port, size: width, count: count, start: start)))
        }
        if reason == UInt32(KVM_EXIT_MMIO) {
            let start = unsafe UnsafeMutableRawPointer(page) + Int(BH_KVM_PAYLOAD_OFFSET) + 8
            let address = unsafe page.pointee.mmio.phys_addr
            let width = unsafe min(8, Int(page.pointee.mmio.len))
            if unsafe page.pointee.mmio.is_write != 0 {
                return unsafe body(
                    .memoryWrite(
                        address: address, size: width, value: LittleEndian.load(width, UnsafeRawPointer(start))))
            }
            return unsafe body(.memoryRead(MemoryRead(address: address, size: width, start: start)))
        }
        return unsafe rare(page, body)
    }

    @usableFromInline
    static func rare<Result: ~Copyable>(
        _ page: UnsafeMutablePointer<kvm_run>, _ body: (borrowing Exit) -> Result
    ) -> Result {
        let payload = unsafe ExitPayload(page)
        guard let reason = Reason(rawValue: payload.reason) else { return body(.unknown(payload)) }
        switch reason {
        // They were taken care of.
        case .io, .mmio: return body(.unknown(payload))

        case .unknown: return body(.unknownToKernel(hardwareReason: payload.word(0)))
        case .exception:
            return body(
                .exception(vector: payload.load(UInt32.self, at: 0), errorCode: payload.load(UInt32.self, at: 4)))
        case .hypercall: return body(.hypercall(Hypercall(payload)))
        case .debug: return unsafe body(.debug(DebugExit(page.pointee.debug.arch)))
        case .hlt: return body(.halt)
        case .irqWindowOpen: return body(.interruptWindowOpen)
        case .shutdown: return body(.shutdown)
        case .failEntry:
            return body(.entryFailure(hardwareReason: payload.word(0), cpu: payload.load(UInt32.self, at: 8)))
        case .intr: return body(.interrupted)
        case .setTPR: return body(.setTaskPriority)
        case .tprAccess:
            return body(
                .taskPriorityAccess(instruction: payload.word(0), isWrite: payload.load(UInt32.self, at: 8) != 0))
        case .s390SIEIC: return body(.s390Intercept(payload))
        case .s390Reset: return body(.s390Reset(flags: payload.word(0)))
        case .dcr: return body(.deviceControlRegister(payload))
        case .nmi: return body(.nonMaskableInterrupt)
        case .internalError:
            let error = InternalError(rawValue: payload.load(UInt32.self, at: 0))
            let count = Int(payload.load(UInt32.self, at: 4))
            return body(.internalError(InternalFailure(error: error, count: count, payload)))
        case .osi: return body(.openSourceInterface(payload))
        case .paprHCall: return body(.paprHypercall(payload))
        case .s390UControl: return body(.s390UserControl(payload))
        case .watchdog: return body(.watchdog)
        case .s390TSCH: return body(.s390TestSubchannel(payload))
        case .epr: return body(.externalProxy(payload))
        case .systemEvent:
            let event = SystemEvent(rawValue: payload.load(UInt32.self, at: 0))
            let count = Int(payload.load(UInt32.self, at: 4))
            return body(.systemEvent(SystemEventExit(event: event, count: count, payload)))
        case .s390STSI: return body(.s390StoreSystemInformation(payload))
        case .ioapicEOI: return body(.ioapicEOI(vector: payload.load(UInt8.self, at: 0)))
        case .hyperV: return body(.hyperV(payload))
        case .armNISV:
            return body(.armUndescribedAccess(syndrome: payload.word(0), faultAddress: payload.word(1)))
        case .x86RDMSR, .x86WRMSR:
            // A byte for the fault, the reason, the register and its value.
            let why = MSRExitReason(rawValue: payload.load(UInt32.self, at: 8))
            let index = payload.load(UInt32.self, at: 12)
            if reason == .x86RDMSR { return body(.msrRead(MSRRead(index: index, reason: why, payload))) }
            let value = payload.word(2)
            return body(.msrWrite(MSRWrite(index: index, reason: why, value: value, payload)))
        case .dirtyRingFull: return body(.dirtyRingFull)
        case .apResetHold: return body(.resetHold)
        case .x86BusLock: return body(.busLock)
        case .xen: return body(.xen(payload))
        case .riscvSBI: return body(.riscvSBI(payload))
        case .riscvCSR: return body(.riscvCSR(payload))
        case .notify: return body(.notify(contextIsInvalid: payload.load(UInt32.self, at: 0) & 1 == 1))
        case .loongArchIOCSR: return body(.loongArchIOCSR(payload))
        case .memoryFault:
            let flags = MemoryFaultFlags(rawValue: payload.word(0))
            return body(.memoryFault(address: payload.word(1), size: payload.word(2), flags))
        case .tdx: return body(.tdx(payload))
        case .armSEA:
            return body(
                .armExternalAbort(
                    flags: payload.word(0), syndrome: payload.word(1), virtualAddress: payload.word(2),
                    physicalAddress: payload.word(3)))
        }
    }
}

extension DebugExit {
    init(_ raw: kvm_debug_exit_arch) {
        #if arch(x86_64)
            self.init(exception: raw.exception, instruction: raw.pc, dr6: raw.dr6, dr7: raw.dr7)
        #elseif arch(arm64)
            self.init(syndrome: raw.hsr, syndromeHigh: raw.hsr_high, faultAddress: raw.far)
        #endif
    }
}
