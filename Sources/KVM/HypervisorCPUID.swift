#if arch(x86_64)
    import CKVM
    import Linux

    extension Hypervisor {
        /// What CPUID can say to a guest on this host; `KVM_GET_SUPPORTED_CPUID`. Some leaves describe the processor that
        /// asks, such as its APIC id, and are to be filled in for each vCPU.
        public func supportedCPUID() throws(SystemError) -> [CPUIDEntry] {
            try CPUIDEntry.list("KVM_GET_SUPPORTED_CPUID", descriptor, .getSupportedCPUID)
        }

        /// What KVM emulates though the processor lacks it, slowly; `KVM_GET_EMULATED_CPUID`.
        public func emulatedCPUID() throws(SystemError) -> [CPUIDEntry] {
            try CPUIDEntry.list("KVM_GET_EMULATED_CPUID", descriptor, .getEmulatedCPUID)
        }

        /// The model-specific registers that make up a guest's state: those to save; `KVM_GET_MSR_INDEX_LIST`.
        public func savedMSRs() throws(SystemError) -> [UInt32] {
            try indices("KVM_GET_MSR_INDEX_LIST", .getMSRIndexList)
        }

        /// The registers that describe features of the processor; `KVM_GET_MSR_FEATURE_INDEX_LIST`.
        public func featureMSRs() throws(SystemError) -> [UInt32] {
            try indices("KVM_GET_MSR_FEATURE_INDEX_LIST", .getMSRFeatureIndexList)
        }

        /// What the host offers in these registers, of ``featureMSRs()``; `KVM_GET_MSRS` on the device.
        ///
        /// - Throws: `EINVAL`, with the register's number, for one that is not among them.
        public func values(ofFeatureMSRs indices: [UInt32]) throws(SystemError) -> [MSR] {
            try MSR.read(indices, from: descriptor)
        }

        private func indices(_ operation: String, _ request: Request) throws(SystemError) -> [UInt32] {
            var room = 512
            while true {
                var list = ListBuffer<UInt32>(head: 4, count: room)
                list.length = UInt32(room)
                switch list.control(descriptor, request) {
                case .success: return list.elements(Int(list.length))
                case .failure(.argumentListTooLong) where Int(list.length) > room: room = Int(list.length)
                case .failure(let error): throw SystemError(operation, error)
                }
            }
        }
    }
#endif
