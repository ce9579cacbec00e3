#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux
    import Virtio

    extension MachineConfiguration {
        /// Processors that there may be.
        var mostProcessors: Int { maximumProcessors ?? processors }
    }

    /// What a machine needs to become larger, and how far it may.
    struct Growth {
        private let setup: ProcessorSetup
        private let signal: KickSignal
        private let gate: PauseGate
        private let ports: Bus
        private let memoryBus: Bus
        private let spares: [SparePlace]

        /// The number of the next processor.
        private(set) var nextProcessor: Int
        private let mostProcessors: Int
        /// Where the next piece of memory begins, and how many bytes may still come.
        private(set) var nextMemory: UInt64
        private(set) var memoryLeft: UInt64
        private(set) var memorySlotsLeft = HotplugPlan.mostMemorySlots
        /// What has come into the places for devices; nil for one that its user made: nobody else can make it again.
        private(set) var added: [MachineConfiguration.Addition?] = []
        var takenSpares: Int { added.count }

        init(
            _ configuration: MachineConfiguration, _ setup: ProcessorSetup, _ signal: KickSignal, _ gate: PauseGate,
            ports: Bus, memoryBus: Bus, spares: [SparePlace], addedMemory: UInt64
        ) {
            self.setup = setup
            self.signal = signal
            self.gate = gate
            self.ports = ports
            self.memoryBus = memoryBus
            self.spares = spares
            nextProcessor = configuration.processors
            mostProcessors = configuration.mostProcessors
            nextMemory = addedMemory
            memoryLeft = (configuration.maximumMemory ?? configuration.memory) - configuration.memory
        }

        /// - Parameter cpuid: what its CPUID was told to answer; what this host's is made to answer when nil.
        func processor(
            _ vcpu: consuming VCPU, _ lifecycle: Lifecycle, cpuid: [CPUIDEntry]? = nil
        ) -> Processor {
            let answers = cpuid ?? setup.cpuid(vcpu.id)
            return Processor(vcpu, answers, signal, lifecycle, gate, ports: ports, memory: memoryBus)
        }

        // MARK: - Checks

        func check(processors count: Int) throws(MachineError) {
            guard count > 0, count <= mostProcessors - nextProcessor else {
                throw MachineError(
                    .processors,
                    "\(count) processors can't be added: there are \(nextProcessor) of at most \(mostProcessors)")
            }
        }

        func check(memory bytes: UInt64) throws(MachineError) {
            let block = MachineConfiguration.memoryBlock
            guard bytes > 0, bytes % block == 0 else {
                throw MachineError(.memory, "\(bytes) bytes are not a whole number of \(block >> 20) MiB")
            }
            guard bytes <= memoryLeft else {
                throw MachineError(.memory, "\(bytes) bytes can't be added: there may be \(memoryLeft) more")
            }
            guard memorySlotsLeft > 0 else {
                throw MachineError(.memory, "memory was added \(HotplugPlan.mostMemorySlots) times, which is all")
            }
        }

        func freeSpare() throws(MachineError) -> SparePlace {
            guard takenSpares < spares.count else {
                throw MachineError(
                    .machine, "there is no place for another device: \(spares.count) were kept, and are taken")
            }
            return spares[takenSpares]
        }

        // MARK: - Steps

        /// KVM takes no number twice, whatever comes of the processor.
        mutating func makeVCPU(_ vm: borrowing VirtualMachine) throws(SystemError) -> VCPU {
            let id = UInt32(nextProcessor)
            nextProcessor += 1
            let vcpu = try setup.makeVCPU(id, vm)
            try setup.prepare(vcpu)
            return vcpu
        }

        mutating func tookMemory(_ bytes: UInt64) {
            nextMemory += bytes
            memoryLeft -= bytes
            memorySlotsLeft -= 1
        }

        mutating func tookSpare(_ device: MachineConfiguration.Addition?) { added.append(device) }

        /// The same as a machine that was saved: processors, and pieces of memory that are there.
        mutating func takeUp(
            processors: Int, memory pieces: [HotplugController.Piece], devices: [MachineConfiguration.Addition]
        ) {
            nextProcessor = processors
            added = devices
            for piece in pieces { tookMemory(piece.size) }
        }
    }
#endif
