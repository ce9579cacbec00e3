import GuestMemory

/// One descriptor as it was at the moment it was read; virtio 1.2, sections 2.7.5 and 2.8.
struct RingDescriptor {
    struct Flags: OptionSet {
        let rawValue: UInt16
        static let next = Flags(rawValue: 1)
        static let write = Flags(rawValue: 2)
        static let indirect = Flags(rawValue: 4)
        /// Packed rings only: toggles when the driver makes the descriptor available.
        static let available = Flags(rawValue: 1 << 7)
        /// Packed rings only: toggles when the device has used it.
        static let used = Flags(rawValue: 1 << 15)
    }

    static let size = 16

    let address: GuestAddress
    let count: UInt32
    let flags: Flags
    /// The next descriptor's number; in a packed ring the buffer's id.
    let tail: UInt16

    /// Reads a descriptor of a split ring or of its indirect tables.
    init(split table: GuestSlice, _ index: UInt16) throws(QueueError) {
        let word = try table.ringLoad(UInt64.self, Int(index) * RingDescriptor.size + 8)
        address = GuestAddress(try table.ringLoad(UInt64.self, Int(index) * RingDescriptor.size))
        count = UInt32(truncatingIfNeeded: word)
        flags = Flags(rawValue: UInt16(truncatingIfNeeded: word >> 32))
        tail = UInt16(truncatingIfNeeded: word >> 48)
    }

    /// Reads a descriptor of a packed ring or of its indirect tables, where the last two fields change places.
    init(packed table: GuestSlice, _ index: UInt16) throws(QueueError) {
        let word = try table.ringLoad(UInt64.self, Int(index) * RingDescriptor.size + 8)
        address = GuestAddress(try table.ringLoad(UInt64.self, Int(index) * RingDescriptor.size))
        count = UInt32(truncatingIfNeeded: word)
        tail = UInt16(truncatingIfNeeded: word >> 32)
        flags = Flags(rawValue: UInt16(truncatingIfNeeded: word >> 48))
    }
}

/// Accesses to the ring itself: what guest memory refuses is a fault of the queue.
extension GuestSlice {
    @inlinable
    func ringLoad<Value: GuestInteger>(_ type: Value.Type, _ offset: Int) throws(QueueError) -> Value {
        do throws(GuestMemoryError) { return try load(type, at: offset) } catch { throw .memory(error) }
    }

    @inlinable
    func ringLoadAcquire<Value: GuestInteger>(_ type: Value.Type, _ offset: Int) throws(QueueError) -> Value {
        do throws(GuestMemoryError) { return try loadAcquire(type, at: offset) } catch { throw .memory(error) }
    }

    @inlinable
    func ringStore<Value: GuestInteger>(_ value: Value, _ offset: Int) throws(QueueError) {
        do throws(GuestMemoryError) { try store(value, at: offset) } catch { throw .memory(error) }
    }

    @inlinable
    func ringStoreRelease<Value: GuestInteger>(_ value: Value, _ offset: Int) throws(QueueError) {
        do throws(GuestMemoryError) { try storeRelease(value, at: offset) } catch { throw .memory(error) }
    }
}
