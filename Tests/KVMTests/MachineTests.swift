#if arch(x86_64)
    import Glibc
    import KVM
    import Linux
    import TestSupport
    import Testing

    @Suite(.needs(.kvm)) struct MachineTests {
        @Test func memoryIsRefusedAndRemoved() throws {
            let guest = try TestMachine([0xf4])
            let page = UnsafeMutableRawBufferPointer(rebasing: guest.memory[0..<4096])
            func refusal(_ body: () throws(SystemError) -> Void) -> Errno? {
                do throws(SystemError) { try body() } catch { return error.errno }
                return nil
            }
            // Over another slot; not aligned; empty; of another size; with flags that nobody knows.
            #expect(
                refusal { () throws(SystemError) in try guest.machine.setMemory(slot: 1, at: 0x8000, page) }
                    == .fileExists)
            #expect(
                refusal { () throws(SystemError) in try guest.machine.setMemory(slot: 1, at: 0x20001, page) }
                    == .invalidArgument)
            let empty = UnsafeMutableRawBufferPointer(rebasing: guest.memory[0..<0])
            #expect(
                refusal { () throws(SystemError) in try guest.machine.setMemory(slot: 0, at: 0, empty) }
                    == .invalidArgument)
            #expect(
                refusal { () throws(SystemError) in try guest.machine.setMemory(slot: 0, at: 0, page) }
                    == .invalidArgument)
            #expect(
                refusal { () throws(SystemError) in
                    try guest.machine.setMemory(slot: 1, at: 0x20000, page, flags: .init(rawValue: 1 << 9))
                } == .invalidArgument)
            #expect(refusal { () throws(SystemError) in try guest.machine.removeMemory(slot: 7) } == .invalidArgument)
            // The error says where.
            do throws(SystemError) { try guest.machine.setMemory(slot: 1, at: 0x8000, page) } catch {
                #expect(error.operation == "set memory slot 1, 4096 bytes at 0x8000")
            }
            try guest.machine.setMemory(slot: 1, at: 0x20000, page)
            try guest.machine.removeMemory(slot: 1)
            try guest.machine.setMemory(slot: 1, at: 0x20000, page)
        }

        @Test func removedMemoryIsGone() throws {
            // mov al, [0x9000]; hlt, with a slot of its own for that address
            var guest = try TestMachine([0xa0, 0x00, 0x90, 0xf4])
            let page = UnsafeMutableRawBufferPointer(rebasing: guest.memory[0x9000..<0xa000])
            let low = UnsafeMutableRawBufferPointer(rebasing: guest.memory[0..<0x9000])
            page[0] = 0x5a
            try guest.machine.removeMemory(slot: 0)
            try guest.machine.setMemory(slot: 0, at: 0, low)
            try guest.machine.setMemory(slot: 1, at: 0x9000, page)
            #expect(try guest.vcpu.step() == .halt)
            #expect(try guest.vcpu.registers().rax & 0xff == 0x5a)
            try guest.machine.removeMemory(slot: 1)
            try guest.restart([0xa0, 0x00, 0x90, 0xf4])
            #expect(try guest.vcpu.step(answer: 0x33) == .memoryRead(0x9000, 1))
        }

        @Test func writesToReadOnlyMemory() throws {
            // mov byte [0x9000], 7; mov al, [0x9000]; hlt
            var guest = try TestMachine([0xc6, 0x06, 0x00, 0x90, 0x07, 0xa0, 0x00, 0x90, 0xf4])
            guard guest.machine.supports(.readOnlyMemory) else {
                #expect(!insideTestVM)
                return
            }
            let rom = UnsafeMutableRawBufferPointer(rebasing: guest.memory[0x9000..<0xa000])
            let low = UnsafeMutableRawBufferPointer(rebasing: guest.memory[0..<0x9000])
            rom[0] = 0x5a
            try guest.machine.removeMemory(slot: 0)
            try guest.machine.setMemory(slot: 0, at: 0, low)
            try guest.machine.setMemory(slot: 1, at: 0x9000, rom, flags: .readOnly)
            #expect(try guest.vcpu.step() == .memoryWrite(0x9000, 1, 7))
            #expect(try guest.vcpu.step() == .halt)
            #expect(try guest.vcpu.registers().rax & 0xff == 0x5a)
            #expect(rom[0] == 0x5a)
        }

        @Test func dirtyLog() throws {
            // mov byte [0x4000], 1; mov byte [0x6000], 1; hlt
            let code: [UInt8] = [0xc6, 0x06, 0x00, 0x40, 0x01, 0xc6, 0x06, 0x00, 0x60, 0x01, 0xf4]
            var guest = try TestMachine(code, flags: .logDirtyPages)
            var log = PageBitmap(pages: TestMachine.size / 4096)
            #expect(try guest.vcpu.step() == .halt)
            try guest.machine.readDirtyLog(slot: 0, into: &log)
            #expect(log[4] && log[6] && !log[5])
            // Asking reset it.
            try guest.machine.readDirtyLog(slot: 0, into: &log)
            #expect(log.setCount == 0)

            // A bitmap of another size would be written past its end.
            for pages in [0, 15, 17, 64] {
                var other = PageBitmap(pages: pages)
                let error = #expect(throws: SystemError.self) {
                    try guest.machine.readDirtyLog(slot: 0, into: &other)
                }
                #expect(error?.errno == .invalidArgument)
            }
            let error = #expect(throws: SystemError.self) { try guest.machine.readDirtyLog(slot: 3, into: &log) }
            #expect(error?.errno == .noSuchFileOrDirectory)
        }

        @Test func dirtyLogThatIsClearedByHand() throws {
            let code: [UInt8] = [0xc6, 0x06, 0x00, 0x40, 0x01, 0xc6, 0x06, 0x00, 0x60, 0x01, 0xf4]
            var isThere = true
            var guest = try TestMachine(code, flags: .logDirtyPages) { machine in
                isThere = machine.supports(.manualDirtyLogProtect2)
                if isThere { try machine.enable(.manualDirtyLogProtect2, 1) }
            }
            guard isThere else {
                #expect(!insideTestVM)
                return
            }
            let pages = TestMachine.size / 4096
            var log = PageBitmap(pages: pages)
            #expect(try guest.vcpu.step() == .halt)
            try guest.machine.readDirtyLog(slot: 0, into: &log)
            #expect(log[4] && log[6])
            // Asking did not reset it; clearing one page does that.
            var one = PageBitmap(pages: pages)
            one[4] = true
            try guest.machine.clearDirtyLog(slot: 0, firstPage: 0, pages: pages, one)
            try guest.machine.readDirtyLog(slot: 0, into: &log)
            #expect(!log[4] && log[6])
            for (first, count) in [(-64, 64), (1, 1), (0, pages + 1), (64, 0), (0, -1)] {
                #expect(throws: SystemError.self) {
                    try guest.machine.clearDirtyLog(slot: 0, firstPage: first, pages: count, one)
                }
            }
        }

        @Test func bitmaps() {
            var bitmap = PageBitmap(pages: 130)
            #expect(bitmap.words.count == 3)
            for page in [0, 63, 64, 129] { bitmap[page] = true }
            // What lies past the last page does not count.
            bitmap.words[2] |= 1 << 63
            var pages: [Int] = []
            bitmap.forEach { pages.append($0) }
            #expect(pages == [0, 63, 64, 129] && bitmap.setCount == 4)
            bitmap[63] = false
            #expect(!bitmap[63] && bitmap[64])
            #expect(PageBitmap(pages: 0).setCount == 0)
        }

        @Test func privateMemory() throws {
            let hypervisor = try Hypervisor()
            let types = try hypervisor.value(of: .vmTypes)
            guard types & 1 << MachineType.softwareProtected.rawValue != 0 else {
                // A kernel that lacks it says so.
                let machine = try hypervisor.makeMachine()
                if !machine.supports(.guestMemFD) {
                    #expect(throws: SystemError.self) { _ = try machine.makeGuestMemory(size: 4096) }
                    #expect(throws: SystemError.self) { try machine.setAttributes(.isPrivate, at: 0, size: 4096) }
                }
                return
            }
            let machine = try hypervisor.makeMachine(type: .softwareProtected)
            let size = 0x10000
            let memory = UnsafeMutableRawBufferPointer(
                start: mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), count: size)
            defer { munmap(memory.baseAddress, size) }
            let own = try machine.makeGuestMemory(size: UInt64(size))
            try machine.setMemory(slot: 0, at: 0, memory, guestMemory: own, offset: 0)
            try machine.setAttributes(.isPrivate, at: 0x8000, size: 0x1000)
        }

        @Test func notifications() throws {
            // mov al, 5; out 0x40, al; mov al, 6; out 0x40, al; mov ax, 0x2000; mov ds, ax; mov [0x50], eax; hlt
            var guest = try TestMachine([
                0xb0, 5, 0xe6, 0x40, 0xb0, 6, 0xe6, 0x40, 0xb8, 0, 0x20, 0x8e, 0xd8, 0x66, 0xa3, 0x50, 0, 0xf4,
            ])
            let port = try EventCounter()
            let memory = try EventCounter()
            let five = WriteNotification(.port(0x40), .one, value: 5)
            let any = WriteNotification(.memory(0x20050), .any)
            try guest.machine.notify(port.descriptor, on: five)
            try guest.machine.notify(memory.descriptor, on: any)
            // The 5 does not come out; the 6 does.
            #expect(try guest.vcpu.step() == .portWrite(0x40, size: 1, [6]))
            #expect(try port.take() == 1)
            #expect(try guest.vcpu.step() == .halt)
            #expect(try memory.take() == 1)

            let again = #expect(throws: SystemError.self) {
                try guest.machine.notify(port.descriptor, on: five)
            }
            #expect(again?.errno == .fileExists)
            #expect(again?.operation == "notify on writes of 1 bytes to port 0x40 that are 0x5")
            try guest.machine.stop(five, notifying: port.descriptor)
            let gone = #expect(throws: SystemError.self) {
                try guest.machine.stop(five, notifying: port.descriptor)
            }
            #expect(gone?.errno == .noSuchFileOrDirectory)
            #expect(throws: SystemError.self) {
                try guest.machine.notify(port.descriptor, on: WriteNotification(.port(0x41), .any, value: 1))
            }
            try guest.restart([0xb0, 5, 0xe6, 0x40, 0xf4])
            #expect(try guest.vcpu.step() == .portWrite(0x40, size: 1, [5]))
        }

        @Test func interruptsFromEventfds() throws {
            // sti; hlt; then out 0x31, al. The handler at 0x2000: out 0x30, al; mov al, 0x20; out 0x20, al; iret.
            var guest = try TestMachine([0xfb, 0xf4, 0xe6, 0x31, 0xf4]) { machine in
                try machine.makeInterruptControllers()
            }
            try guest.initializePIC()
            let event = try EventCounter()
            try guest.machine.connect(event.descriptor, toLine: 5)
            try event.add()
            // The line waits until the guest takes interrupts.
            #expect(try guest.vcpu.step() == .portWrite(0x30, size: 1, [0]))
            #expect(try guest.vcpu.step() == .portWrite(0x31, size: 1, [0x20]))
            let twice = #expect(throws: SystemError.self) {
                try guest.machine.connect(event.descriptor, toLine: 5)
            }
            #expect(twice?.errno == .busy)
            try guest.machine.disconnect(event.descriptor, fromLine: 5)
            try guest.machine.connect(event.descriptor, toLine: 5)
            // Not an eventfd.
            let file = try Descriptor.open("/dev/null", [.readWrite])
            #expect(throws: SystemError.self) { try guest.machine.connect(file, toLine: 6) }
        }

        @Test func levelTriggeredInterrupts() throws {
            var guest = try TestMachine([0xfb, 0xf4, 0xe6, 0x31, 0xf4]) { machine in
                try machine.makeInterruptControllers()
            }
            guard guest.machine.supports(.irqfdResample) else {
                #expect(!insideTestVM)
                return
            }
            try guest.initializePIC()
            var pic = try guest.machine.pic(.firstPIC)
            pic.levelTriggered = 1 << 5
            try guest.machine.setPIC(.firstPIC, pic)
            let event = try EventCounter()
            let resample = try EventCounter()
            try guest.machine.connect(event.descriptor, toLine: 5, resample: resample.descriptor)
            try event.add()
            #expect(try guest.vcpu.step() == .portWrite(0x30, size: 1, [0]))
            #expect(try resample.take() == 0)
            // The end of the interrupt lowers the line and says so; after that the guest goes on.
            #expect(try guest.vcpu.step() == .portWrite(0x31, size: 1, [0x20]))
            #expect(try resample.take() == 1)
        }

        @Test func linesAndRoutes() throws {
            var guest = try TestMachine([0xfb, 0xf4, 0xe6, 0x31, 0xf4]) { machine in
                try machine.makeInterruptControllers()
            }
            try guest.initializePIC()
            try guest.machine.setRoutes([
                InterruptRoute(line: 40, to: .pin(.firstPIC, 5)),
                InterruptRoute(line: 41, to: .message(MSIMessage(address: 0xfee0_0000, data: 0x41))),
            ])
            try guest.machine.setLine(40, high: true)
            try guest.machine.setLine(40, high: false)
            #expect(try guest.vcpu.step() == .portWrite(0x30, size: 1, [0]))
            let error = #expect(throws: SystemError.self) {
                try guest.machine.setRoutes([InterruptRoute(line: 1, to: .pin(.ioapic, 999))])
            }
            #expect(error?.errno == .invalidArgument)
        }

        @Test func withoutControllers() throws {
            let guest = try TestMachine([0xf4])
            let error = #expect(throws: SystemError.self) { try guest.machine.setLine(3, high: true) }
            #expect(error?.operation == "set interrupt line 3")
            #expect(throws: SystemError.self) { try guest.machine.ioapic() }
            #expect(throws: SystemError.self) { try guest.machine.pic(.ioapic) }
            #expect(throws: SystemError.self) { try guest.vcpu.localAPIC() }
            // Too late: there is a vCPU.
            #expect(throws: SystemError.self) { try guest.machine.makeInterruptControllers() }
        }

        @Test func chipsKeepTheirState() throws {
            let guest = try TestMachine([0xf4]) { machine in try machine.makeInterruptControllers() }
            var ioapic = try guest.machine.ioapic()
            #expect(ioapic.baseAddress == 0xfec0_0000)
            // Masked, with a vector.
            ioapic.redirections[7] = 1 << 16 | 0x47
            try guest.machine.setIOAPIC(ioapic)
            #expect(try guest.machine.ioapic().redirections[7] == 1 << 16 | 0x47)
            var pic = try guest.machine.pic(.secondPIC)
            pic.vectorBase = 0x70
            try guest.machine.setPIC(.secondPIC, pic)
            #expect(try guest.machine.pic(.secondPIC) == pic)
            #expect(try guest.machine.pic(.firstPIC).vectorBase != 0x70)
        }

        @Test func splitController() throws {
            var isThere = true
            let guest = try TestMachine([0xf4]) { machine in
                isThere = machine.supports(.splitIRQChip)
                if isThere { try machine.makeLocalAPICsOnly(pins: 24) }
            }
            guard isThere else {
                #expect(!insideTestVM)
                return
            }
            #expect(try guest.vcpu.localAPIC()[.version] & 0xff >= 0x10)
            #expect(throws: SystemError.self) { try guest.machine.ioapic() }
            // Its pins are messages of ours.
            try guest.machine.setRoutes([
                InterruptRoute(line: 5, to: .message(MSIMessage(address: 0xfee0_0000, data: 0x35)))
            ])
            // The APIC is off, so nobody takes it.
            _ = try guest.machine.deliver(MSIMessage(address: 0xfee0_0000, data: 0x35))
        }

        @Test func timers() throws {
            let guest = try TestMachine([0xf4]) { machine in
                try machine.makeInterruptControllers()
                try machine.setIdentityMapAddress(0xfffb_c000)
                try machine.makePIT(speaker: true)
            }
            var pit = try guest.machine.pit()
            pit.channels[0].count = 1234
            pit.channels[0].mode = 2
            pit.channels[0].accessMode = 3
            try guest.machine.setPIT(pit)
            let again = #expect(throws: SystemError.self) { try guest.machine.makePIT() }
            #expect(again?.errno == .fileExists)
            let after = try guest.machine.pit()
            #expect(after.channels[0].count == 1234 && after.channels[0].mode == 2)
        }

        @Test func clocks() throws {
            let guest = try TestMachine([0xf4])
            try guest.machine.setClock(ClockData(nanoseconds: 5_000_000_000))
            let clock = try guest.machine.clock()
            #expect(clock.nanoseconds >= 5_000_000_000 && clock.nanoseconds < 65_000_000_000)
            let error = #expect(throws: SystemError.self) {
                try guest.machine.setClock(ClockData(nanoseconds: 0, flags: .init(rawValue: 1 << 20)))
            }
            #expect(error?.errno == .invalidArgument)
        }

        @Test func vcpusAreCounted() throws {
            let guest = try TestMachine([0xf4])
            let again = #expect(throws: SystemError.self) { _ = try guest.machine.makeVCPU(0) }
            #expect(again?.errno == .fileExists && again?.operation == "make vCPU 0")
            let large = #expect(throws: SystemError.self) { _ = try guest.machine.makeVCPU(.max) }
            #expect(large?.errno == .invalidArgument)
            let second = try guest.machine.makeVCPU(1)
            #expect(second.id == 1)
        }

        @Test func capabilitiesThatAreNot() throws {
            let guest = try TestMachine([0xf4])
            let error = #expect(throws: SystemError.self) { try guest.machine.enable(.ppcLike) }
            #expect(error?.errno == .invalidArgument)
            #expect(throws: SystemError.self) { _ = try guest.machine.makeDevice(DeviceType(rawValue: 999)) }
        }

        @Test func devices() throws {
            let guest = try TestMachine([0xf4])
            // The VFIO device takes groups and nothing else; kernels without it say so.
            guard let device = try? guest.machine.makeDevice(.vfio) else { return }
            let (takesGroups, takesOthers) = (device.has(.init(group: 1, 1)), device.has(.init(group: 9, 1)))
            #expect(takesGroups && !takesOthers)
            #expect(throws: SystemError.self) { try device.set(.init(group: 1, 1), to: CInt(-1)) }
        }
    }

    extension Capability {
        static let ppcLike = Capability(rawValue: 43)
    }

    extension TestMachine {
        /// The first 8259 with vectors from 0x20 on and lines 5 alone open; a handler at 0x2000 that tells of itself at
        /// port 0x30, ends the interrupt and returns.
        mutating func initializePIC() throws {
            memory[0x2000..<0x2007].copyBytes(from: [0xe6, 0x30, 0xb0, 0x20, 0xe6, 0x20, 0xcf])
            memory.storeBytes(of: 0x2000, toByteOffset: 0x25 * 4, as: UInt32.self)
            var pic = try machine.pic(.firstPIC)
            pic.vectorBase = 0x20
            pic.mask = ~(1 << 5)
            pic.initializationState = 0
            try machine.setPIC(.firstPIC, pic)
            // The local APIC passes on what the 8259 has.
            var apic = try vcpu.localAPIC()
            apic[.spuriousInterrupt] = 0x1ff
            apic[.lint0] = 0
            apic.setDeliveryMode(.external, of: .lint0)
            try vcpu.setLocalAPIC(apic)
        }
    }
#endif
