import CGuestMemory

/// An integer that crosses to and from guest memory in one access of its own width, little-endian.
///
/// The four unsigned widths conform; nothing else can.
public protocol GuestInteger: FixedWidthInteger, UnsignedInteger, Sendable {
    /// One volatile load, at any alignment.
    @unsafe static func loadVolatile(_ address: UnsafeRawPointer) -> Self
    /// One volatile store, at any alignment.
    @unsafe static func storeVolatile(_ value: Self, _ address: UnsafeMutableRawPointer)
    /// One atomic load with acquire order; the address is aligned.
    @unsafe static func loadAcquire(_ address: UnsafeRawPointer) -> Self
    /// One atomic store with release order; the address is aligned.
    @unsafe static func storeRelease(_ value: Self, _ address: UnsafeMutableRawPointer)
}

extension UInt8: GuestInteger {
    @inlinable @unsafe
    public static func loadVolatile(_ address: UnsafeRawPointer) -> UInt8 {
        UInt8(littleEndian: unsafe bh_load_8(address))
    }
    @inlinable @unsafe
    public static func storeVolatile(_ value: UInt8, _ address: UnsafeMutableRawPointer) {
        unsafe bh_store_8(address, value.littleEndian)
    }
    @inlinable @unsafe
    public static func loadAcquire(_ address: UnsafeRawPointer) -> UInt8 {
        UInt8(littleEndian: unsafe bh_load_acquire_8(address))
    }
    @inlinable @unsafe
    public static func storeRelease(_ value: UInt8, _ address: UnsafeMutableRawPointer) {
        unsafe bh_store_release_8(address, value.littleEndian)
    }
}

extension UInt16: GuestInteger {
    @inlinable @unsafe
    public static func loadVolatile(_ address: UnsafeRawPointer) -> UInt16 {
        UInt16(littleEndian: unsafe bh_load_16(address))
    }
    @inlinable @unsafe
    public static func storeVolatile(_ value: UInt16, _ address: UnsafeMutableRawPointer) {
        unsafe bh_store_16(address, value.littleEndian)
    }
    @inlinable @unsafe
    public static func loadAcquire(_ address: UnsafeRawPointer) -> UInt16 {
        UInt16(littleEndian: unsafe bh_load_acquire_16(address))
    }
    @inlinable @unsafe
    public static func storeRelease(_ value: UInt16, _ address: UnsafeMutableRawPointer) {
        unsafe bh_store_release_16(address, value.littleEndian)
    }
}

extension UInt32: GuestInteger {
    @inlinable @unsafe
    public static func loadVolatile(_ address: UnsafeRawPointer) -> UInt32 {
        UInt32(littleEndian: unsafe bh_load_32(address))
    }
    @inlinable @unsafe
    public static func storeVolatile(_ value: UInt32, _ address: UnsafeMutableRawPointer) {
        unsafe bh_store_32(address, value.littleEndian)
    }
    @inlinable @unsafe
    public static func loadAcquire(_ address: UnsafeRawPointer) -> UInt32 {
        UInt32(littleEndian: unsafe bh_load_acquire_32(address))
    }
    @inlinable @unsafe
    public static func storeRelease(_ value: UInt32, _ address: UnsafeMutableRawPointer) {
        unsafe bh_store_release_32(address, value.littleEndian)
    }
}

extension UInt64: GuestInteger {
    @inlinable @unsafe
    public static func loadVolatile(_ address: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: unsafe bh_load_64(address))
    }
    @inlinable @unsafe
    public static func storeVolatile(_ value: UInt64, _ address: UnsafeMutableRawPointer) {
        unsafe bh_store_64(address, value.littleEndian)
    }
    @inlinable @unsafe
    public static func loadAcquire(_ address: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: unsafe bh_load_acquire_64(address))
    }
    @inlinable @unsafe
    public static func storeRelease(_ value: UInt64, _ address: UnsafeMutableRawPointer) {
        unsafe bh_store_release_64(address, value.littleEndian)
    }
}
