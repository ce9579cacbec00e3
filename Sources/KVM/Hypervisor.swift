import CKVM
import Linux

/// The kernel's hypervisor, `/dev/kvm`: what it can do, and where virtual machines are made.
///
/// ```swift
/// import KVM
///
/// let hypervisor = try Hypervisor()
/// let machine = try hypervisor.makeMachine()
/// var vcpu = try machine.makeVCPU(0)
/// ```
///
/// The interface is described in the kernel's `Documentation/virt/kvm/api.rst`.
public struct Hypervisor: ~Copyable, Sendable {
    /// The open `/dev/kvm`.
    public let descriptor: Descriptor
    /// Bytes of a vCPU's run page and what lies behind it; `KVM_GET_VCPU_MMAP_SIZE`.
    let runPageSize: Int

    /// The one version there is, since 2007.
    static let version: CInt = 12

    /// Opens the device.
    ///
    /// - Throws: `ENOENT` where KVM is not there, `EACCES` where the user may not use it; the hint says what to do.
    public init(_ path: String = "/dev/kvm") throws(SystemError) {
        let opened: Descriptor
        do throws(SystemError) { opened = try Descriptor.open(path, [.readWrite]) } catch {
            throw SystemError(error.operation, error.errno, hint: Self.hint(error.errno))
        }
        try self.init(owning: opened)
    }

    /// Takes over a `/dev/kvm` that somebody else opened, as for a process that can't see the device.
    ///
    /// - Throws: `ENOTTY` when it is another file, `EINVAL` when it speaks another version than 12.
    public init(owning device: consuming Descriptor) throws(SystemError) {
        let version = try device.control(.getAPIVersion, "KVM_GET_API_VERSION")
        guard version == Self.version else {
            throw SystemError("KVM_GET_API_VERSION", .invalidArgument, hint: "version \(version), not 12")
        }
        let size = Int(try device.control(.getRunPageSize, "KVM_GET_VCPU_MMAP_SIZE"))
        guard size >= MemoryLayout<kvm_run>.size else {
            throw SystemError("KVM_GET_VCPU_MMAP_SIZE", .invalidArgument, hint: "\(size) bytes are too few")
        }
        runPageSize = size
        descriptor = device
    }

    private static func hint(_ errno: Errno) -> String? {
        switch errno {
        case .noSuchFileOrDirectory, .noSuchDevice:
            "no KVM here: load kvm_intel or kvm_amd, and enable virtualization in the firmware or, in a virtual "
                + "machine, in its host"
        case .permissionDenied: "join the group that owns it, most often kvm"
        default: nil
        }
    }

    /// What `KVM_CHECK_EXTENSION` answers: 0 for what is not there; for the rest 1, a number or flags.
    public func value(of capability: Capability) throws(SystemError) -> CInt {
        try descriptor.control(
            .checkExtension, number: UInt(bitPattern: Int(capability.rawValue)), "check \(capability)")
    }

    /// Whether the capability is there in any form; false, too, when the question fails.
    public func supports(_ capability: Capability) -> Bool {
        ((try? value(of: capability)) ?? 0) > 0
    }

    /// A virtual machine without memory, processors and devices; `KVM_CREATE_VM`. It ends when it and all its vCPUs do.
    ///
    /// - Throws: `ENOMEM`, or `EINVAL` for a type that this host lacks.
    public func makeMachine(type: MachineType = .standard) throws(SystemError) -> VirtualMachine {
        let made = Descriptor(
            owning: try descriptor.control(.createVM, number: UInt(type.rawValue), "KVM_CREATE_VM"))
        return VirtualMachine(owning: made, runPageSize: runPageSize)
    }
}

/// What kind of machine `KVM_CREATE_VM` makes.
public struct MachineType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// An ordinary one: on arm64 with 40 bits of physical address.
    public static let standard = MachineType(rawValue: 0)

    #if arch(x86_64)
        /// One whose memory is private to it and backed by guest_memfd, without hardware to enforce that: for tests;
        /// `KVM_X86_SW_PROTECTED_VM`.
        public static let softwareProtected = MachineType(rawValue: 1)
    #elseif arch(arm64)
        /// One with so many bits of physical address, 32 to what `KVM_CAP_ARM_VM_IPA_SIZE` says.
        public static func physicalAddressBits(_ bits: UInt8) -> MachineType { MachineType(rawValue: UInt64(bits)) }
    #endif
}
