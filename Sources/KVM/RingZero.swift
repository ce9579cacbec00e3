#if arch(x86_64)
    import CKVM
    import Linux

    /// How a guest's kernel runs on this host: on the processor, or in an emulator that takes its instructions apart.
    ///
    /// Some hosts that are virtual machines themselves offer a `/dev/kvm` of software: programs of a guest run natively
    /// there, but every instruction of its kernel is emulated, and Linux does not finish booting.
    public struct RingZero: Hashable, Sendable {
        /// What one instruction of ring 0 took at most, in a loop that does nothing else.
        public var nanosecondsPerInstruction: Double

        public init(nanosecondsPerInstruction: Double) {
            self.nanosecondsPerInstruction = nanosecondsPerInstruction
        }

        /// A fraction of a nanosecond on a processor, some nanoseconds where a whole processor is emulated, hundreds
        /// where each instruction is trapped.
        public static let slowestReal = 50.0

        /// Whether a guest's kernel can be expected to boot.
        public var isReal: Bool { nanosecondsPerInstruction <= Self.slowestReal }
    }

    extension RingZero: CustomStringConvertible {
        /// One line, which says what to do where ring 0 is not real.
        public var description: String {
            let time = "\(Int(nanosecondsPerInstruction.rounded(.up))) ns an instruction"
            if isReal { return "ring 0 of a guest runs on a processor (at most \(time))" }
            return "/dev/kvm emulates ring 0 of a guest in software (\(time)), and a kernel would not finish booting: "
                + "use a host with hardware virtualization, or nested virtualization switched on"
        }
    }

    extension Hypervisor {
        /// Measures ring 0, in a machine of its own that is gone afterwards. Where a machine is to be made anyway,
        /// ``VCPU/measureRingZero(in:)`` costs a small part of it: making and removing one takes the kernel milliseconds.
        ///
        /// - Throws: where a machine of one page of code can't be made or run; `EIO` when it ends otherwise than it
        ///   should.
        public func measureRingZero() throws(SystemError) -> RingZero {
            let memory = try ScratchMemory(size: RingZero.memoryNeeded)
            let machine = try makeMachine()
            try machine.setTSSAddress(0xfffb_d000)
            try unsafe machine.setMemory(slot: 0, at: 0, memory.bytes)
            var vcpu = try machine.makeVCPU(0)
            try vcpu.setCPUID(try supportedCPUID())
            return try unsafe vcpu.measureRingZero(in: memory.bytes)
        }
    }

    extension RingZero {
        /// Bytes that ``VCPU/measureRingZero(in:)`` uses: three page tables and a page of code.
        public static let memoryNeeded = 0x4000
        fileprivate static let code: UInt64 = 0x3000

        /// Rounds of the loop, each of two instructions, for one measurement after the other. The first fast one says it
        /// all: nothing that is emulated is ever fast, but a processor is slow now and then, when others use it. Where a
        /// whole processor is emulated, entry and exit take longer than a short loop.
        fileprivate static let attempts: [UInt64] = [1000, 20000, 50000, 50000]
    }

    extension VCPU {
        /// Measures ring 0 on this vCPU before its guest is there: a fraction of a millisecond on a real one, a tenth
        /// of a second on one of software. CPUID has to be set already, and the vCPU has to be one that runs at once: a
        /// machine's first. Its registers are as before, and the memory that was used is all zeros.
        ///
        /// - Parameter memory: what the machine has from address 0 on, ``RingZero/memoryNeeded`` bytes at least.
        /// - Throws: `EIO` when the guest leaves otherwise than it should, and what `KVM_RUN` answers.
        public mutating func measureRingZero(in memory: UnsafeMutableRawBufferPointer) throws(SystemError) -> RingZero {
            precondition(memory.count >= RingZero.memoryNeeded, "room for page tables and code")
            let registers = try registers()
            let special = try specialRegisters()
            unsafe prepareLoop(memory)
            var inLoop = special
            inLoop.enterLongMode(pageTables: 0)
            try setSpecialRegisters(inLoop)

            // The first run makes the kernel find the memory.
            _ = try timeLoop(1)
            var least = Double.infinity
            for rounds in RingZero.attempts where least > RingZero.slowestReal {
                least = min(least, try timeLoop(rounds) / Double(2 * rounds))
            }
            _ = try completeLastExit { _ in }
            try setSpecialRegisters(special)
            try setRegisters(registers)
            unsafe memory[..<RingZero.memoryNeeded].initializeMemory(as: UInt8.self, repeating: 0)
            return RingZero(nanosecondsPerInstruction: least)
        }

        /// Page tables that map the first 2 MiB as they are, and a loop: dec rcx; jnz; out 0x80, al.
        private func prepareLoop(_ memory: UnsafeMutableRawBufferPointer) {
            for (offset, value) in [
                (0x0000, 0x1003), (0x1000, 0x2003), (0x2000, 0x0083), (0x3000, 0x80e6_fb75_c9ff_48),
            ] as [(Int, UInt64)] {
                unsafe memory.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
            }
        }

        /// Nanoseconds until so many rounds have ended in a write to a port. Not in a halt, from which a vCPU with a local
        /// APIC does not return.
        private mutating func timeLoop(_ rounds: UInt64) throws(SystemError) -> Double {
            var registers = Registers()
            registers.rip = RingZero.code
            registers.rcx = rounds
            try setRegisters(registers)
            let begin = bh_kvm_nanoseconds()
            while true {
                let hasWritten: Bool? = try run { exit in
                    switch exit {
                    case .portWrite: true
                    // A signal of this process's.
                    case .interrupted: nil
                    default: false
                    }
                }
                guard let hasWritten else { continue }
                guard hasWritten else { throw SystemError("measure ring 0", .ioError, hint: "the loop did not end") }
                return Double(bh_kvm_nanoseconds() - begin)
            }
        }
    }

    extension SpecialRegisters {
        /// 64-bit code with paging, over all of memory.
        ///
        /// - Parameter pageTables: the guest physical address of the top one.
        mutating func enterLongMode(pageTables: UInt64) {
            cs = .code(selector: 8, bits: 64)
            let data = Segment.data(selector: 16, bits: 64)
            ds = data
            es = data
            fs = data
            gs = data
            ss = data
            cr3 = pageTables
            cr4 = 1 << 5  // PAE
            cr0 = 1 << 31 | 1 << 4 | 1  // PG, ET, PE
            efer = 1 << 10 | 1 << 8  // LMA, LME
        }
    }

    /// Zeroed pages for a machine that lives for a moment.
    @safe
    private struct ScratchMemory: ~Copyable {
        let bytes: UnsafeMutableRawBufferPointer

        init(size: Int) throws(SystemError) {
            guard let start = unsafe bh_kvm_allocate(size) else { throw SystemError("map \(size) bytes", .current) }
            unsafe bytes = UnsafeMutableRawBufferPointer(start: start, count: size)
        }

        deinit { unsafe bh_kvm_free(bytes.baseAddress, bytes.count) }
    }
#endif
