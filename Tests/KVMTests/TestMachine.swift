#if arch(x86_64)
    import Glibc
    import Linux

    @testable import KVM

    /// A machine with 64 KiB of memory and one vCPU that runs 16-bit code from 0x1000 on.
    struct TestMachine: ~Copyable {
        static let size = 0x10000
        static let code = 0x1000

        let hypervisor: Hypervisor
        let machine: VirtualMachine
        let memory: UnsafeMutableRawBufferPointer
        var vcpu: VCPU

        init(
            _ code: [UInt8], flags: MemoryFlags = [], prepare: (borrowing VirtualMachine) throws -> Void = { _ in }
        ) throws {
            let hypervisor = try Hypervisor()
            let machine = try hypervisor.makeMachine()
            try machine.setTSSAddress(0xfffb_d000)
            try prepare(machine)
            let memory = UnsafeMutableRawBufferPointer(
                start: mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                count: Self.size)
            try machine.setMemory(slot: 0, at: 0, memory, flags: flags)
            let vcpu = try machine.makeVCPU(0)
            try vcpu.setCPUID(hypervisor.supportedCPUID())
            var special = try vcpu.specialRegisters()
            special.cs.base = 0
            special.cs.selector = 0
            try vcpu.setSpecialRegisters(special)
            try Self.start(code, vcpu, memory)
            self.hypervisor = hypervisor
            self.machine = machine
            self.memory = memory
            self.vcpu = vcpu
        }

        deinit { munmap(memory.baseAddress, memory.count) }

        /// From here on 64-bit code in ring 3 that may use ports, with the first 2 MiB mapped as they are and no
        /// descriptor tables: what a host runs natively whose ring 0 is emulated.
        func enterRing3() throws {
            memory.storeBytes(of: 0xb007, toByteOffset: 0xa000, as: UInt64.self)
            memory.storeBytes(of: 0xc007, toByteOffset: 0xb000, as: UInt64.self)
            memory.storeBytes(of: 0x0087, toByteOffset: 0xc000, as: UInt64.self)
            var special = try vcpu.specialRegisters()
            special.enterLongMode(pageTables: 0xa000)
            special.cs = .code(selector: 0x0b, bits: 64, ring: 3)
            let data = Segment.data(selector: 0x13, bits: 64, ring: 3)
            special.ds = data
            special.es = data
            special.fs = data
            special.gs = data
            special.ss = data
            special.idt.limit = 0
            special.gdt.limit = 0
            try vcpu.setSpecialRegisters(special)
            var registers = try vcpu.registers()
            registers.rflags = 3 << 12 | 2
            try vcpu.setRegisters(registers)
        }

        /// New code, from its beginning.
        func restart(_ code: [UInt8], _ change: (inout Registers) -> Void = { _ in }) throws {
            try Self.start(code, vcpu, memory, change)
        }

        private static func start(
            _ code: [UInt8], _ vcpu: borrowing VCPU, _ memory: UnsafeMutableRawBufferPointer,
            _ change: (inout Registers) -> Void = { _ in }
        ) throws {
            memory[Self.code..<Self.code + code.count].copyBytes(from: code)
            var registers = Registers()
            registers.rip = UInt64(Self.code)
            registers.rsp = 0x8000
            change(&registers)
            try vcpu.setRegisters(registers)
        }

        /// The bytes at an address as one number.
        func load<Value: BitwiseCopyable>(_ address: Int, as type: Value.Type) -> Value {
            memory.loadUnaligned(fromByteOffset: address, as: type)
        }
    }

    extension VCPU {
        /// Runs to the next exit and says which it was, answering reads with a value.
        mutating func step(answer: UInt64 = 0) throws(SystemError) -> Seen {
            try run { exit in Seen(exit, answer: answer) }
        }
    }

    /// An exit as a value that tests can compare.
    enum Seen: Equatable {
        case portRead(UInt16, size: Int, count: Int)
        case portWrite(UInt16, size: Int, [UInt8])
        case memoryRead(UInt64, Int)
        case memoryWrite(UInt64, Int, UInt64)
        case halt, shutdown, interrupted, interruptWindowOpen
        case debug(DebugExit)
        case msrRead(UInt32, MSRExitReason)
        case msrWrite(UInt32, MSRExitReason, UInt64)
        case entryFailure(UInt64)
        case internalError(InternalError, [UInt8])
        case memoryFault(UInt64, UInt64, MemoryFaultFlags)
        case other(String)

        init(_ exit: borrowing Exit, answer: UInt64) {
            switch exit {
            case .portRead(let read):
                self = .portRead(read.port, size: read.size, count: read.count)
                read.fill(answer)
            case .portWrite(let write):
                self = .portWrite(write.port, size: write.size, write.withUnsafeBytes { Array($0) })
            case .memoryRead(let read):
                self = .memoryRead(read.address, read.size)
                read.fill(answer)
            case .memoryWrite(let address, let size, let value): self = .memoryWrite(address, size, value)
            case .halt: self = .halt
            case .shutdown: self = .shutdown
            case .interrupted: self = .interrupted
            case .interruptWindowOpen: self = .interruptWindowOpen
            case .debug(let what): self = .debug(what)
            case .msrRead(let read):
                self = .msrRead(read.index, read.reason)
                read.fill(answer)
            case .msrWrite(let write): self = .msrWrite(write.index, write.reason, write.value)
            case .entryFailure(let reason, _): self = .entryFailure(reason)
            case .internalError(let failure): self = .internalError(failure.error, failure.instruction)
            case .memoryFault(let address, let size, let flags): self = .memoryFault(address, size, flags)
            default: self = .other("another exit")
            }
        }
    }
#endif
