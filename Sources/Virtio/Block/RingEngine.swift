import CGuestMemory
import CVirtio
import Linux

/// Leaves requests to the kernel and hears of their ends; `io_uring(7)`.
///
/// The two rings are shared with the kernel: indices are read with acquire and written with release order.
@safe
final class RingEngine: BlockEngine {
    let ring: Descriptor
    private let mapping: UnsafeMutableRawPointer
    private let mappingSize: Int
    private let entries: UnsafeMutablePointer<io_uring_sqe>
    private let entriesSize: Int
    private let parameters: io_uring_params
    private let submissionMask: UInt32
    private let completionMask: UInt32
    @safe @exclusivity(unchecked) private var tail: UInt32 = 0
    @safe @exclusivity(unchecked) private var uncommitted: UInt32 = 0
    @safe @exclusivity(unchecked) private(set) var inFlight = 0
    /// Requests that the kernel does not take at all.
    @safe @exclusivity(unchecked) private var refused: [Int] = []

    /// - Parameter capacity: the most requests under way.
    /// - Throws: `ENOSYS`, `EINVAL` before Linux 5.10, or `EPERM` where the administrator forbids it (`kernel.io_uring_disabled`); `EOPNOTSUPP`
    ///   where the kernel is too old for what is used here.
    init(capacity: Int) throws(SystemError) {
        var parameters = io_uring_params()
        // Disabled at first: until then it can be told what it may be used for.
        parameters.flags = UInt32(IORING_SETUP_CLAMP) | UInt32(IORING_SETUP_R_DISABLED)
        let wanted = UInt32(clamping: max(8, capacity))
        let ring = Descriptor(
            owning: try systemCall("io_uring_setup") { unsafe bh_uring_setup(wanted, &parameters) })
        var known = [UInt8](repeating: 0, count: 32)
        let number = ring.rawValue
        try systemCall("ask io_uring for its operations") { unsafe bh_uring_probe(number, &known, 32) }
        let needed = [IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_READ, IORING_OP_WRITE]
        guard needed.allSatisfy({ known[Int($0.rawValue)] == 1 }),
            parameters.features & UInt32(IORING_FEAT_SINGLE_MMAP) != 0, parameters.sq_entries >= wanted
        else { throw SystemError("use io_uring", .notSupported) }
        // What a ring does is beside a seccomp filter, and a ring can open files and make sockets: this one can't.
        let allowed = needed.map { UInt8($0.rawValue) }
        try systemCall("restrict io_uring to its operations") {
            unsafe bh_uring_restrict(number, allowed, UInt32(allowed.count))
        }
        let size = max(
            Int(parameters.sq_off.array) + 4 * Int(parameters.sq_entries),
            Int(parameters.cq_off.cqes) + MemoryLayout<io_uring_cqe>.stride * Int(parameters.cq_entries))
        let entriesSize = MemoryLayout<io_uring_sqe>.stride * Int(parameters.sq_entries)
        let mapping = try unsafe RingEngine.map(ring, size, 0)
        let entries: UnsafeMutableRawPointer
        do throws(SystemError) { unsafe entries = try RingEngine.map(ring, entriesSize, 0x1000_0000) } catch {
            unsafe munmap(mapping, size)
            throw error
        }
        unsafe self.mapping = unsafe mapping
        mappingSize = size
        unsafe self.entries = unsafe entries.assumingMemoryBound(to: io_uring_sqe.self)
        self.entriesSize = entriesSize
        unsafe submissionMask = bh_load_32(mapping + Int(parameters.sq_off.ring_mask))
        unsafe completionMask = bh_load_32(mapping + Int(parameters.cq_off.ring_mask))
        // The i-th place of the ring always holds the i-th entry.
        for index in 0..<parameters.sq_entries {
            unsafe bh_store_32(mapping + Int(parameters.sq_off.array) + 4 * Int(index), index)
        }
        self.parameters = parameters
        self.ring = ring
    }

    deinit {
        unsafe munmap(mapping, mappingSize)
        unsafe munmap(entries, entriesSize)
    }

    @unsafe
    private static func map(
        _ ring: borrowing Descriptor, _ size: Int, _ offset: Int
    ) throws(SystemError) -> UnsafeMutableRawPointer {
        let base = unsafe mmap(
            nil, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.rawValue, off_t(offset))
        guard let base = unsafe base, UInt(bitPattern: base) != .max else {
            throw SystemError("map the io_uring", .current)
        }
        return unsafe base
    }

