#if arch(x86_64)
    import Glibc
    import KVM
    import Linux
    import TestSupport
    import Testing

    /// What a guest does without leaving: reads of read-only memory, and writes that the kernel keeps.
    @Suite(.needs(.kvm)) struct CoalescedWritesTests {
        private static let page = 4096
        private let pages = UnsafeMutableRawBufferPointer(
            start: mmap(nil, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), count: page)

        struct Guest: ~Copyable {
            var machine: TestMachine
            let writes: CoalescedWrites
        }

        /// A guest that has the page at 0x20000, read-only, and whose writes to 0x20020 are kept; nil where a host that is
        /// no test machine keeps none.
        private func guest(_ code: [UInt8]) throws -> Guest? {
            let guest = try TestMachine(code)
            guard guest.machine.supports(.coalescedMMIO), guest.machine.supports(.readOnlyMemory) else {
                #expect(!insideTestVM)
                return nil
            }
            try guest.machine.setMemory(slot: 1, at: 0x20000, pages, flags: .readOnly)
            try guest.machine.keepWrites(at: 0x20020, size: 2)
            let writes = try guest.vcpu.coalescedWrites(of: guest.machine)
            return Guest(machine: guest, writes: writes)
        }

        private func all(_ writes: CoalescedWrites) -> [Seen] {
            var seen: [Seen] = []
            writes.take { seen.append(.memoryWrite($0, $1, $2)) }
            return seen
        }

        @Test func onlyOtherWritesLeave() throws {
            pages.storeBytes(of: 0x1122_3344, toByteOffset: 0x10, as: UInt32.self)
            // mov ax, 0x2000; mov ds, ax; mov eax, [0x10]; mov [0x20], ax; mov byte [0x30], 7; mov [0x20], eax; hlt
            guard
                var guest = try guest([
                    0xb8, 0x00, 0x20, 0x8e, 0xd8, 0x66, 0xa1, 0x10, 0x00, 0xa3, 0x20, 0x00, 0xc6, 0x06, 0x30, 0x00,
                    0x07, 0x66, 0xa3, 0x20, 0x00, 0xf4,
                ])
            else { return }
            #expect(try guest.machine.vcpu.step() == .memoryWrite(0x20030, 1, 7))
            #expect(try guest.machine.vcpu.registers().rax == 0x1122_3344)
            #expect(all(guest.writes) == [.memoryWrite(0x20020, 2, 0x3344)])
            #expect(all(guest.writes) == [])
            // Wider than what is kept.
            #expect(try guest.machine.vcpu.step() == .memoryWrite(0x20020, 4, 0x1122_3344))
            #expect(try guest.machine.vcpu.step() == .halt)
            #expect(pages.loadUnaligned(fromByteOffset: 0x20, as: UInt32.self) == 0, "read-only")
        }

        @Test func whatIsNotKeptLeavesAndNothingIsLost() throws {
            // mov ax, 0x2000; mov ds, ax; mov cx, 400; again: mov [0x20], cx; loop again; hlt
            guard
                var guest = try guest([
                    0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xb9, 0x90, 0x01, 0x89, 0x0e, 0x20, 0x00, 0xe2, 0xfa, 0xf4,
                ])
            else { return }
            var seen: [Seen] = []
            var exit = try guest.machine.vcpu.step()
            // Some kernels, 6.1 among them, count too little room.
            #expect((400 - 169...400 - 85).contains { exit == .memoryWrite(0x20020, 2, $0) }, "\(exit)")
            // In the order in which they were made, round the ring's end.
            while exit != .halt {
                seen += all(guest.writes) + [exit]
                exit = try guest.machine.vcpu.step()
            }
            seen += all(guest.writes)
            #expect(seen == (1...400).reversed().map { .memoryWrite(0x20020, 2, UInt64($0)) })
        }

        @Test func theyLeaveAgainAfterwards() throws {
            // mov ax, 0x2000; mov ds, ax; mov [0x20], ax; hlt
            let code: [UInt8] = [0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xa3, 0x20, 0x00, 0xf4]
            guard var guest = try guest(code) else { return }
            try guest.machine.machine.stopKeepingWrites(at: 0x20020, size: 2)
            try guest.machine.machine.stopKeepingWrites(at: 0x20020, size: 2)
            #expect(try guest.machine.vcpu.step() == .memoryWrite(0x20020, 2, 0x2000))
            #expect(all(guest.writes) == [])
        }
    }
#endif
