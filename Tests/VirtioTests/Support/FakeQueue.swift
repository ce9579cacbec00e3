import GuestMemory
import Testing

@testable import Virtio

/// The device gave back a buffer that it did not have.
struct UsedWhatItHadNot: Error {}

/// The driver's side of a queue, split or packed, written from the standard and not from the device's side.
final class FakeQueue {
    /// Another one after a restore there.
    unowned var machine: FakeMachine
    let index: UInt32
    let size: UInt16
    let isPacked: Bool
    let descriptors: GuestAddress
    let driver: GuestAddress
    let device: GuestAddress
    private let hasEventIndex: Bool
    private let hasIndirect: Bool
    var memory: GuestMemory { machine.memory }

    private var free: [UInt16] = []
    /// The descriptors of the chain behind each head or buffer id.
    private var owned: [UInt16: [UInt16]] = [:]
    private(set) var nextAvailable: UInt16 = 0
    private var availableWrap = true
    private var nextUsed: UInt16 = 0
    private var usedWrap = true
    private var addedSinceKick: UInt16 = 0

    init(_ machine: FakeMachine, index: UInt32, size: UInt16, features: Features) throws {
        self.machine = machine
        self.index = index
        self.size = size
        isPacked = features.contains(.packedRing)
        hasEventIndex = features.contains(.eventIndex)
        hasIndirect = features.contains(.indirectDescriptors)
        let base = FakeMachine.ringBase + UInt64(index) * 0x4000
        descriptors = GuestAddress(base)
        driver = GuestAddress(base + 0x2000)
        device = GuestAddress(base + 0x3000)
        free = Array((0..<size).reversed())
        try machine.memory.write([UInt8](repeating: 0, count: 0x4000), at: descriptors)
    }

    /// Tells the device where the queue is, and enables it.
    func announce() {
        machine.write(.queueSelect, index)
        machine.write(.queueSize, UInt32(size))
        for (low, high, address) in [
            (MMIORegister.queueDescriptorLow, MMIORegister.queueDescriptorHigh, descriptors),
            (.queueDriverLow, .queueDriverHigh, driver), (.queueDeviceLow, .queueDeviceHigh, device),
        ] {
            machine.write(low, UInt32(truncatingIfNeeded: address.rawValue))
            machine.write(high, UInt32(truncatingIfNeeded: address.rawValue >> 32))
        }
        machine.write(.queueReady, 1)
    }

    // MARK: - Available

    /// Makes a chain available.
    ///
    /// - Returns: its head, or its buffer id.
    @discardableResult
    func add(_ buffers: FakeBuffer..., indirect: Bool = false) throws -> UInt16 {
        try add(buffers, indirect: indirect)
    }

    @discardableResult
    func add(_ buffers: [FakeBuffer], indirect: Bool = false) throws -> UInt16 {
        if indirect { return try addIndirect(buffers) }
        let slots = (0..<buffers.count).map { _ in free.removeLast() }
        if isPacked {
            let identifier = slots[0]
            owned[identifier] = slots
            try writePacked(buffers.map { ($0.address, $0.count, $0.isWritable ? 2 : 0) }, identifier)
            return identifier
        }
        for (position, buffer) in buffers.enumerated() {
            let isLast = position == buffers.count - 1
            try writeSplit(
                slots[position], buffer.address, buffer.count, (buffer.isWritable ? 2 : 0) | (isLast ? 0 : 1),
                isLast ? 0 : slots[position + 1])
        }
        owned[slots[0]] = slots
        try makeAvailable(slots[0])
        return slots[0]
    }

    private func addIndirect(_ buffers: [FakeBuffer]) throws -> UInt16 {
        let table = machine.allocate(16 * buffers.count)
        for (position, buffer) in buffers.enumerated() {
            let isLast = position == buffers.count - 1
            let flags: UInt16 = (buffer.isWritable ? 2 : 0) | (isLast || isPacked ? 0 : 1)
            let next = isLast ? 0 : UInt16(position + 1)
            let tail = isPacked ? bytes(UInt16(0), flags) : bytes(flags, next)
            try memory.write(
                bytes(buffer.address.rawValue, buffer.count) + tail,
                at: GuestAddress(table.rawValue + UInt64(16 * position)))
        }
        let slot = free.removeLast()
        owned[slot] = [slot]
        if isPacked {
            try writePacked([(table, UInt32(16 * buffers.count), 4)], slot)
        } else {
            try writeSplit(slot, table, UInt32(16 * buffers.count), 4, 0)
            try makeAvailable(slot)
        }
        return slot
    }

    /// One descriptor of a split ring's table.
    func writeSplit(
        _ slot: UInt16, _ address: GuestAddress, _ count: UInt32, _ flags: UInt16, _ next: UInt16
    ) throws {
        try memory.write(
            bytes(address.rawValue, count, flags, next), at: GuestAddress(descriptors.rawValue + 16 * UInt64(slot)))
    }

    /// A head into the split ring's available ring.
    func makeAvailable(_ head: UInt16) throws {
        try memory.store(head, at: GuestAddress(driver.rawValue + 4 + 2 * UInt64(nextAvailable % size)))
        nextAvailable &+= 1
        addedSinceKick += 1
        try memory.store(nextAvailable, at: GuestAddress(driver.rawValue + 2))
    }

