#if arch(x86_64)
    import KVM
    import Linux

    /// Makes the processors of a machine.
    struct ProcessorSetup {
        private let count: Int
        private let topology: Topology
        /// What this host's processors can be made to answer, with the template's changes.
        let supported: [CPUIDEntry]
        private let template: ProcessorTemplate?
        private let hasDeadlineTimer: Bool

        /// - Parameters:
        ///   - count: how many there are at first.
        ///   - maximum: how many there may be, which the guest's picture of them is made for.
        ///   - threads: how many of them are in each core.
        ///   - template: how they differ from what the host offers.
        init(
            _ count: Int, maximum: Int, threads: Int = 1, template: ProcessorTemplate? = nil,
            _ hypervisor: borrowing Hypervisor
        ) throws(SystemError) {
            self.count = count
            topology = Topology(processors: maximum, threads: threads)
            let offered = try hypervisor.supportedCPUID()
            supported = try template?.applied(to: offered) ?? offered
            self.template = template
            hasDeadlineTimer = hypervisor.supports(.tscDeadlineTimer)
        }

        /// A vCPU that knows what kind of processor it is: what it may do depends on that.
        func makeVCPU(_ id: UInt32, _ vm: borrowing VirtualMachine) throws(SystemError) -> VCPU {
            let vcpu = try vm.makeVCPU(id)
            try vcpu.setCPUID(cpuid(id))
            return vcpu
        }

        /// What a processor's CPUID answers.
        func cpuid(_ id: UInt32) -> [CPUIDEntry] {
            topology.cpuid(supported, id: id, hasDeadlineTimer: hasDeadlineTimer)
        }

        /// Gives a vCPU the state that firmware would leave it in.
        func prepare(_ vcpu: borrowing VCPU) throws(SystemError) {
            try BootState.prepare(vcpu)
            try template?.apply(to: vcpu)
        }

        /// All processors: the first, which enters the kernel, and those that wait for it to start them.
        func makeProcessors(
            _ first: consuming VCPU, _ vm: borrowing VirtualMachine, _ kernel: LoadedKernel,
            _ make: (consuming VCPU) -> Processor
        ) throws(MachineError) -> [Processor] {
            do throws(SystemError) {
                try prepare(first)
                try BootState.enter(kernel, first)
                var all = [make(first)]
                for id in 1..<UInt32(count) {
                    let vcpu = try makeVCPU(id, vm)
                    try prepare(vcpu)
                    all.append(make(vcpu))
                }
                return all
            } catch { throw MachineError(.processors, error) }
        }
    }
#endif
