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

        /// The number of the next processor.
        private(set) var nextProcessor: Int
        private let mostProcessors: Int
        /// Where the next piece of memory begins, and how many bytes may still come.
        private(set) var nextMemory: UInt64
        private(set) var memoryLeft: UInt64
        private(set) var memorySlotsLeft = HotplugPlan.mostMemorySlots
        /// Places for devices that are empty. The one that has been so for the longest is taken first: in Linux, a driver
        /// begins by itself only where there never was a device before.
        private var emptySlots: [DeviceSlot]
        /// Whether devices may come and go at all.
        let isOpen: Bool

        init(
            _ configuration: MachineConfiguration, _ setup: ProcessorSetup, _ signal: KickSignal, _ gate: PauseGate,
            ports: Bus, memoryBus: Bus, emptySlots: [DeviceSlot], addedMemory: UInt64
        ) {
            self.setup = setup
            self.signal = signal
            self.gate = gate
            self.ports = ports
            self.memoryBus = memoryBus
            self.emptySlots = emptySlots
            isOpen = configuration.spareDevices > 0
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

        func nextSlot() throws(MachineError) -> DeviceSlot {
            guard let slot = emptySlots.first else {
                throw MachineError(.machine, "there is no place for another device: all that were kept are taken")
            }
            return slot
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

        /// The one that ``nextSlot()`` gave.
        mutating func tookSlot() { emptySlots.removeFirst() }

        mutating func gaveBack(_ slot: DeviceSlot) { emptySlots.append(slot) }

        /// The same as a machine that was saved: processors, and pieces of memory that are there.
        mutating func takeUp(processors: Int, memory pieces: [HotplugController.Piece]) {
            nextProcessor = processors
            for piece in pieces { tookMemory(piece.size) }
        }
    }
#endif
