#if arch(x86_64)
    import KVM
    import Linux
    import Virtio

    /// A virtual processor at rest.
    struct ProcessorState: Sendable {
        private static let version: UInt32 = 0x5643_0001
        // More than there are, so that a wrong number costs nothing.
        private static let mostEntries = 4096
        private static let mostBytes = 1 << 20

        var cpuid: [CPUIDEntry] = []
        private var runState = MPState.runnable
        private var registers = Registers()
        private var special = SpecialRegisters()
        private var extended = ExtendedState([])
        private var controls = ExtendedControlRegisters()
        private var debug = DebugRegisters()
        private var localAPIC = LocalAPIC()
        private var msrs: [MSR] = []
        private var events = VCPUEvents()
        /// Of the time-stamp counter, where the host knows it; 0 otherwise.
        private var kilohertz: UInt32 = 0

        /// The run state comes first: to ask for it makes KVM settle what the others then say.
        ///
        /// - Parameters:
        ///   - answers: what its CPUID was told to answer; KVM adds what the guest switched on.
        ///   - indices: of the registers that make up a guest's state here.
        init(of vcpu: borrowing VCPU, _ answers: [CPUIDEntry], msrs indices: [UInt32]) throws(SystemError) {
            runState = try vcpu.mpState()
            registers = try vcpu.registers()
            special = try vcpu.specialRegisters()
            extended = try vcpu.extendedState()
            controls = try vcpu.extendedControlRegisters()
            debug = try vcpu.debugRegisters()
            localAPIC = try vcpu.localAPIC()
            kilohertz = (try? vcpu.tscKHz()) ?? 0
            cpuid = answers
            msrs = try vcpu.presentMSRs(indices.filter(Self.isKept))
            events = try vcpu.events()
        }

        /// Registers of Hyper-V's interface, which no guest is offered.
        private static func isKept(_ index: UInt32) -> Bool { !(0x4000_0000..<0x4000_0200).contains(index) }

        private static let timeStampCounter: UInt32 = 0x10
        private static let deadline: UInt32 = 0x6e0

        /// Puts a new vCPU into this state. What it may do is said first, and what depends on the local APIC and the
        /// time-stamp counter comes behind them.
        func restore(to vcpu: borrowing VCPU) throws(SystemError) {
            try vcpu.setCPUID(cpuid)
            try restoreRate(vcpu)
            try vcpu.setMPState(runState)
            try vcpu.setRegisters(registers)
            try vcpu.setSpecialRegisters(special)
            try vcpu.setExtendedState(extended)
            try vcpu.setExtendedControlRegisters(controls)
            try vcpu.setDebugRegisters(debug)
            try vcpu.setLocalAPIC(localAPIC)
            try vcpu.setMSRs(orderedMSRs)
            try vcpu.setEvents(events)
            // Refused where the guest does not use the clock; then it has no watchdog that this would calm.
            try? vcpu.notifyPaused()
        }

        /// A timer that had fired and was not delivered yet would be lost: a deadline of 0 says that none is set. It is set
        /// to the counter's own value, and fires once more than it should at the worst.
        private var orderedMSRs: [MSR] {
            let now = msrs.first { $0.index == Self.timeStampCounter }?.value ?? 0
            var (first, rest, last): ([MSR], [MSR], [MSR]) = ([], [], [])
            for var msr in msrs {
                switch msr.index {
                case Self.timeStampCounter: first.append(msr)
                case Self.deadline:
                    if msr.value == 0 { msr.value = now }
                    last.append(msr)
                default: rest.append(msr)
                }
            }
            return first + rest + last
        }

        private func restoreRate(_ vcpu: borrowing VCPU) throws(SystemError) {
            guard kilohertz > 0, let own = try? vcpu.tscKHz(), own > 0 else { return }
            // 250 in a million is what network time can correct.
            let difference = own > kilohertz ? own - kilohertz : kilohertz - own
            guard UInt64(difference) * 1_000_000 > UInt64(kilohertz) * 250 else { return }
            do throws(SystemError) { try vcpu.setTSCKHz(kilohertz) } catch {
                throw SystemError(
                    error.operation, error.errno,
                    hint: "the guest's counter ran at \(kilohertz) kHz, this host's runs at \(own)")
            }
        }

        // MARK: - Bytes

        func encode(_ encoder: inout StateEncoder) {
            encoder.write(Self.version)
            encoder.write(cpuid) { encoder, entry in
                for value in [
                    entry.function, entry.index, entry.flags.rawValue, entry.eax, entry.ebx, entry.ecx, entry.edx,
                ] { encoder.write(value) }
            }
            encoder.write(runState.rawValue)
            encoder.write(raw: registers)
            encoder.write(raw: special)
            encoder.write(extended.bytes)
            encoder.write(raw: controls)
            encoder.write(raw: debug)
            encoder.write(raw: localAPIC)
            encoder.write(msrs) { encoder, msr in
                encoder.write(msr.index)
                encoder.write(msr.value)
            }
            encoder.write(raw: events)
            encoder.write(kilohertz)
        }

        init(_ decoder: inout StateDecoder) throws(StateError) {
            let found: UInt32 = try decoder.read()
            guard found == Self.version else { throw .version(found: found, expected: Self.version) }
            cpuid = try decoder.readList(limit: Self.mostEntries) { (decoder) throws(StateError) in
                CPUIDEntry(
                    function: try decoder.read(), index: try decoder.read(), flags: .init(rawValue: try decoder.read()),
                    eax: try decoder.read(), ebx: try decoder.read(), ecx: try decoder.read(), edx: try decoder.read())
            }
            runState = MPState(rawValue: try decoder.read())
            registers = try decoder.read(raw: registers)
            special = try decoder.read(raw: special)
            extended = ExtendedState(try decoder.readBlock())
            guard (4096...Self.mostBytes).contains(extended.bytes.count) else {
                throw .malformed("an area of \(extended.bytes.count) bytes for XSAVE")
            }
            controls = try decoder.read(raw: controls)
            debug = try decoder.read(raw: debug)
            localAPIC = try decoder.read(raw: localAPIC)
            msrs = try decoder.readList(limit: Self.mostEntries) { (decoder) throws(StateError) in
                MSR(try decoder.read(), try decoder.read())
            }
            events = try decoder.read(raw: events)
            kilohertz = try decoder.read()
        }
    }
#endif
