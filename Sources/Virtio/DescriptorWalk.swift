import GuestMemory

/// The descriptors of one chain, in order: no more than the queue has, and with one switch to an indirect table at the
/// most. Whatever the driver wrote, the walk ends.
struct DescriptorWalk {
    private let allowsIndirect: Bool
    private let queueSize: UInt16
    private let isPacked: Bool
    private var table: GuestSlice
    private var tableSize: UInt16
    /// The next descriptor to read; nil after the last.
    private var position: UInt16?
    private var left: UInt16
    private var isIndirect = false
    /// The entries of the ring itself that were read.
    private(set) var ringEntries: UInt16 = 0
    /// The packed ring's buffer id: the one of the chain's last descriptor in the ring.
    private(set) var identifier: UInt16 = 0

    init(
        ring: GuestSlice, size: UInt16, head: UInt16, isPacked: Bool, allowsIndirect: Bool
    ) {
        self.isPacked = isPacked
        self.allowsIndirect = allowsIndirect
        table = ring
        tableSize = size
        queueSize = size
        position = head
        left = size
    }

    mutating func next(_ memory: GuestMemory) throws(QueueError) -> RingDescriptor? {
        while let index = position {
            if left == 0 { throw .chainTooLong }
            if index >= tableSize { throw .descriptorIndex(index) }
            let descriptor: RingDescriptor
            if isPacked {
                descriptor = try RingDescriptor(packed: table, index)
            } else {
                descriptor = try RingDescriptor(split: table, index)
            }
            if !isIndirect {
                ringEntries += 1
                if isPacked { identifier = descriptor.tail }
            }
            if descriptor.flags.contains(.indirect) && !(isPacked && isIndirect) {
                try enter(descriptor, memory)
                continue
            }
            left -= 1
            position = following(descriptor, index)
            return descriptor
        }
        return nil
    }

    private func following(_ descriptor: RingDescriptor, _ index: UInt16) -> UInt16? {
        if isPacked {
            // In an indirect table of a packed ring NEXT means nothing: the table's length tells the end.
            if isIndirect { return index + 1 < tableSize ? index + 1 : nil }
            return descriptor.flags.contains(.next) ? (index + 1 == tableSize ? 0 : index + 1) : nil
        }
        return descriptor.flags.contains(.next) ? descriptor.tail : nil
    }

    private mutating func enter(_ descriptor: RingDescriptor, _ memory: GuestMemory) throws(QueueError) {
        if isIndirect { throw .nestedIndirect }
        if !allowsIndirect { throw .indirectNotNegotiated }
        if descriptor.flags.contains(.next) { throw .indirectWithNext }
        let size = Int(descriptor.count)
        guard size > 0, size % RingDescriptor.size == 0 else { throw .indirectTableSize(descriptor.count) }
        guard size / RingDescriptor.size <= Int(queueSize) else { throw .chainTooLong }
        do throws(GuestMemoryError) { table = try memory.slice(descriptor.address, count: size) } catch {
            throw .bufferOutsideMemory(descriptor.address, descriptor.count)
        }
        tableSize = UInt16(size / RingDescriptor.size)
        isIndirect = true
        position = 0
    }
}
