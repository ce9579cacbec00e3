import CGuestMemory
import CLinux

/// A bounds-checked view of guest memory that lies in one piece in this process.
///
/// The guest changes these bytes at any moment: a value is loaded once and judged afterwards. The view does not keep
/// the memory mapped; who keeps a view keeps its ``GuestMemory``.
@safe
public struct GuestSlice: @unchecked Sendable {
    @usableFromInline let base: UnsafeMutableRawPointer
    /// Bytes.
    public let count: Int
    @usableFromInline let dirty: UnsafeMutablePointer<DirtyPages>

    @inlinable
    init(base: UnsafeMutableRawPointer, count: Int, dirty: UnsafeMutablePointer<DirtyPages>) {
        unsafe self.base = unsafe base
        self.count = count
        unsafe self.dirty = unsafe dirty
    }

    @inlinable
    func check(_ offset: Int, _ width: Int) throws(GuestMemoryError) {
        if offset < 0 || width < 0 || offset > count || width > count &- offset {
            throw .outOfBounds(offset: offset, count: width, size: count)
        }
    }

    /// Records that `width` bytes at `offset` were written; the caller has checked them.
    @inlinable
    func mark(_ offset: Int, _ width: Int) {
        if unsafe bh_load_32(&dirty.pointee.isTracking) != 0 {
            unsafe dirty.pointee.mark(UInt(bitPattern: base) &+ UInt(bitPattern: offset), width)
        }
    }

    /// Loads a little-endian integer in one access.
    ///
    /// - Throws: ``GuestMemoryError/outOfBounds(offset:count:size:)``.
    @inlinable
    public func load<Value: GuestInteger>(
        _ type: Value.Type = Value.self, at offset: Int
    ) throws(GuestMemoryError) -> Value {
        try check(offset, Value.bitWidth / 8)
        return unsafe Value.loadVolatile(base + offset)
    }

    /// Stores a little-endian integer in one access.
    ///
    /// - Throws: ``GuestMemoryError/outOfBounds(offset:count:size:)``.
    @inlinable
    public func store<Value: GuestInteger>(_ value: Value, at offset: Int) throws(GuestMemoryError) {
        try check(offset, Value.bitWidth / 8)
        unsafe Value.storeVolatile(value, base + offset)
        mark(offset, Value.bitWidth / 8)
    }

    /// Loads an integer; what the guest wrote before it stored this value is visible afterwards.
    ///
    /// - Throws: also ``GuestMemoryError/misaligned(offset:width:)``.
    @inlinable
    public func loadAcquire<Value: GuestInteger>(
        _ type: Value.Type = Value.self, at offset: Int
    ) throws(GuestMemoryError) -> Value {
        try checkAligned(offset, Value.bitWidth / 8)
        return unsafe Value.loadAcquire(base + offset)
    }

    /// Stores an integer; a guest that sees it sees all that was written before.
    ///
    /// - Throws: also ``GuestMemoryError/misaligned(offset:width:)``.
    @inlinable
    public func storeRelease<Value: GuestInteger>(_ value: Value, at offset: Int) throws(GuestMemoryError) {
        try checkAligned(offset, Value.bitWidth / 8)
        unsafe Value.storeRelease(value, base + offset)
        mark(offset, Value.bitWidth / 8)
    }

    @inlinable
    func checkAligned(_ offset: Int, _ width: Int) throws(GuestMemoryError) {
        try check(offset, width)
        if (UInt(bitPattern: unsafe base) &+ UInt(bitPattern: offset)) & UInt(width &- 1) != 0 {
            throw .misaligned(offset: offset, width: width)
        }
    }

    /// The part from `offset` on of `count` bytes.
    @inlinable
    public func slice(at offset: Int, count: Int) throws(GuestMemoryError) -> GuestSlice {
        try check(offset, count)
        return unsafe GuestSlice(base: base + offset, count: count, dirty: dirty)
    }

    /// Copies as many bytes as `buffer` holds out of guest memory.
    @inlinable
    public func copy(at offset: Int = 0, to buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryError) {
        try check(offset, buffer.count)
        guard let target = buffer.baseAddress else { return }
        unsafe bh_copy(target, base + offset, buffer.count)
    }

    /// Copies all of `bytes` into guest memory.
    @inlinable
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) throws(GuestMemoryError) {
        try check(offset, bytes.count)
        guard let source = bytes.baseAddress else { return }
        unsafe bh_copy(base + offset, source, bytes.count)
        mark(offset, bytes.count)
    }

    /// Copies all of `bytes` into guest memory.
    public func write(_ bytes: [UInt8], at offset: Int = 0) throws(GuestMemoryError) {
        try check(offset, bytes.count)
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe bh_copy(base + offset, start, source.count) }
        }
        mark(offset, bytes.count)
    }

    /// A copy of `count` bytes.
    public func bytes(at offset: Int = 0, count: Int) throws(GuestMemoryError) -> [UInt8] {
        try check(offset, count)
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let start = buffer.baseAddress { unsafe bh_copy(start, base + offset, count) }
            initialized = count
        }
    }

    /// Sets `count` bytes to one value.
    public func fill(_ byte: UInt8, at offset: Int = 0, count: Int) throws(GuestMemoryError) {
        try check(offset, count)
        unsafe bh_fill(base + offset, CInt(byte), count)
        mark(offset, count)
    }

    /// The whole slice as one element of a `readv(2)` or `writev(2)`.
    ///
    /// After the kernel wrote into it, call ``markWritten(count:)``: it does not know of dirty pages.
    @inlinable @unsafe
    public var vector: iovec { unsafe iovec(iov_base: base, iov_len: count) }

    /// Records that the kernel wrote the slice's first `count` bytes; more than the slice has counts as all of it.
    @inlinable
    public func markWritten(count: Int) { mark(0, Swift.max(0, Swift.min(count, self.count))) }
}
