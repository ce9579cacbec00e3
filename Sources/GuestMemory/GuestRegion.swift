import CGuestMemory
import CLinux
import Linux

/// One contiguous piece of guest memory, mapped into this process for as long as the value lives.
@safe
public struct GuestRegion: ~Copyable, @unchecked Sendable {
    /// What stands behind the pages.
    public enum Backing: Hashable, Sendable {
        /// Memory of this process alone.
        case anonymous
        /// A `memfd_create(2)` file that other processes can map, as a vhost-user device does, and nobody can make
        /// smaller or larger.
        case shared
        /// A file mapped from an offset; with `isPrivate` what is written stays in this process, as a guest that
        /// starts from a snapshot wants. The descriptor is needed only while the region is made.
        case file(descriptor: CInt, offset: UInt64, isPrivate: Bool)
    }

    /// The size of the pages behind a region.
    public enum PageSize: Hashable, Sendable {
        /// The machine's own pages.
        case normal
        /// The machine's own pages, which the kernel may join to huge ones; `MADV_HUGEPAGE`.
        case transparentHuge
        /// 2 MiB pages from the host's reserve; `MAP_HUGETLB`. For anonymous and shared memory. Where the plan is reserved,
        /// they are the region's from the beginning to its end: none is given back, as there might be none when it is
        /// wanted again, and the kernel's answer to that is SIGBUS.
        case huge2M

        /// Bytes of a page, as page faults know it.
        public var size: UInt64 { self == .huge2M ? 2 << 20 : 4096 }
    }

    /// A region before it is mapped.
    public struct Plan: Hashable, Sendable {
        /// Where the guest sees it: a multiple of 4096.
        public var start: GuestAddress
        /// Bytes: a multiple of 4096, or of the huge page's size.
        public var size: UInt64
        public var backing: Backing
        public var pageSize: PageSize
        /// Whether swap space is left unreserved, so that a guest may be larger than what is free; `MAP_NORESERVE`.
        public var isReserved: Bool
        /// Whether all pages are made at once instead of at their first use; `MAP_POPULATE`.
        public var isPopulated: Bool
        /// Bytes of a block, for a region of which the guest has some blocks at a time and none at first: a power of two
        /// from 4096 on; see ``GuestMemory/GuestMemory/plug(_:region:)``. nil for one that is there as a whole.
        public var blockSize: UInt64?

        public init(
            start: GuestAddress, size: UInt64, backing: Backing = .anonymous, pageSize: PageSize = .normal,
            isReserved: Bool = false, isPopulated: Bool = false, blockSize: UInt64? = nil
        ) {
            self.start = start
            self.size = size
            self.backing = backing
            self.pageSize = pageSize
            self.isReserved = isReserved
            self.isPopulated = isPopulated
            self.blockSize = blockSize
        }

        /// One past the last address; nil for a region that is not whole pages or does not fit the address space.
        var end: GuestAddress? {
            guard size > 0, size <= UInt64(Int.max), size % pageSize.size == 0, start.isAligned(to: 4096) else {
                return nil
            }
            if let blockSize {
                guard blockSize >= 4096, blockSize & (blockSize - 1) == 0, size % blockSize == 0 else { return nil }
            }
            return start.advanced(by: size)
        }
    }

    /// Where the guest sees the region.
    public let start: GuestAddress
    /// Bytes.
    public let size: UInt64
    public let backing: Backing
    public let pageSize: PageSize
    /// Whether pages that are given back stay as they are.
    private let keepsPages: Bool
    /// Where the region starts in this process: for `KVM_SET_USER_MEMORY_REGION`.
    @unsafe public let hostAddress: UnsafeMutableRawPointer
    /// The number of the file behind ``Backing/shared`` memory, still owned by this value; nil for the others.
    public let rawDescriptor: CInt?
    private let file: Descriptor?
    let dirty: UnsafeMutablePointer<DirtyPages>
    /// Those that are there, of a region that is made of blocks.
    let blocks: UnsafeMutablePointer<PluggedBlocks>?

    /// Whether the region is made of blocks that come and go.
    public var isPluggable: Bool { unsafe blocks != nil }

