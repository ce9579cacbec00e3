#if arch(x86_64)
    import KVM
    import Linux
    import Virtio

    /// What a virtual machine has besides memory and processors, in KVM: interrupt controllers, timer, clock.
    struct ChipState: Sendable {
        private static let version: UInt32 = 0x4348_0001

        private var firstPIC = PICState()
        private var secondPIC = PICState()
        private var ioapic = IOAPICState()
        private var pit = PITState()
        /// Nanoseconds of the guest's own clock.
        private var clock: UInt64 = 0
        /// Nanoseconds since 1970 on the host, when that was read.
        private var realTime: UInt64 = 0

        init(of vm: borrowing VirtualMachine) throws(SystemError) {
            firstPIC = try vm.pic(.firstPIC)
            secondPIC = try vm.pic(.secondPIC)
            ioapic = try vm.ioapic()
            pit = try vm.pit()
            clock = try vm.clock().nanoseconds
            realTime = realTimeNanoseconds()
        }

        /// To be done behind the processors: their registers say where the guest has its clock.
        ///
        /// - Parameter advancesClock: whether the guest's clock goes on by the time since it was saved, and not from
        ///   there. KVM could do it itself on some hosts; the difference of the host's own clocks does it on all.
        func restore(to vm: borrowing VirtualMachine, advancesClock: Bool) throws(SystemError) {
            try vm.setPIT(pit)
            let now = realTimeNanoseconds()
            let passed = advancesClock && now > realTime ? now - realTime : 0
            try vm.setClock(ClockData(nanoseconds: clock &+ passed))
            try vm.setPIC(.firstPIC, firstPIC)
            try vm.setPIC(.secondPIC, secondPIC)
            try vm.setIOAPIC(ioapic)
        }

        func encoded() -> [UInt8] {
            var encoder = StateEncoder(version: Self.version)
            encoder.write(raw: firstPIC)
            encoder.write(raw: secondPIC)
            encoder.write(raw: ioapic)
            encoder.write(raw: pit)
            encoder.write(clock)
            encoder.write(realTime)
            return encoder.bytes
        }

        init(decoding bytes: [UInt8]) throws(StateError) {
            var decoder = try StateDecoder(bytes, version: Self.version)
            firstPIC = try decoder.read(raw: firstPIC)
            secondPIC = try decoder.read(raw: secondPIC)
            ioapic = try decoder.read(raw: ioapic)
            pit = try decoder.read(raw: pit)
            clock = try decoder.read()
            realTime = try decoder.read()
            try decoder.finish()
        }
    }
#endif
