#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux

    /// The breakpoints that a debugger has set.
    struct BreakpointTable {
        private static let instruction: UInt8 = 0xcc
        /// As many as the processor has registers for.
        private static let mostHardware = 4
        /// A debugger has some tens.
        private static let mostSoftware = 4096

        /// What was in the guest's memory, and where.
        private struct Patch {
            var physical: GuestAddress
            var original: UInt8
        }

        private let memory: GuestMemory
        private var patches: [UInt64: Patch] = [:]
        private var hardware: [GDBCommand.Breakpoint] = []

        init(_ memory: GuestMemory) { self.memory = memory }

        /// Whether an instruction of ours is at a linear address.
        func hasInstruction(at address: UInt64) -> Bool { patches[address] != nil }

        /// - Returns: false where there is no memory, or no register for it.
        mutating func insert(_ breakpoint: GDBCommand.Breakpoint, _ seat: DebugSeat) throws(SystemError) -> Bool {
            let address = breakpoint.address
            guard breakpoint.kind == .software else {
                if hardware.contains(breakpoint) { return true }
                guard hardware.count < Self.mostHardware else { return false }
                hardware.append(breakpoint)
                return true
            }
            if patches[address] != nil { return true }
            guard patches.count < Self.mostSoftware,
                let translated = try seat.withVCPU({ (vcpu) throws(SystemError) in try vcpu.translate(address) }),
                let physical = translated.map({ GuestAddress($0) }),
                let original = try? memory.load(UInt8.self, at: physical),
                (try? memory.store(Self.instruction, at: physical)) != nil
            else { return false }
            patches[address] = Patch(physical: physical, original: original)
            return true
        }

        /// - Returns: whether it was there.
        mutating func remove(_ breakpoint: GDBCommand.Breakpoint, _ seat: DebugSeat) throws(SystemError) -> Bool {
            guard breakpoint.kind == .software else {
                guard let index = hardware.firstIndex(of: breakpoint) else { return false }
                hardware.remove(at: index)
                return true
            }
            guard let patch = patches.removeValue(forKey: breakpoint.address) else { return false }
            restore(patch)
            return true
        }

        mutating func removeAll() {
            for patch in patches.values { restore(patch) }
            patches = [:]
            hardware = []
        }

        private func restore(_ patch: Patch) {
            // The guest may have loaded other code there.
            guard (try? memory.load(UInt8.self, at: patch.physical)) == Self.instruction else { return }
            try? memory.store(patch.original, at: patch.physical)
        }

        // MARK: - What KVM is told

        /// - Parameter passesBreakpoint: the guest gets the breakpoint that it is at.
        func debug(isStepping: Bool, isOn: Bool, passesBreakpoint: Bool = false) -> GuestDebug {
            guard isOn else { return GuestDebug() }
            var debug = GuestDebug([.enabled, .softwareBreakpoints])
            if passesBreakpoint { debug.control.insert(.injectBreakpoint) }
            // Otherwise a step often ends in the handler of the timer's interrupt.
            if isStepping { debug.control.formUnion([.singleStep, .blockInterrupts]) }
            if hardware.isEmpty { return debug }
            debug.control.insert(.hardwareBreakpoints)
            // Bits 0 to 7 switch them on, 8 and 9 make them exact; 16 to 31 are zero, as these watch for instructions;
            // Intel's manual, section 18.2.
            var control: UInt64 = 3 << 8 | 1 << 10
            for (index, breakpoint) in hardware.enumerated() {
                debug.registers[index] = breakpoint.address
                control |= 1 << UInt64(2 * index + 1)
            }
            debug.registers[7] = control
            return debug
        }

        /// What a debugger is told of a stop: which of the processor's own breakpoints it was, or nothing for a step.
        func hit(_ dr6: UInt64) -> String {
            hardware.indices.contains { dr6 & 1 << UInt64($0) != 0 } ? "hwbreak:;" : ""
        }
    }
#endif
