#if arch(arm64)
    import Linux

    /// The interrupt controller of current processors, in the kernel;
    /// `Documentation/virt/kvm/devices/arm-vgic-v3.rst`.
    ///
    /// It is made before the vCPUs run, and initialised after all of them were made.
    public struct GICv3: ~Copyable, Sendable {
        /// For what has no function here, such as saving its state.
        public let device: KernelDevice

        /// Bytes of the distributor's registers.
        public static let distributorSize: UInt64 = 0x1_0000
        /// Bytes of each vCPU's redistributor.
        public static let redistributorSize: UInt64 = 0x2_0000

        private enum Group {
            static let addresses: UInt32 = 0
            static let interruptCount: UInt32 = 3
            static let control: UInt32 = 4
        }

        /// - Parameters:
        ///   - distributor: where its registers are; a multiple of 64 KiB.
        ///   - redistributors: where those of the vCPUs begin, one after the other; a multiple of 64 KiB.
        ///   - count: of vCPUs that there is room for.
        ///   - interrupts: a multiple of 32 from 64 to 1024, of which 32 are each vCPU's own.
        /// - Throws: `ENODEV` where the host has none, `EINVAL` for what is not aligned, `E2BIG` for what lies beyond the
        ///   machine's addresses.
        public init(
            _ machine: borrowing VirtualMachine, distributor: UInt64, redistributors: UInt64, count: UInt16,
            interrupts: UInt32
        ) throws(SystemError) {
            let made = try machine.makeDevice(.gicV3)
            try made.set(.init(group: Group.interruptCount, 0), to: interrupts)
            // KVM_VGIC_V3_ADDR_TYPE_DIST and _REDIST_REGION. A region is its number of vCPUs in bits 52 to 63, its
            // address, and its index, 0.
            try made.set(.init(group: Group.addresses, 2), to: distributor)
            let region = UInt64(count) << 52 | redistributors & 0x000f_ffff_ffff_0000
            try made.set(.init(group: Group.addresses, 5), to: region)
            device = made
        }

        /// Begins its work; `KVM_DEV_ARM_VGIC_CTRL_INIT`.
        public func initialize() throws(SystemError) {
            try device.perform(.init(group: Group.control, 0))
        }
    }

    /// The interrupt translation service, by which devices' messages become interrupts;
    /// `Documentation/virt/kvm/devices/arm-vgic-its.rst`.
    public struct GICTranslationService: ~Copyable, Sendable {
        public let device: KernelDevice

        /// Bytes of its registers.
        public static let size: UInt64 = 0x2_0000

        /// - Parameter address: where its registers are; a multiple of 64 KiB.
        public init(_ machine: borrowing VirtualMachine, at address: UInt64) throws(SystemError) {
            let made = try machine.makeDevice(.gicITS)
            // KVM_VGIC_ITS_ADDR_TYPE.
            try made.set(.init(group: 0, 4), to: address)
            device = made
        }

        /// Begins its work; after the controller's ``GICv3/initialize()``.
        public func initialize() throws(SystemError) {
            try device.perform(.init(group: 4, 0))
        }
    }

    /// What ``VirtualMachine/setLine(_:high:)`` takes on arm64; `KVM_ARM_IRQ_TYPE_*`.
    public enum InterruptLine {
        /// A shared interrupt, by its number from 32 on. (Eventfds and routes count these from 0.)
        public static func shared(_ number: UInt16) -> UInt32 { 1 << 24 | UInt32(number) }

        /// A vCPU's own interrupt, 16 to 31.
        public static func own(_ number: UInt16, vcpu: UInt16) -> UInt32 {
            2 << 24 | UInt32(vcpu >> 8 & 0xf) << 28 | UInt32(vcpu & 0xff) << 16 | UInt32(number)
        }
    }
#endif
