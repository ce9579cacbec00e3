import CGuestMemory
import Linux
import Synchronization

/// A guest's physical memory: sorted regions that do not overlap.
///
/// A region that is there stays as it is, and more may come behind the last (``append(_:_:)``), so vCPU threads and
/// device loops share it without a lock. The bytes
/// belong to the guest, which writes them at any moment: they are reached only through ``GuestSlice`` and the functions
/// below, never through a Swift reference.
@safe
public final class GuestMemory: @unchecked Sendable {
    /// What a look-up needs of a region, in one cache line.
    @usableFromInline
    @safe
    struct Entry {
        @usableFromInline let start: UInt64
        @usableFromInline let size: UInt64
        @usableFromInline let base: UnsafeMutableRawPointer
        @usableFromInline let dirty: UnsafeMutablePointer<DirtyPages>
        @usableFromInline let blocks: UnsafeMutablePointer<PluggedBlocks>?

        init(_ region: borrowing GuestRegion) {
            start = region.start.rawValue
            size = region.size
            unsafe base = unsafe region.hostAddress
            unsafe dirty = unsafe region.dirty
            unsafe blocks = unsafe region.blocks
        }
    }

    /// How many regions there are: the last thing that is written of a new one.
    @usableFromInline let published: UnsafeMutablePointer<UInt64>
    @usableFromInline let entries: UnsafeMutablePointer<Entry>
    private let regions: UnsafeMutablePointer<GuestRegion>
    private let capacity: Int
    /// Whether writes are recorded; held while that or the number of regions changes.
    private let isTracking = Mutex(false)

    /// How many regions there are.
    @inlinable
    public var regionCount: Int { unsafe Int(bh_load_acquire_64(published)) }

    /// Maps every region of a plan, in the order of their addresses.
    ///
    /// - Parameters:
    ///   - plan: regions that do not overlap.
    ///   - spare: how many more may come; ``append(_:_:)``.
    /// - Throws: ``GuestMemoryError/overlap(_:)``, and what ``GuestRegion/init(_:)`` throws; nothing stays mapped then.
    public init(_ plan: [GuestRegion.Plan], spare: Int = 0) throws(GuestMemoryError) {
        let sorted = plan.sorted { $0.start < $1.start }
        for (index, region) in sorted.enumerated() {
            guard let end = region.end else { throw .badRegion(region.start, size: region.size) }
            if index + 1 < sorted.count, sorted[index + 1].start < end { throw .overlap(sorted[index + 1].start) }
        }
        capacity = sorted.count + spare
        let regions = UnsafeMutablePointer<GuestRegion>.allocate(capacity: capacity)
        var made = 0
        do throws(GuestMemoryError) {
            for region in sorted {
                unsafe (regions + made).initialize(to: try GuestRegion(region))
                made += 1
            }
        } catch {
            unsafe regions.deinitialize(count: made)
            unsafe regions.deallocate()
            throw error
        }
        unsafe self.regions = unsafe regions
        unsafe entries = .allocate(capacity: capacity)
        for index in 0..<made { unsafe (entries + index).initialize(to: Entry(regions[index])) }
        unsafe published = .allocate(capacity: 1)
        unsafe published.initialize(to: UInt64(made))
    }

