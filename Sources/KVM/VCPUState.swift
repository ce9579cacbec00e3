import CKVM
import Linux

extension VCPU {
    func text(_ operation: String) -> String { "\(operation), vCPU \(id)" }
}

#if arch(x86_64)
    extension VCPU {
        /// `KVM_GET_REGS`.
        public func registers() throws(SystemError) -> Registers {
            var registers = Registers()
            try descriptor.control(.getRegisters, with: &registers, text("KVM_GET_REGS"))
            return registers
        }

        /// `KVM_SET_REGS`.
        public func setRegisters(_ registers: Registers) throws(SystemError) {
            try descriptor.control(.setRegisters, from: registers, text("KVM_SET_REGS"))
        }

        /// `KVM_GET_SREGS`.
        public func specialRegisters() throws(SystemError) -> SpecialRegisters {
            var registers = SpecialRegisters()
            try descriptor.control(.getSpecialRegisters, with: &registers, text("KVM_GET_SREGS"))
            return registers
        }

        /// `KVM_SET_SREGS`.
        ///
        /// - Throws: `EINVAL` for a mixture that no processor can be in.
        public func setSpecialRegisters(_ registers: SpecialRegisters) throws(SystemError) {
            try descriptor.control(.setSpecialRegisters, from: registers, text("KVM_SET_SREGS"))
        }

        /// What these model-specific registers hold; `KVM_GET_MSRS`.
        ///
        /// - Throws: `EINVAL`, with the register's number, for one that the guest has not.
        public func msrs(_ indices: [UInt32]) throws(SystemError) -> [MSR] {
            try MSR.read(indices, from: descriptor)
        }

        /// Those of these model-specific registers that the guest has, with what they hold; `KVM_GET_MSRS`. What
        /// ``Hypervisor/savedMSRs()`` lists depends on the host, and some of it on the guest's CPUID.
        public func presentMSRs(_ indices: [UInt32]) throws(SystemError) -> [MSR] {
            try MSR.readPresent(indices, from: descriptor)
        }

        /// Sets model-specific registers in this order; `KVM_SET_MSRS`. Those before one that is refused are set.
        ///
        /// - Throws: `EINVAL`, with the register's number and value, for one that was refused.
        public func setMSRs(_ msrs: [MSR]) throws(SystemError) {
            try MSR.write(msrs, to: descriptor)
        }

        /// What the guest's CPUID answers; `KVM_GET_CPUID2`.
        public func cpuid() throws(SystemError) -> [CPUIDEntry] {
            try CPUIDEntry.list(text("KVM_GET_CPUID2"), descriptor, .getCPUID2)
        }

        /// Says what the guest's CPUID answers; to be done before MSRs are set and before the first run; `KVM_SET_CPUID2`.
        ///
        /// - Throws: `E2BIG` for more entries than the kernel takes, `EINVAL` for answers that it can't stand by, or
        ///   other ones than before after the first run.
        public func setCPUID(_ entries: [CPUIDEntry]) throws(SystemError) {
            var list = ListBuffer(head: 8, entries)
            list.length = UInt32(entries.count)
            if case .failure(let error) = list.control(descriptor, .setCPUID2) {
                throw SystemError(text("KVM_SET_CPUID2"), error)
            }
        }

        /// Injects an interrupt, in a machine without controllers in the kernel, when ``isReadyForInterrupt``;
        /// `KVM_INTERRUPT`.
        ///
        /// - Throws: `ENXIO` where the kernel has the controllers, `EEXIST` when one is on its way.
        public func inject(interrupt vector: UInt8) throws(SystemError) {
            var request = kvm_interrupt()
            request.irq = UInt32(vector)
            try descriptor.control(.interrupt, from: request, text("KVM_INTERRUPT \(vector)"))
        }

        /// Injects a non-maskable interrupt; `KVM_NMI`.
        public func injectNMI() throws(SystemError) {
            try descriptor.control(.injectNMI, text("KVM_NMI"))
        }

        /// Where a linear address leads; nil where it is not mapped; `KVM_TRANSLATE`.
        public func translate(_ address: UInt64) throws(SystemError) -> UInt64? {
            var request = kvm_translation()
            request.linear_address = address
            try descriptor.control(.translate, with: &request, text("KVM_TRANSLATE"))
            return request.valid != 0 ? request.physical_address : nil
        }

        /// The rate of the guest's time-stamp counter, in kHz; `KVM_GET_TSC_KHZ`.
        ///
        /// - Throws: `EIO` where the host's own counter is not stable.
        public func tscKHz() throws(SystemError) -> UInt32 {
            UInt32(try descriptor.control(.getTSCKHz, text("KVM_GET_TSC_KHZ")))
        }

        /// `KVM_SET_TSC_KHZ`; `KVM_CAP_TSC_CONTROL`.
        ///
        /// - Throws: `EINVAL` for a rate that the processor can't scale to.
        public func setTSCKHz(_ rate: UInt32) throws(SystemError) {
            try descriptor.control(.setTSCKHz, number: UInt(rate), text("KVM_SET_TSC_KHZ \(rate)"))
        }

        /// Tells the guest's clock that it was stopped, so that its watchdogs keep still; after a pause, before the next
        /// run; `KVM_KVMCLOCK_CTRL`.
        ///
        /// - Throws: `EINVAL` when the guest does not use the clock.
        public func notifyPaused() throws(SystemError) {
            try descriptor.control(.clockControl, text("KVM_KVMCLOCK_CTRL"))
        }
    }
#endif
