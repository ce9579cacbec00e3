#if arch(x86_64)
    import KVM
    import Linux

    /// How a processor is before its first instruction.
    enum BootState {
        /// What firmware would have set up in every processor.
        static func prepare(_ vcpu: borrowing VCPU) throws(SystemError) {
            try vcpu.setMSRs(msrs)
            try vcpu.setFloatingPoint(FloatingPointState())
            var apic = try vcpu.localAPIC()
            apic.setDeliveryMode(.external, of: .lint0)
            apic.setDeliveryMode(.nonMaskable, of: .lint1)
            try vcpu.setLocalAPIC(apic)
        }

        /// The state in which a kernel is entered; for the first processor. The others wait for it to start them.
        static func enter(_ kernel: LoadedKernel, _ vcpu: borrowing VCPU) throws(SystemError) {
            var special = try vcpu.specialRegisters()
            let is64Bit = kernel.bootProtocol != .pvh
            special.cs = .code(selector: 0x10, bits: is64Bit ? 64 : 32)
            let data = Segment.data(selector: 0x18, bits: 32)
            (special.ds, special.es, special.fs, special.gs, special.ss) = (data, data, data, data, data)
            special.tr = taskState
            special.gdt = DescriptorTable(base: AddressMap.descriptorTable, limit: 5 * 8 - 1)
            special.idt = DescriptorTable(base: 0, limit: 0)
            var registers = Registers()
            registers.rip = kernel.entry
            if is64Bit {
                special.cr3 = AddressMap.pageTables
                special.cr4 = 1 << 5  // PAE
                special.cr0 = 1 << 31 | 1 << 4 | 1  // PG, ET, PE
                special.efer = 1 << 10 | 1 << 8  // LMA, LME
                registers.rsi = AddressMap.zeroPage
                registers.rsp = AddressMap.bootStack
                registers.rbp = AddressMap.bootStack
            } else {
                special.cr4 = 0
                special.cr0 = 1 << 4 | 1
                special.efer = 0
                registers.rbx = AddressMap.startInfo
            }
            try vcpu.setSpecialRegisters(special)
            try vcpu.setRegisters(registers)
        }

        private static var taskState: Segment {
            var segment = Segment()
            segment.limit = 0x67
            segment.selector = 0x20
            segment.type = 11
            segment.present = 1
            return segment
        }

        /// The registers for system calls and the time-stamp counter at zero, fast string instructions, memory cached
        /// where nothing else is said.
        private static let msrs: [MSR] = [
            MSR(0x174), MSR(0x175), MSR(0x176),  // IA32_SYSENTER_CS, _ESP, _EIP
            MSR(0xc000_0081), MSR(0xc000_0082), MSR(0xc000_0083), MSR(0xc000_0084),  // STAR, LSTAR, CSTAR, SFMASK
            MSR(0xc000_0102),  // KERNEL_GS_BASE
            MSR(0x10),  // IA32_TIME_STAMP_COUNTER
            MSR(0x1a0, 1),  // IA32_MISC_ENABLE
            MSR(0x2ff, 0x806),  // IA32_MTRR_DEF_TYPE
        ]
    }
#endif