    /// Adds a region behind the last, while the others are in use. Who looks for it before it is there finds nothing.
    ///
    /// - Parameters:
    ///   - plan: a region behind the last.
    ///   - prepare: what has to be done before devices may reach the region, such as showing it to the hypervisor; with the
    ///     region and its number.
    /// - Throws: ``GuestMemoryError/overlap(_:)`` for one that does not begin behind the last, what `prepare` throws as
    ///   ``GuestMemoryError/refused(_:)``, and what ``GuestRegion/init(_:)`` throws; all is as it was then.
    /// - Precondition: fewer were added than the memory was made for.
    public func append(
        _ plan: GuestRegion.Plan, _ prepare: (borrowing GuestRegion, Int) throws(SystemError) -> Void
    ) throws(GuestMemoryError) {
        try isTracking.withLock { (isTracking) throws(GuestMemoryError) in
            let count = regionCount
            precondition(count < capacity, "the memory was made for \(capacity) regions")
            if count > 0 {
                let last = unsafe entries[count - 1]
                guard plan.start.rawValue >= last.start + last.size else { throw .overlap(plan.start) }
            }
            let region = try GuestRegion(plan)
            unsafe region.dirty.pointee.isTracking = isTracking ? 1 : 0
            do throws(SystemError) { try prepare(region, count) } catch { throw .refused(error) }
            unsafe (entries + count).initialize(to: Entry(region))
            unsafe (regions + count).initialize(to: region)
            unsafe bh_store_release_64(published, UInt64(count + 1))
        }
    }

    /// One anonymous region of `size` bytes from address 0.
    public convenience init(size: UInt64) throws(GuestMemoryError) {
        try self.init([GuestRegion.Plan(start: GuestAddress(0), size: size)])
    }

    deinit {
        unsafe regions.deinitialize(count: regionCount)
        unsafe regions.deallocate()
        unsafe entries.deallocate()
        unsafe published.deallocate()
    }

    /// Lends one region, in the order of their addresses.
    ///
    /// - Precondition: `index` is below ``regionCount``.
    public func withRegion<Result, Failure: Error>(
        _ index: Int, _ body: (borrowing GuestRegion) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(index >= 0 && index < regionCount, "there are \(regionCount) regions")
        return try unsafe body(regions[index])
    }

    /// Whether other processes can map all of it; ``GuestRegion/Backing/shared``.
    public var isShared: Bool { (0..<regionCount).allSatisfy { withRegion($0) { $0.rawDescriptor != nil } } }

    /// The bytes of all regions together.
    public var size: UInt64 { (0..<regionCount).reduce(0) { unsafe $0 + entries[$1].size } }

    /// The region that holds an address.
    @inlinable
    func entry(_ address: GuestAddress) -> Int? {
        // A guest has two or three regions; a search by halves would cost more than it saves.
        for index in 0..<regionCount {
            let offset = unsafe address.rawValue &- entries[index].start
            if unsafe offset < entries[index].size { return index }
        }
        return nil
    }

    /// How many bytes there are from `offset` of a region on, `limit` at the most; nil where there is none.
    @inlinable
    func room(_ index: Int, _ offset: UInt64, _ limit: UInt64) -> UInt64? {
        let room = unsafe Swift.min(limit, entries[index].size &- offset)
        guard let blocks = unsafe entries[index].blocks else { return room }
        return unsafe blocks.pointee.room(offset, room)
    }

    /// A view of bytes that lie in one region.
    ///
    /// - Throws: ``GuestMemoryError/outsideMemory(_:count:)`` where they do not.
    @inlinable
    public func slice(_ address: GuestAddress, count: Int) throws(GuestMemoryError) -> GuestSlice {
        let slice = try firstSlice(address, count: count)
        if slice.count != count {
            throw .outsideMemory(address, count: UInt64(bitPattern: Int64(count)))
        }
        return slice
    }

    /// A view of the bytes from `address` on that lie in its region, `count` at the most: a buffer that spans two
    /// regions is two slices.
    ///
    /// - Throws: ``GuestMemoryError/outsideMemory(_:count:)`` where no region holds the address.
    @inlinable
    public func firstSlice(_ address: GuestAddress, count: Int) throws(GuestMemoryError) -> GuestSlice {
        guard count >= 0, let index = entry(address) else {
            throw .outsideMemory(address, count: UInt64(bitPattern: Int64(count)))
        }
        let offset = unsafe address.rawValue &- entries[index].start
        guard let room = room(index, offset, UInt64(count)) else {
            throw .outsideMemory(address, count: UInt64(count))
        }
        return unsafe GuestSlice(base: entries[index].base + Int(offset), count: Int(room), dirty: entries[index].dirty)
    }

