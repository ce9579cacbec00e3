#if arch(x86_64)
    import KVM
    import Linux
    import TestSupport
    import Testing

    @Suite(.needs(.kvm)) struct VCPUStateTests {
        @Test func generalRegisters() throws {
            let guest = try TestMachine([0xf4])
            var registers = Registers()
            registers.rax = 1
            registers.r15 = .max
            registers.rip = 0x1234
            registers.rflags = 0x202
            try guest.vcpu.setRegisters(registers)
            #expect(try guest.vcpu.registers() == registers)
        }

        @Test func specialRegisters() throws {
            let guest = try TestMachine([0xf4])
            var special = try guest.vcpu.specialRegisters()
            special.cr2 = 0xabcd
            special.gdt = DescriptorTable(base: 0x5000, limit: 0x37)
            try guest.vcpu.setSpecialRegisters(special)
            let after = try guest.vcpu.specialRegisters()
            #expect(after.cr2 == 0xabcd && after.gdt == special.gdt)
        }

        @Test func floatingPoint() throws {
            let guest = try TestMachine([0xf4])
            var state = FloatingPointState()
            state.xmm[17] = 0x77
            state.controlWord = 0x27f
            try guest.vcpu.setFloatingPoint(state)
            let after = try guest.vcpu.floatingPoint()
            #expect(after.xmm[17] == 0x77 && after.controlWord == 0x27f)
        }

        @Test func extendedState() throws {
            let guest = try TestMachine([0xf4])
            var state = try guest.vcpu.extendedState()
            #expect(state.bytes.count >= 4096)
            // In the processor's area MXCSR is at 24, the SSE registers begin at 160, and the byte at 512 says that the
            // x87 and the SSE part are in use.
            state.bytes.replaceSubrange(24..<28, with: [0x80, 0x1f, 0, 0])
            state.bytes[160 + 3] = 0x99
            state.bytes[512] |= 3
            try guest.vcpu.setExtendedState(state)
            #expect(try guest.vcpu.floatingPoint().xmm[3] == 0x99)
            let after = try guest.vcpu.extendedState()
            #expect(after.bytes[160 + 3] == 0x99 && after.bytes[24..<28] == [0x80, 0x1f, 0, 0])
            let error = #expect(throws: SystemError.self) {
                try guest.vcpu.setExtendedState(ExtendedState([UInt8](repeating: 0, count: 512)))
            }
            #expect(error?.errno == .invalidArgument)
        }

        @Test func extendedControlRegisters() throws {
            let guest = try TestMachine([0xf4])
            guard guest.machine.supports(.xcrs) else {
                #expect(!insideTestVM)
                return
            }
            let registers = try guest.vcpu.extendedControlRegisters()
            #expect(registers.count == 1 && registers.registers[0].index == 0)
            #expect(registers.registers[0].value & 1 == 1)
            try guest.vcpu.setExtendedControlRegisters(registers)
        }

        @Test func modelSpecificRegisters() throws {
            let guest = try TestMachine([0xf4])
            // SYSENTER's three.
            let wanted = [MSR(0x174, 8), MSR(0x175, 0x1000), MSR(0x176, 0x2000)]
            try guest.vcpu.setMSRs(wanted)
            #expect(try guest.vcpu.msrs([0x174, 0x175, 0x176]) == wanted)
            #expect(try guest.vcpu.msrs([]) == [])
        }

        @Test func aRefusedRegisterIsNamed() throws {
            let guest = try TestMachine([0xf4])
            let set = #expect(throws: SystemError.self) {
                try guest.vcpu.setMSRs([MSR(0x174, 9), MSR(0x1234_5678, 0xab), MSR(0x175, 1)])
            }
            #expect(set?.operation == "set MSR 0x12345678 to 0xab")
            // Those before it are set.
            #expect(try guest.vcpu.msrs([0x174])[0].value == 9)
            let get = #expect(throws: SystemError.self) { try guest.vcpu.msrs([0x174, 0x1234_5679]) }
            #expect(get?.operation == "get MSR 0x12345679")
            // More than the kernel takes at once.
            let many = [UInt32](repeating: 0x174, count: 600)
            #expect(try guest.vcpu.msrs(many).map(\.index) == many)
            try guest.vcpu.setMSRs(many.map { MSR($0, 3) })
            let late = #expect(throws: SystemError.self) { try guest.vcpu.msrs(many + [0x1234_567a]) }
            #expect(late?.operation == "get MSR 0x1234567a")
        }

        @Test func cpuid() throws {
            // mov eax, 0x40001234 - 1 + 1: a leaf of our own; cpuid; out 0x10, eax; hlt
            var guest = try TestMachine([
                0x66, 0xb8, 0x34, 0x12, 0x00, 0x40, 0x0f, 0xa2, 0x66, 0xe7, 0x10, 0xf4,
            ])
            var entries = try guest.hypervisor.supportedCPUID()
            entries.removeAll { $0.function >= 0x4000_0000 && $0.function < 0x5000_0000 }
            entries.append(CPUIDEntry(function: 0x4000_0000, eax: 0x4000_1234))
            entries.append(CPUIDEntry(function: 0x4000_1234, eax: 0x0102_0304))
            try guest.vcpu.setCPUID(entries)
            #expect(try guest.vcpu.cpuid().contains { $0.function == 0x4000_1234 && $0.eax == 0x0102_0304 })
            #expect(try guest.vcpu.step() == .portWrite(0x10, size: 4, [4, 3, 2, 1]))
            let error = #expect(throws: SystemError.self) {
                try guest.vcpu.setCPUID([CPUIDEntry](repeating: CPUIDEntry(function: 1), count: 10_000))
            }
            #expect(error?.errno == .argumentListTooLong)
        }

        @Test func localAPIC() throws {
            let guest = try TestMachine([0xf4]) { machine in try machine.makeInterruptControllers() }
            var apic = try guest.vcpu.localAPIC()
            apic.setDeliveryMode(.external, of: .lint0)
            apic.setDeliveryMode(.nonMaskable, of: .lint1)
            try guest.vcpu.setLocalAPIC(apic)
            let after = try guest.vcpu.localAPIC()
            #expect(after[.lint0] & 0x700 == 0x700 && after[.lint1] & 0x700 == 0x400)
        }

        @Test func eventsAndDebugRegisters() throws {
            let guest = try TestMachine([0xf4])
            var events = try guest.vcpu.events()
            events.nmiMasked = 1
            try guest.vcpu.setEvents(events)
            #expect(try guest.vcpu.events().nmiMasked == 1)
            events.flags = .init(rawValue: 1 << 30)
            #expect(throws: SystemError.self) { try guest.vcpu.setEvents(events) }

            var debug = try guest.vcpu.debugRegisters()
            debug.addresses[2] = 0x4321
            try guest.vcpu.setDebugRegisters(debug)
            #expect(try guest.vcpu.debugRegisters().addresses[2] == 0x4321)
        }

        @Test func multiprocessorState() throws {
            let guest = try TestMachine([0xf4]) { machine in try machine.makeInterruptControllers() }
            #expect(try guest.vcpu.mpState() == .runnable)
            let second = try guest.machine.makeVCPU(1)
            let state = try second.mpState()
            #expect(state == .uninitialized)
            try second.setMPState(.halted)
            let after = try second.mpState()
            #expect(after == .halted)
            #expect(throws: SystemError.self) { try guest.vcpu.setMPState(MPState(rawValue: 77)) }
        }

        @Test func timeStampCounter() throws {
            let guest = try TestMachine([0xf4])
            let rate = try guest.vcpu.tscKHz()
            #expect(rate > 100_000)
            // Where the processor can't scale, only its own rate will do.
            try guest.vcpu.setTSCKHz(rate)
            #expect(try guest.vcpu.tscKHz() == rate)
        }

        @Test func pausesAreToldOnlyToGuestsThatListen() throws {
            let guest = try TestMachine([0xf4])
            let error = #expect(throws: SystemError.self) { try guest.vcpu.notifyPaused() }
            #expect(error?.errno == .invalidArgument && error?.operation == "KVM_KVMCLOCK_CTRL, vCPU 0")
        }
    }
#endif