    /// Maps a region.
    ///
    /// - Throws: ``GuestMemoryError/badRegion(_:size:)``; `ENOMEM` from `mmap(2)` where the host refuses so much, as where
    ///   it has too few huge pages that are free.
    public init(_ plan: Plan) throws(GuestMemoryError) {
        guard plan.end != nil else { throw .badRegion(plan.start, size: plan.size) }
        let bitmapBytes = DirtyPages.wordCount(plan.size) * 8
        var flags = plan.isReserved ? 0 : MAP_NORESERVE
        if plan.isPopulated { flags |= MAP_POPULATE }
        if plan.pageSize == .huge2M { flags |= MAP_HUGETLB | CInt(BH_MAP_HUGE_2MB) }
        var file: Descriptor?
        var number: CInt?
        let base: UnsafeMutableRawPointer
        do throws(SystemError) {
            switch plan.backing {
            case .anonymous:
                let anonymous = flags | MAP_PRIVATE | MAP_ANONYMOUS
                unsafe base =
                    plan.pageSize == .transparentHuge
                    ? try mapAligned(plan, anonymous) : try map(plan.size, anonymous, -1, 0)
            case .shared:
                let memory = try GuestRegion.memoryFile(plan)
                // The size of pages is the file's here.
                let shared = flags & ~(MAP_HUGETLB | CInt(BH_MAP_HUGE_2MB)) | MAP_SHARED
                unsafe base = try map(plan.size, shared, memory.rawValue, 0)
                number = memory.rawValue
                file = consume memory
            case .file(let number, let offset, let isPrivate):
                unsafe base = try map(plan.size, flags | (isPrivate ? MAP_PRIVATE : MAP_SHARED), number, offset)
            }
        } catch {
            guard plan.pageSize == .huge2M else { throw .refused(error) }
            throw .refused(
                SystemError(
                    error.operation, error.errno,
                    hint: "the host needs as many free pages of 2 MiB: /proc/sys/vm/nr_hugepages"))
        }
        let bits: UnsafeMutableRawPointer
        do throws(SystemError) {
            unsafe bits = try map(UInt64(bitmapBytes), MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        } catch {
            unsafe _ = munmap(base, Int(plan.size))
            throw .refused(error)
        }
        if plan.pageSize == .transparentHuge { unsafe _ = madvise(base, Int(plan.size), MADV_HUGEPAGE) }
        // A core dump of the monitor is not the place for the guest's secrets, nor has it room for them.
        unsafe _ = madvise(base, Int(plan.size), MADV_DONTDUMP)
        start = plan.start
        size = plan.size
        backing = plan.backing
        pageSize = plan.pageSize
        keepsPages = plan.isReserved && plan.pageSize == .huge2M
        unsafe hostAddress = unsafe base
        rawDescriptor = number
        self.file = file
        if let blockSize = plan.blockSize {
            let made = UnsafeMutablePointer<PluggedBlocks>.allocate(capacity: 1)
            unsafe made.initialize(to: PluggedBlocks(size: plan.size, blockSize: blockSize))
            unsafe blocks = unsafe made
        } else {
            unsafe blocks = nil
        }
        unsafe dirty = .allocate(capacity: 1)
        unsafe dirty.initialize(
            to: DirtyPages(
                base: UInt(bitPattern: base), size: plan.size, bits: bits.assumingMemoryBound(to: UInt64.self)))
    }

    deinit {
        unsafe _ = munmap(hostAddress, Int(size))
        unsafe _ = munmap(dirty.pointee.bits, dirty.pointee.wordCount * 8)
        unsafe dirty.deallocate()
        if let blocks = unsafe blocks {
            unsafe blocks.pointee.bits.deallocate()
            unsafe blocks.deallocate()
        }
    }

    private static func memoryFile(_ plan: Plan) throws(SystemError) -> Descriptor {
        var flags = UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING)
        if plan.pageSize == .huge2M { flags |= UInt32(MFD_HUGETLB) | UInt32(BH_MFD_HUGE_2MB) }
        let memory = Descriptor(
            owning: try systemCall("memfd_create") { unsafe memfd_create("guest-memory", flags) })
        let number = memory.rawValue
        try systemCall("set the guest memory's size to \(plan.size)") { ftruncate(number, off_t(plan.size)) }
        // Whoever made it smaller would end this process by SIGBUS.
        try systemCall("seal the guest memory") {
            bh_fcntl(number, F_ADD_SEALS, CLong(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        }
        return memory
    }

    /// Gives pages back to the host: the guest reads zeros from anonymous and shared memory afterwards, and the file's
    /// bytes from a private mapping of a file. Huge pages that are reserved stay.
    func discard(_ offset: UInt64, _ count: UInt64) throws(SystemError) {
        // Pages of shared memory stay in the file unless they are taken out of it.
        let advice = if case .shared = backing { MADV_REMOVE } else { MADV_DONTNEED }
        if case .file(_, _, isPrivate: false) = backing { return }
        if keepsPages { return }
        try systemCall("give \(count) bytes of guest memory back") {
            unsafe madvise(hostAddress + Int(offset), Int(count), advice)
        }
    }
}

@unsafe
private func map(
    _ size: UInt64, _ flags: CInt, _ descriptor: CInt, _ offset: UInt64
) throws(SystemError) -> UnsafeMutableRawPointer {
    let base = unsafe mmap(nil, Int(size), PROT_READ | PROT_WRITE, flags, descriptor, off_t(bitPattern: offset))
    // MAP_FAILED is all ones.
    guard let base = unsafe base, UInt(bitPattern: base) != .max else {
        throw SystemError("map \(size) bytes of guest memory", .current)
    }
    return unsafe base
}

/// A mapping whose huge pages begin where the guest's do: otherwise the processor can't use them for the guest.
@unsafe
private func mapAligned(_ plan: GuestRegion.Plan, _ flags: CInt) throws(SystemError) -> UnsafeMutableRawPointer {
    let huge: UInt64 = 2 << 20
    let (room, overflow) = plan.size.addingReportingOverflow(huge)
    guard !overflow, room <= UInt64(Int.max) else {
        throw SystemError("map \(plan.size) bytes of guest memory", .noMemory)
    }
    let start = unsafe try map(room, flags, -1, 0)
    let skipped = Int((plan.start.rawValue &- UInt64(UInt(bitPattern: start))) & (huge - 1))
    let base = unsafe start + skipped
    if skipped > 0 { unsafe _ = munmap(start, skipped) }
    unsafe _ = munmap(base + Int(plan.size), Int(huge) - skipped)
    return unsafe base
}

extension off_t {
    fileprivate init(bitPattern offset: UInt64) { self = off_t(truncatingIfNeeded: offset) }
}