    /// Descriptors into the packed ring, the first made available last.
    func writePacked(_ chain: [(GuestAddress, UInt32, UInt16)], _ identifier: UInt16) throws {
        var writes: [(UInt16, [UInt8], UInt16)] = []
        for (position, (address, count, flags)) in chain.enumerated() {
            let mark: UInt16 = availableWrap ? 1 << 7 : 1 << 15
            let next: UInt16 = position == chain.count - 1 ? 0 : 1
            writes.append((nextAvailable, bytes(address.rawValue, count, identifier), flags | next | mark))
            nextAvailable += 1
            addedSinceKick += 1
            if nextAvailable == size {
                nextAvailable = 0
                availableWrap.toggle()
            }
        }
        for (slot, head, flags) in writes.reversed() {
            let address = descriptors.rawValue + 16 * UInt64(slot)
            try memory.write(head, at: GuestAddress(address))
            try memory.store(flags, at: GuestAddress(address + 14))
        }
    }

    /// Notifies where the device wants it.
    ///
    /// - Returns: whether it did.
    @discardableResult
    func kick() throws -> Bool {
        defer { addedSinceKick = 0 }
        let isWanted: Bool
        if isPacked {
            let wish = try memory.load(UInt32.self, at: device)
            switch wish >> 16 {
            case 1: isWanted = false
            case 2:
                var event = UInt16(wish & 0x7fff)
                if (wish & 0x8000 != 0) != availableWrap { event &-= size }
                isWanted = nextAvailable &- event &- 1 < addedSinceKick
            default: isWanted = true
            }
        } else if hasEventIndex {
            let event = try memory.load(UInt16.self, at: GuestAddress(device.rawValue + 4 + 8 * UInt64(size)))
            isWanted = nextAvailable &- event &- 1 < addedSinceKick
        } else {
            isWanted = try memory.load(UInt16.self, at: device) & 1 == 0
        }
        if isWanted { machine.write(.queueNotify, index) }
        return isWanted
    }

    /// Makes a chain available, notifies and lets the device work.
    func submit(_ buffers: FakeBuffer..., indirect: Bool = false) throws {
        try add(buffers, indirect: indirect)
        try kick()
        machine.run()
    }

    // MARK: - Used

    /// The next buffer the device gave back: its head or id, and the length it wrote.
    func takeUsed() throws -> (identifier: UInt16, length: UInt32)? {
        let result: (UInt16, UInt32)
        if isPacked {
            let address = descriptors.rawValue + 16 * UInt64(nextUsed)
            let flags = try memory.load(UInt16.self, at: GuestAddress(address + 14))
            guard (flags & 1 << 7 != 0) == usedWrap, (flags & 1 << 15 != 0) == usedWrap else { return nil }
            let identifier: UInt16 = try memory.load(at: GuestAddress(address + 12))
            result = (identifier, try memory.load(at: GuestAddress(address + 8)))
            let slots = try release(result.0)
            nextUsed += UInt16(slots.count)
            if nextUsed >= size {
                nextUsed -= size
                usedWrap.toggle()
            }
        } else {
            guard try memory.load(UInt16.self, at: GuestAddress(device.rawValue + 2)) != nextUsed else { return nil }
            let entry = device.rawValue + 4 + 8 * UInt64(nextUsed % size)
            let identifier: UInt32 = try memory.load(at: GuestAddress(entry))
            result = (UInt16(truncatingIfNeeded: identifier), try memory.load(at: GuestAddress(entry + 4)))
            _ = try release(result.0)
            nextUsed &+= 1
        }
        return result
    }

    private func release(_ identifier: UInt16) throws -> [UInt16] {
        guard let slots = owned.removeValue(forKey: identifier) else { throw UsedWhatItHadNot() }
        free += slots.reversed()
        return slots
    }

    /// All the lengths of what came back.
    func takeAllUsed() throws -> [UInt32] {
        var lengths: [UInt32] = []
        while let (_, length) = try takeUsed() { lengths.append(length) }
        return lengths
    }

    var freeCount: Int { free.count }

    // MARK: - Interrupts

    /// Asks for interrupts or for none.
    func setInterrupts(_ isWanted: Bool) throws {
        if isPacked {
            try memory.store(UInt32(isWanted ? 0 : 1) << 16, at: driver)
        } else {
            try memory.store(UInt16(isWanted ? 0 : 1), at: driver)
        }
    }

    /// Asks for an interrupt when `count` more entries came back.
    func setInterruptEvent(after count: UInt16) throws {
        if isPacked {
            var (index, wrap) = (UInt32(nextUsed) + UInt32(count) - 1, usedWrap)
            if index >= UInt32(size) { (index, wrap) = (index - UInt32(size), !wrap) }
            try memory.store(index | (wrap ? 1 << 15 : 0) | 2 << 16, at: driver)
        } else {
            try memory.store(nextUsed &+ count &- 1, at: GuestAddress(driver.rawValue + 4 + 2 * UInt64(size)))
        }
    }
}
