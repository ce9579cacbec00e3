import GuestMemory

@testable import Virtio

/// The memory of every guest here, made once: two regions that adjoin, a hole, and a third. Pages that may not be
/// touched lie around each, so that what leaves a region is a fault.
enum GuestRings {
    static let border: UInt64 = 0x2_0000
    static let end: UInt64 = 0x4_0000
    static let island: UInt64 = 0x10_0000
    /// Where buffers are; before that, the rings.
    static let buffers: UInt64 = 0x8000
    /// From one queue's rings to the next's.
    static let stride: UInt64 = 0x1000

    static let memory: GuestMemory = {
        let memory = try! GuestMemory([
            GuestRegion.Plan(start: GuestAddress(0), size: border),
            GuestRegion.Plan(start: GuestAddress(border), size: end - border),
            GuestRegion.Plan(start: GuestAddress(island), size: 0x1000),
        ])
        for index in 0..<memory.regionCount { memory.withRegion(index) { guardPages($0) } }
        return memory
    }()

    /// As a machine finds it at its start.
    static func clear() {
        for (start, count) in [(0, Int(border)), (border, Int(end - border)), (island, 0x1000)] {
            try? memory.slice(GuestAddress(start), count: count).fill(0, count: count)
        }
    }
}

/// One piece of guest memory, as a descriptor names it.
struct Piece {
    var address: UInt64
    var count: UInt32
    var isWritable: Bool
}

/// A driver's side of a queue that keeps to the layout, whatever it puts into it.
struct Ring {
    let index: UInt32
    let size: UInt16
    let isPacked: Bool
    private var next: UInt16 = 0
    private var wrap = true
    private var slot: UInt16 = 0
    private var memory: GuestMemory { GuestRings.memory }

    var descriptors: UInt64 { UInt64(index) * GuestRings.stride }
    var driver: UInt64 { descriptors + 0x600 }
    var device: UInt64 { descriptors + 0x800 }

    init(_ index: UInt32, size: UInt16, isPacked: Bool) {
        self.index = index
        self.size = size
        self.isPacked = isPacked
    }

    var setup: Virtqueue.Setup {
        var setup = Virtqueue.Setup()
        setup.size = size
        setup.descriptorArea = GuestAddress(descriptors)
        setup.driverArea = GuestAddress(driver)
        setup.deviceArea = GuestAddress(device)
        return setup
    }

    /// Makes a chain available; with a table its descriptors lie there.
    mutating func add(_ pieces: [Piece], table: UInt64?) {
        guard let table else { return place(pieces.map { ($0, $0.isWritable ? 2 : 0) }) }
        for (position, piece) in pieces.enumerated() {
            let isLast = position == pieces.count - 1
            write(
                table + UInt64(position) * 16, piece, (piece.isWritable ? 2 : 0) | (isLast || isPacked ? 0 : 1),
                UInt16(position + 1))
        }
        place([(Piece(address: table, count: UInt32(16 * pieces.count), isWritable: false), 4)])
    }

    private mutating func place(_ descriptors: [(piece: Piece, flags: UInt16)]) {
        var head: (address: UInt64, flags: UInt16)?
        let first = slot
        for (position, (piece, flags)) in descriptors.enumerated() {
            let isLast = position == descriptors.count - 1
            let flags = flags | (isLast ? 0 : 1)
            if isPacked {
                let address = self.descriptors + UInt64(next) * 16
                let mark: UInt16 = wrap ? 1 << 7 : 1 << 15
                let old = wrap ? flags : flags | 1 << 7 | 1 << 15
                write(address, piece, head == nil ? old : flags | mark, first)
                if head == nil { head = (address, flags | mark) }
                next += 1
                if next == size { (next, wrap) = (0, !wrap) }
            } else {
                write(self.descriptors + UInt64(slot) * 16, piece, flags, (slot + 1) % size)
            }
            slot = (slot + 1) % size
        }
        if let head {
            // The whole chain becomes available with its first descriptor.
            store(head.flags, head.address + 14)
        } else if !descriptors.isEmpty {
            store(first, driver + 4 + 2 * UInt64(next % size))
            next &+= 1
            store(next, driver + 2)
        }
    }

    private func write(_ address: UInt64, _ piece: Piece, _ flags: UInt16, _ tail: UInt16) {
        store(piece.address, address)
        store(piece.count, address + 8)
        store(isPacked ? tail : flags, address + 12)
        store(isPacked ? flags : tail, address + 14)
    }

    private func store<Value: GuestInteger>(_ value: Value, _ address: UInt64) {
        try? memory.store(value, at: GuestAddress(address))
    }
}
