#if arch(x86_64)
    import Glibc
    import KVM
    import Linux
    import TestSupport
    import Testing

    @Suite(.needs(.kvm)) struct RunTests {
        @Test func portsAndHalt() throws {
            // in al, 0x10; inc al; out 0x11, al; mov dx, 0x3f8; mov eax, 0x12345678; out dx, eax; in ax, dx; hlt
            var guest = try TestMachine([
                0xe4, 0x10, 0xfe, 0xc0, 0xe6, 0x11, 0xba, 0xf8, 0x03, 0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0x66, 0xef,
                0xed, 0xf4,
            ])
            #expect(try guest.vcpu.step(answer: 0x41) == .portRead(0x10, size: 1, count: 1))
            #expect(try guest.vcpu.step() == .portWrite(0x11, size: 1, [0x42]))
            #expect(try guest.vcpu.step() == .portWrite(0x3f8, size: 4, [0x78, 0x56, 0x34, 0x12]))
            #expect(try guest.vcpu.step(answer: 0xbeef) == .portRead(0x3f8, size: 2, count: 1))
            #expect(try guest.vcpu.step() == .halt)
            #expect(try guest.vcpu.registers().rax == 0x1234_beef)
        }

        @Test func stringsOfPorts() throws {
            // cld; mov cx, 4; mov di, 0x4000; mov dx, 0x20; rep insb; mov cx, 3; mov si, 0x4000; rep outsb; hlt
            var guest = try TestMachine([
                0xfc, 0xb9, 4, 0, 0xbf, 0, 0x40, 0xba, 0x20, 0, 0xf3, 0x6c, 0xb9, 3, 0, 0xbe, 0, 0x40, 0xf3, 0x6e,
                0xf4,
            ])
            // How many at once is KVM's choice.
            var read = 0
            var written: [UInt8] = []
            var isOn = true
            while isOn {
                switch try guest.vcpu.step(answer: 0x6f6c_6c65) {
                case .portRead(0x20, size: 1, let count): read += count
                case .portWrite(0x20, size: 1, let bytes): written += bytes
                case .halt: isOn = false
                case let exit:
                    Issue.record("\(exit)")
                    isOn = false
                }
            }
            #expect(read == 4)
            #expect(written.count == 3)
            let stored = (0..<3).map { guest.load(0x4000 + $0, as: UInt8.self) }
            #expect(written == stored && stored[0] == 0x65)
        }

        @Test func memoryThatIsNotThere() throws {
            // mov ax, 0x2000; mov ds, ax; mov eax, [0x10]; mov [0x20], ax; mov byte [0x30], 7; hlt
            var guest = try TestMachine([
                0xb8, 0x00, 0x20, 0x8e, 0xd8, 0x66, 0xa1, 0x10, 0x00, 0xa3, 0x20, 0x00, 0xc6, 0x06, 0x30, 0x00, 0x07,
                0xf4,
            ])
            #expect(try guest.vcpu.step(answer: 0x1122_3344_5566) == .memoryRead(0x20010, 4))
            #expect(try guest.vcpu.step() == .memoryWrite(0x20020, 2, 0x5566))
            #expect(try guest.vcpu.step() == .memoryWrite(0x20030, 1, 7))
            #expect(try guest.vcpu.step() == .halt)
            #expect(try guest.vcpu.registers().rax == 0x3344_5566)
        }

        @Test func anAnswerIsTakenUpWithoutRunning() throws {
            // in al, 0x10; hlt
            var guest = try TestMachine([0xe4, 0x10, 0xf4])
            #expect(try guest.vcpu.step(answer: 0x77) == .portRead(0x10, size: 1, count: 1))
            #expect(try guest.vcpu.completeLastExit { Seen($0, answer: 0) } == .interrupted)
            let registers = try guest.vcpu.registers()
            #expect(registers.rax == 0x77)
            #expect(registers.rip == UInt64(TestMachine.code + 2))
            #expect(try guest.vcpu.step() == .halt)
        }

        @Test func immediateExit() throws {
            // out 0x10, al; hlt
            var guest = try TestMachine([0xe6, 0x10, 0xf4])
            guest.vcpu.requestImmediateExit()
            #expect(try guest.vcpu.step() == .interrupted)
            #expect(try guest.vcpu.registers().rip == UInt64(TestMachine.code))
            // The request was for one run.
            #expect(try guest.vcpu.step() == .portWrite(0x10, size: 1, [0]))
            // A completion neither uses a request up nor makes one.
            guest.vcpu.requestImmediateExit()
            #expect(try guest.vcpu.completeLastExit { Seen($0, answer: 0) } == .interrupted)
            #expect(try guest.vcpu.step() == .interrupted)
            #expect(try guest.vcpu.step() == .halt)
        }

        @Test func registersTravelInThePage() throws {
            let all: SyncedState = [.registers, .specialRegisters, .events]
            // out 0x10, al; out 0x11, al; hlt
            var guest = try TestMachine([0xe6, 0x10, 0xe6, 0x11, 0xf4])
            let offered = try guest.machine.value(of: .syncRegs)
            // Where KVM offers none, it refuses to run with some.
            guard UInt64(offered) & all.rawValue == all.rawValue else {
                #expect(!insideTestVM)
                guest.vcpu.syncedState = all
                #expect(throws: SystemError.self) { try guest.vcpu.step() }
                return
            }
            guest.vcpu.syncedState = all
            #expect(try guest.vcpu.step() == .portWrite(0x10, size: 1, [0]))
            var registers = guest.vcpu.syncedRegisters
            #expect(try registers == guest.vcpu.registers())
            #expect(try guest.vcpu.syncedSpecialRegisters == guest.vcpu.specialRegisters())
            #expect(guest.vcpu.syncedEvents.exceptionInjected == 0)
            registers.rax = 0x99
            guest.vcpu.syncedRegisters = registers
            #expect(try guest.vcpu.step() == .portWrite(0x11, size: 1, [0x99]))
        }

        @Test func modelSpecificRegistersOfTheCaller() throws {
            // mov ecx, 0x12345; rdmsr; out 0x10, eax; mov al, 9; wrmsr; hlt
            var guest = try TestMachine([0xf4])
            guard guest.machine.supports(.x86UserSpaceMSR) else {
                #expect(!insideTestVM)
                return
            }
            try guest.machine.enable(.x86UserSpaceMSR, UInt64(MSRExitReason.unknown.rawValue))
            try guest.restart([
                0x66, 0xb9, 0x45, 0x23, 0x01, 0x00, 0x0f, 0x32, 0x66, 0xe7, 0x10, 0xb0, 0x09, 0x0f, 0x30, 0xf4,
            ])
            #expect(try guest.vcpu.step(answer: 0xaa_0000_0055) == .msrRead(0x12345, .unknown))
            #expect(try guest.vcpu.step() == .portWrite(0x10, size: 4, [0x55, 0, 0, 0]))
            #expect(try guest.vcpu.step() == .msrWrite(0x12345, .unknown, 0xaa_0000_0009))
            #expect(try guest.vcpu.step() == .halt)

            // A refusal is a fault: its handler at 0x2000 tells of it.
            guest.memory[0x2000..<0x2003].copyBytes(from: [0xe6, 0x30, 0xf4])
            guest.memory.storeBytes(of: 0x2000, toByteOffset: 13 * 4, as: UInt32.self)
            try guest.restart([0x66, 0xb9, 0x45, 0x23, 0x01, 0x00, 0x0f, 0x30, 0xf4])
            let isRefused = try guest.vcpu.run { exit in
                switch exit {
                case .msrWrite(let write):
                    write.refuse()
                    return true
                default: return false
                }
            }
            #expect(isRefused)
            #expect(try guest.vcpu.step() == .portWrite(0x30, size: 1, [0]))
        }

        @Test func singleSteps() throws {
            // nop; nop; hlt
            var guest = try TestMachine([0x90, 0x90, 0xf4])
            try guest.vcpu.setGuestDebug(GuestDebug([.enabled, .singleStep]))
            var steps: [UInt64] = []
            for _ in 0..<2 {
                guard case .debug(let stop) = try guest.vcpu.step() else { break }
                #expect(stop.exception == 1)
                steps.append(stop.instruction)
            }
            #expect(steps == [UInt64(TestMachine.code + 1), UInt64(TestMachine.code + 2)])
            try guest.vcpu.setGuestDebug(GuestDebug())
            #expect(try guest.vcpu.step() == .halt)
        }

        @Test func interruptsOfTheCaller() throws {
            // sti; nop; jmp to the nop, in a machine without controllers
            var guest = try TestMachine([0xfb, 0x90, 0xeb, 0xfd])
            // The handler: out 0x30, al; hlt.
            guest.memory[0x2000..<0x2003].copyBytes(from: [0xe6, 0x30, 0xf4])
            guest.memory.storeBytes(of: 0x2000, toByteOffset: 0x21 * 4, as: UInt32.self)
            guest.vcpu.requestsInterruptWindow = true
            #expect(try guest.vcpu.step() == .interruptWindowOpen)
            #expect(guest.vcpu.isReadyForInterrupt && guest.vcpu.interruptFlag)
            guest.vcpu.requestsInterruptWindow = false
            try guest.vcpu.inject(interrupt: 0x21)
            #expect(try guest.vcpu.step() == .portWrite(0x30, size: 1, [0]))
            #expect(try guest.vcpu.step() == .halt)
        }

        @Test func ring3() throws {
            // out 0x10, al; mov eax, [0x20000]; out 0x11, eax; hlt, which ring 3 may not
            var guest = try TestMachine([0xe6, 0x10, 0x8b, 0x04, 0x25, 0, 0, 2, 0, 0xe7, 0x11, 0xf4])
            try guest.enterRing3()
            #expect(try guest.vcpu.translate(0x1234) == 0x1234)
            #expect(try guest.vcpu.translate(0x4000_0000) == nil)
            #expect(try guest.vcpu.step() == .portWrite(0x10, size: 1, [0]))
            #expect(try guest.vcpu.step(answer: 0x1_2345_6789) == .memoryRead(0x20000, 4))
            #expect(try guest.vcpu.step() == .portWrite(0x11, size: 4, [0x89, 0x67, 0x45, 0x23]))
            #expect(try guest.vcpu.step() == .shutdown)
        }

        @Test func tripleFault() throws {
            // ud2, and nobody there to handle it
            var guest = try TestMachine([0x0f, 0x0b])
            try guest.enterRing3()
            #expect(try guest.vcpu.step() == .shutdown)
        }
    }
#endif