    /// Hands the pieces of a buffer to `body`, one for each region it touches.
    ///
    /// - Throws: ``GuestMemoryError/outsideMemory(_:count:)`` before the first call where a part is not guest memory.
    public func forEachSlice(
        _ address: GuestAddress, count: Int, _ body: (GuestSlice) throws(GuestMemoryError) -> Void
    ) throws(GuestMemoryError) {
        try walk(address, count) { (_: GuestSlice) throws(GuestMemoryError) in }
        try walk(address, count, body)
    }

    private func walk(
        _ address: GuestAddress, _ count: Int, _ body: (GuestSlice) throws(GuestMemoryError) -> Void
    ) throws(GuestMemoryError) {
        var (address, left) = (address, count)
        while left > 0 {
            let slice = try firstSlice(address, count: left)
            try body(slice)
            left -= slice.count
            guard left > 0 else { return }
            guard let next = address.advanced(by: UInt64(slice.count)) else {
                throw .outsideMemory(address, count: UInt64(left))
            }
            address = next
        }
    }

    /// Loads a little-endian integer in one access.
    @inlinable
    public func load<Value: GuestInteger>(
        _ type: Value.Type = Value.self, at address: GuestAddress
    ) throws(GuestMemoryError) -> Value {
        try slice(address, count: Value.bitWidth / 8).load(type, at: 0)
    }

    /// Stores a little-endian integer in one access.
    @inlinable
    public func store<Value: GuestInteger>(_ value: Value, at address: GuestAddress) throws(GuestMemoryError) {
        try slice(address, count: Value.bitWidth / 8).store(value, at: 0)
    }

    /// Copies bytes into the guest, across regions where they adjoin.
    public func write(_ bytes: UnsafeRawBufferPointer, at address: GuestAddress) throws(GuestMemoryError) {
        var done = 0
        try forEachSlice(address, count: bytes.count) { slice throws(GuestMemoryError) in
            try unsafe slice.write(UnsafeRawBufferPointer(rebasing: bytes[done..<done + slice.count]))
            done += slice.count
        }
    }

    /// Copies bytes into the guest, across regions where they adjoin.
    public func write(_ bytes: [UInt8], at address: GuestAddress) throws(GuestMemoryError) {
        var done = 0
        try forEachSlice(address, count: bytes.count) { slice throws(GuestMemoryError) in
            try slice.write(Array(bytes[done..<done + slice.count]))
            done += slice.count
        }
    }

    /// A copy of guest bytes, across regions where they adjoin.
    public func bytes(at address: GuestAddress, count: Int) throws(GuestMemoryError) -> [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(Swift.max(0, Swift.min(count, 1 << 20)))
        try forEachSlice(address, count: count) { slice throws(GuestMemoryError) in
            all += try slice.bytes(count: slice.count)
        }
        return all
    }

    /// Gives whole pages back to the host, as a balloon does: only the pages that lie completely inside.
    ///
    /// What the guest reads there afterwards is zero, except in a private mapping of a file, where it is the file's, and in
    /// huge pages that are reserved, which stay as they are.
    ///
    /// - Throws: ``GuestMemoryError/outsideMemory(_:count:)``; ``GuestMemoryError/refused(_:)``, as `EINVAL` for a part
    ///   of a huge page.
    public func discard(_ address: GuestAddress, count: UInt64) throws(GuestMemoryError) {
        guard let end = address.advanced(by: count), count <= UInt64(Int.max) else {
            throw .outsideMemory(address, count: count)
        }
        var position = address.rawValue
        while position < end.rawValue {
            guard let index = entry(GuestAddress(position)),
                let room = unsafe room(index, position - entries[index].start, end.rawValue - position)
            else { throw .outsideMemory(GuestAddress(position), count: end.rawValue - position) }
            let start = unsafe entries[index].start
            let stop = position + room
            let first = (position + 4095) & ~4095
            let last = stop & ~4095
            if first < last {
                do throws(SystemError) { try unsafe regions[index].discard(first - start, last - first) } catch {
                    throw .refused(error)
                }
                // Zeros are new contents too, of which the hypervisor's own record knows nothing.
                try firstSlice(GuestAddress(first), count: Int(last - first)).markWritten(count: Int(last - first))
            }
            position = stop
        }
    }
}