    func submit(_ request: BlockRequest, _ file: CInt) -> BlockOutcome? {
        if uncommitted == parameters.sq_entries { commit() }
        let entry = unsafe entries + Int(tail & submissionMask)
        let data = UInt64(request.slot)
        switch request.kind {
        case .flush:
            unsafe bh_uring_prepare(
                entry, UInt8(IORING_OP_FSYNC.rawValue), file, nil, 0, 0, UInt32(IORING_FSYNC_DATASYNC), data)
        case .read where request.vectors.count == 1:
            let vector = unsafe request.vectors.start[0]
            unsafe bh_uring_prepare(
                entry, UInt8(IORING_OP_READ.rawValue), file, vector.iov_base, UInt32(clamping: vector.iov_len),
                request.offset, 0, data)
        case .write where request.vectors.count == 1:
            let vector = unsafe request.vectors.start[0]
            unsafe bh_uring_prepare(
                entry, UInt8(IORING_OP_WRITE.rawValue), file, vector.iov_base, UInt32(clamping: vector.iov_len),
                request.offset, request.isDurable ? UInt32(BH_RWF_DSYNC) : 0, data)
        case .read, .write:
            let operation = request.kind == .read ? IORING_OP_READV : IORING_OP_WRITEV
            unsafe bh_uring_prepare(
                entry, UInt8(operation.rawValue), file, request.vectors.start,
                UInt32(request.vectors.callCount), request.offset,
                request.isDurable && request.kind == .write ? UInt32(BH_RWF_DSYNC) : 0, data)
        }
        tail &+= 1
        uncommitted += 1
        inFlight += 1
        return nil
    }

    func commit() {
        guard uncommitted > 0 else { return }
        unsafe bh_store_release_32(mapping + Int(parameters.sq_off.tail), tail)
        while uncommitted > 0 {
            let taken = bh_uring_enter(ring.rawValue, uncommitted, 0, 0)
            if taken > 0 {
                uncommitted -= UInt32(taken)
                continue
            }
            switch taken == 0 ? .busy : Errno.current {
            case .interrupted: continue
            case .wouldBlock, .busy:
                // The kernel lacks memory, or wants completions to be taken first. The next completion brings the next
                // try; where none will come, this is it.
                if inFlight > Int(uncommitted) + refused.count { return }
                usleep(100)
            default: takeBack()
            }
        }
    }

    /// Takes back what the kernel will never take, as under a filter of system calls: it is done without the ring.
    private func takeBack() {
        while uncommitted > 0 {
            tail &-= 1
            uncommitted -= 1
            unsafe refused.append(Int(entries[Int(tail & submissionMask)].user_data))
        }
        unsafe bh_store_release_32(mapping + Int(parameters.sq_off.tail), tail)
    }

    func reap(_ body: (_ slot: Int, _ result: CInt) -> Void) {
        var head = unsafe bh_load_32(mapping + Int(parameters.cq_off.head))
        let end = unsafe bh_load_acquire_32(mapping + Int(parameters.cq_off.tail))
        let completions = unsafe (mapping + Int(parameters.cq_off.cqes)).assumingMemoryBound(to: io_uring_cqe.self)
        while head != end {
            let completion = unsafe completions + Int(head & completionMask)
            let (slot, result) = unsafe (Int(completion.pointee.user_data), completion.pointee.res)
            head &+= 1
            unsafe bh_store_release_32(mapping + Int(parameters.cq_off.head), head)
            inFlight -= 1
            body(slot, result)
        }
        commit()
        while let slot = refused.popLast() {
            inFlight -= 1
            body(slot, -EAGAIN)
        }
    }

    func wait() {
        commit()
        if refused.isEmpty, inFlight > Int(uncommitted) {
            _ = bh_uring_enter(ring.rawValue, 0, 1, UInt32(IORING_ENTER_GETEVENTS))
        }
    }

    func watch(_ host: DeviceHost, token: UInt32) throws(DeviceFault) {
        try host.watch(ring, for: .readable, token: token)
    }

    func unwatch(_ host: DeviceHost) { host.unwatch(ring) }
}
