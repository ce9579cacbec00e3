import CKVM
import Linux

/// How a slot of guest memory behaves; `KVM_MEM_*`.
public struct MemoryFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Keep a log of the pages that are written; ``VirtualMachine/readDirtyLog(slot:into:)``.
    public static let logDirtyPages = MemoryFlags(rawValue: 1 << 0)
    /// The guest reads memory, and its writes come as ``Exit/memoryWrite(address:size:value:)``.
    public static let readOnly = MemoryFlags(rawValue: 1 << 1)
    /// Private pages come from a guest_memfd; Linux 6.8.
    public static let guestMemory = MemoryFlags(rawValue: 1 << 2)
}

/// How a guest_memfd behaves; `GUEST_MEMFD_FLAG_*`.
public struct GuestMemoryFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The host may map it; Linux 6.18.
    public static let mappable = GuestMemoryFlags(rawValue: 1 << 0)
    /// Its pages are shared with the host at first; Linux 6.18.
    public static let initiallyShared = GuestMemoryFlags(rawValue: 1 << 1)
}

/// What a range of guest memory is; `KVM_MEMORY_ATTRIBUTE_*`.
public struct MemoryAttributes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Only the guest may see it.
    public static let isPrivate = MemoryAttributes(rawValue: 1 << 3)
}

extension VirtualMachine {
    /// Shows host memory to the guest, or changes a slot's flags or guest address; `KVM_SET_USER_MEMORY_REGION`.
    ///
    /// The caller keeps the memory mapped until the slot is removed, or the machine and all its vCPUs have ended: what
    /// is mapped there instead would belong to the guest. Everything in it may change at any time.
    ///
    /// - Parameters:
    ///   - slot: a number of the caller's, below `KVM_CAP_NR_MEMSLOTS`.
    ///   - guestAddress: where the guest sees it; a multiple of the page size.
    ///   - memory: whole pages.
    ///   - flags: whether writes are logged, or refused.
    /// - Throws: `EEXIST` where it overlaps another slot, `EINVAL` for what is not aligned or a slot that has another
    ///   size, `EFAULT` for an address that is not the process's.
    public func setMemory(
        slot: UInt32, at guestAddress: UInt64, _ memory: UnsafeMutableRawBufferPointer, flags: MemoryFlags = []
    ) throws(SystemError) {
        try unsafe slots.set(slot, at: guestAddress, memory, flags, on: descriptor)
    }

    /// Shows memory of which the guest can keep pages to itself, those of a guest_memfd;
    /// `KVM_SET_USER_MEMORY_REGION2`, Linux 6.8, `KVM_CAP_USER_MEMORY2`.
    ///
    /// - Parameters:
    ///   - slot: a number of the caller's, below `KVM_CAP_NR_MEMSLOTS`.
    ///   - guestAddress: where the guest sees it; a multiple of the page size.
    ///   - memory: what is behind its shared pages; see ``setMemory(slot:at:_:flags:)``.
    ///   - guestMemory: what is behind its private ones; the kernel keeps it as long as the slot.
    ///   - offset: where in that the slot begins; a multiple of the page size.
    ///   - flags: beside the one for private pages.
    public func setMemory(
        slot: UInt32, at guestAddress: UInt64, _ memory: UnsafeMutableRawBufferPointer,
        guestMemory: borrowing Descriptor, offset: UInt64, flags: MemoryFlags = []
    ) throws(SystemError) {
        var region = bh_kvm_memory_region2()
        region.slot = slot
        region.flags = flags.union(.guestMemory).rawValue
        region.guest_phys_addr = guestAddress
        region.memory_size = UInt64(memory.count)
        region.userspace_addr = UInt64(UInt(bitPattern: memory.baseAddress))
        region.guest_memfd = UInt32(guestMemory.rawValue)
        region.guest_memfd_offset = offset
        let (filled, size) = (region, region.memory_size)
        let operation = SlotBook.setting(slot, guestAddress, size)
        guard size > 0 else { throw SystemError(operation, .invalidArgument) }
        try slots.change(slot, to: size, on: descriptor) { (descriptor) throws(SystemError) in
            try descriptor.control(.setMemoryRegion2, from: filled, operation)
        }
    }

    /// Takes a slot's memory from the guest. Its host memory may be unmapped afterwards.
    ///
    /// - Throws: `EINVAL` for a slot that has none.
    public func removeMemory(slot: UInt32) throws(SystemError) { try slots.remove(slot, on: descriptor) }

    /// Memory for the guest's private pages, which the host can't reach; `KVM_CREATE_GUEST_MEMFD`, Linux 6.8,
    /// `KVM_CAP_GUEST_MEMFD`.
    ///
    /// - Parameters:
    ///   - size: bytes, whole pages.
    ///   - flags: what newer kernels can do with it.
    public func makeGuestMemory(size: UInt64, flags: GuestMemoryFlags = []) throws(SystemError) -> Descriptor {
        var request = bh_kvm_create_guest_memfd()
        request.size = size
        request.flags = flags.rawValue
        return Descriptor(
            owning: try descriptor.control(.createGuestMemory, from: request, "make guest memory of \(size) bytes"))
    }

    /// Makes a range of guest addresses private or shared; `KVM_SET_MEMORY_ATTRIBUTES`, Linux 6.8,
    /// `KVM_CAP_MEMORY_ATTRIBUTES`.
    ///
    /// - Parameters:
    ///   - attributes: what the pages are from now on.
    ///   - address: a multiple of the page size.
    ///   - size: bytes, whole pages.
    public func setAttributes(
        _ attributes: MemoryAttributes, at address: UInt64, size: UInt64
    ) throws(SystemError) {
        var request = bh_kvm_memory_attributes()
        request.address = address
        request.size = size
        request.attributes = attributes.rawValue
        try descriptor.control(
            .setMemoryAttributes, from: request,
            "set attributes of \(size) bytes at 0x\(String(address, radix: 16))")
    }
}
