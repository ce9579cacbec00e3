import CKVM
import Linux

/// A virtual machine: memory, processors, interrupts and clocks, all of them the kernel's.
///
/// Its functions may be called from several threads. The kernel lets only the process that made a machine use it.
public struct VirtualMachine: ~Copyable, Sendable {
    /// The machine's descriptor.
    public let descriptor: Descriptor
    private let runPageSize: Int
    let slots = SlotBook()

    init(owning descriptor: consuming Descriptor, runPageSize: Int) {
        self.descriptor = descriptor
        self.runPageSize = runPageSize
    }

    /// What `KVM_CHECK_EXTENSION` answers for this machine, which may differ from ``Hypervisor/value(of:)``.
    public func value(of capability: Capability) throws(SystemError) -> CInt {
        try descriptor.control(
            .checkExtension, number: UInt(bitPattern: Int(capability.rawValue)), "check \(capability)")
    }

    /// Whether the capability is there in any form; false, too, when the question fails.
    public func supports(_ capability: Capability) -> Bool {
        ((try? value(of: capability)) ?? 0) > 0
    }

    /// Switches a capability on for the machine; `KVM_ENABLE_CAP`. What the arguments mean, the kernel's documentation
    /// says for each.
    ///
    /// - Throws: `EINVAL` where it is not there, comes too late, or takes other arguments.
    public func enable(
        _ capability: Capability, _ first: UInt64 = 0, _ second: UInt64 = 0, _ third: UInt64 = 0,
        _ fourth: UInt64 = 0, flags: UInt32 = 0
    ) throws(SystemError) {
        var request = kvm_enable_cap()
        request.cap = UInt32(bitPattern: capability.rawValue)
        request.flags = flags
        request.args = (first, second, third, fourth)
        try descriptor.control(.enableCapability, from: request, "enable \(capability)")
    }

    /// A virtual processor; `KVM_CREATE_VCPU`.
    ///
    /// - Parameter id: below `KVM_CAP_MAX_VCPU_ID`; on x86 the initial APIC id.
    /// - Throws: `EEXIST` for an id in use, `EINVAL` for one that is too large or one vCPU too many.
    public func makeVCPU(_ id: UInt32) throws(SystemError) -> VCPU {
        let made = Descriptor(owning: try descriptor.control(.createVCPU, number: UInt(id), "make vCPU \(id)"))
        #if arch(x86_64)
            // 0 where the kernel does not know the question; the area is a page then.
            let extended = max(4096, Int((try? value(of: .xsave2)) ?? 0))
        #else
            let extended = 0
        #endif
        return try VCPU(id: id, owning: made, runPageSize: runPageSize, extendedStateSize: extended)
    }

    /// Which vCPU begins to run; the others wait for it. 0 when not called; to be called before the first vCPU is made;
    /// `KVM_SET_BOOT_CPU_ID`.
    public func setBootVCPU(_ id: UInt32) throws(SystemError) {
        try descriptor.control(.setBootCPU, number: UInt(id), "KVM_SET_BOOT_CPU_ID \(id)")
    }
}