extension GuestMemory {
    /// Gives the whole pages inside a view of this memory back to the host; ``discard(_:count:)``.
    public func discard(_ slice: GuestSlice) throws(GuestMemoryError) {
        for index in 0..<regionCount {
            let offset = unsafe UInt64(UInt(bitPattern: slice.base) &- UInt(bitPattern: entries[index].base))
            if unsafe offset < entries[index].size {
                return try unsafe discard(
                    GuestAddress(entries[index].start + offset), count: UInt64(slice.count))
            }
        }
    }
}

// MARK: - Blocks

extension GuestMemory {
    /// Lets devices reach blocks of a region that is made of them; ``GuestRegion/Plan/blockSize``. What is in them is what
    /// was left there, or zero.
    ///
    /// - Parameters:
    ///   - blocks: counted in blocks of the region.
    ///   - index: the region's.
    public func plug(_ blocks: Range<Int>, region index: Int) { withBlocks(index) { $0.set(blocks, true) } }

    /// Takes blocks away again, and gives their pages back to the host. A view of them that was handed out before stays
    /// one of mapped memory: what is written by it is seen by nobody, and takes room until the block comes and goes again.
    ///
    /// - Throws: where the host does not take the pages back; the blocks are gone nevertheless.
    public func unplug(_ blocks: Range<Int>, region index: Int) throws(SystemError) {
        guard !blocks.isEmpty else { return }
        var shift: UInt64 = 0
        withBlocks(index) {
            $0.set(blocks, false)
            shift = $0.shift
        }
        let (first, count) = (UInt64(blocks.lowerBound) << shift, UInt64(blocks.count) << shift)
        // What comes back with the block is new to a record of writes: zeros, or where the host kept the pages, all of them.
        unsafe GuestSlice(base: entries[index].base + Int(first), count: Int(count), dirty: entries[index].dirty)
            .markWritten(count: Int(count))
        try unsafe regions[index].discard(first, count)
    }

    /// Which bytes of a region are there, by their offsets: the blocks that are plugged, or all of it.
    public func usableRanges(region index: Int) -> [Range<UInt64>] {
        precondition(index >= 0 && index < regionCount, "there are \(regionCount) regions")
        guard let blocks = unsafe entries[index].blocks else { return unsafe [0..<entries[index].size] }
        return unsafe blocks.pointee.ranges
    }

    private func withBlocks(_ index: Int, _ body: (PluggedBlocks) -> Void) {
        precondition(index >= 0 && index < regionCount, "there are \(regionCount) regions")
        guard let blocks = unsafe entries[index].blocks else { preconditionFailure("the region is not made of blocks") }
        unsafe body(blocks.pointee)
    }
}

// MARK: - Dirty pages

extension GuestMemory {
    /// Starts to record which pages are written through this object: by devices, not by the guest's processors, whose
    /// writes the hypervisor records.
    public func startDirtyTracking() { setTracking(1) }

    /// Stops recording; what was recorded stays until it is taken.
    public func stopDirtyTracking() { setTracking(0) }

    private func setTracking(_ value: UInt32) {
        isTracking.withLock { isTracking in
            isTracking = value != 0
            for index in 0..<regionCount {
                unsafe bh_store_release_32(&entries[index].dirty.pointee.isTracking, value)
            }
        }
    }

    /// The pages of one region written since the last call, a bit for each 4 KiB page, lowest address in the lowest
    /// bit; the record is empty afterwards.
    public func takeDirtyPages(region index: Int) -> [UInt64] {
        precondition(index >= 0 && index < regionCount, "there are \(regionCount) regions")
        return unsafe entries[index].dirty.pointee.take()
    }
}
