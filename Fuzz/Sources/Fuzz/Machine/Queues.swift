import GuestMemory

@testable import Virtio

extension Target {
    /// The rings themselves, driven as a device does, over memory that a hostile driver writes.
    static let queues = [
        Target("split-queue") { bytes in drive(bytes, isPacked: false) },
        Target("packed-queue") { bytes in drive(bytes, isPacked: true) },
    ]

    private static func drive(_ bytes: [UInt8], isPacked: Bool) {
        var source = Bytes(bytes)
        GuestRings.clear()
        let choice = source.byte()
        var features: Features = isPacked ? .packedRing : []
        if choice & 1 != 0 { features.insert(.eventIndex) }
        if choice & 2 != 0 { features.insert(.indirectDescriptors) }
        if choice & 4 != 0 { features.insert(.inOrder) }
        let size = isPacked ? UInt16(source.byte() % 64) + 1 : 1 << UInt16(source.byte() % 7)
        var ring = Ring(0, size: size, isPacked: isPacked)
        guard let queue = try? Virtqueue(index: 0, maximumSize: 64) else { return }
        var setup = ring.setup
        if choice & 8 != 0 { setup.descriptorArea = GuestAddress(source.number(UInt64.self)) }
        if choice & 16 != 0 { setup.driverArea = GuestAddress(source.number(UInt64.self)) }
        if choice & 32 != 0 { setup.deviceArea = GuestAddress(source.number(UInt64.self)) }
        guard (try? queue.start(setup, features: features, memory: GuestRings.memory)) != nil else { return }
        var pieces = Pieces()
        var taken: [DescriptorChain] = []
        for _ in 0..<256 where !source.isEmpty && queue.isRunning {
            switch source.byte() % 10 {
            case 0, 1:
                let chain = pieces.chain(&source)
                ring.add(chain.pieces, table: chain.table)
            case 2: pieces.poke(&source)
            case 3, 4:
                let chain = DescriptorChain()
                guard (try? queue.next(into: chain)) == true else { continue }
                check(chain, queue)
                taken.append(chain)
            case 5:
                guard !taken.isEmpty else { continue }
                let chain = taken.remove(at: Int(source.byte()) % taken.count)
                try? queue.complete(chain, written: Int(source.number(UInt16.self)))
            case 6:
                // The last that was taken, if it is still out.
                if let chain = taken.popLast() { queue.giveBack(chain) }
            case 7: _ = try? queue.needsInterrupt()
            case 8: _ = try? queue.enableNotifications()
            default:
                queue.beginBatch()
                while !taken.isEmpty { try? queue.complete(taken.removeFirst(), written: 8) }
                try? queue.endBatch()
            }
            require(queue.inFlight <= queue.size, "\(queue.inFlight) of \(queue.size) entries are out")
        }
    }

    private static func check(_ chain: DescriptorChain, _ queue: Virtqueue) {
        var reader = chain.reader
        var writer = chain.writer
        require(
            reader.count == chain.readableCount && writer.count == chain.writableCount, "a chain counts itself wrong")
        let header = reader.read(UInt64.self)
        require((header != nil) == (chain.readableCount >= 8), "eight bytes that are there, or not")
        let rest = reader.count
        var seen = 0
        while let slice = reader.take(upTo: 4096), seen < 1 << 20 { seen += slice.count }
        require(reader.count == 0 || seen >= 1 << 20, "\(reader.count) of \(rest) bytes can't be read")
        let room = min(writer.count, 1 << 16)
        require(writer.write([UInt8](repeating: 0xa5, count: room)) == room, "there is less room than a chain says")
        require(chain.entries >= 1 && chain.entries <= queue.size, "a chain of \(chain.entries) entries")
    }
}

/// Buffers and chains as the fuzzer's bytes want them.
struct Pieces {
    private var free = GuestRings.buffers
    private static let lengths: [UInt32] = [
        0, 1, 2, 4, 8, 10, 12, 16, 17, 32, 44, 100, 511, 512, 513, 1024, 1526, 4096, 0x1_0000, 0x2_0000, 1 << 24,
        1 << 31,
        .max,
    ]

    /// A chain of one to eight pieces, and where its table is if it has one.
    mutating func chain(_ source: inout Bytes) -> (pieces: [Piece], table: UInt64?) {
        let shape = source.byte()
        let pieces = (0...shape % 8).map { _ in piece(&source) }
        return (pieces, shape & 0x80 != 0 ? take(16 * UInt64(pieces.count)) : nil)
    }

    private mutating func piece(_ source: inout Bytes) -> Piece {
        let kind = source.byte()
        let contents = kind & 8 != 0 ? (0..<source.byte()).map { _ in source.byte() } : []
        let count = kind & 8 != 0 ? UInt32(contents.count) : source.choice(Pieces.lengths)
        let address: UInt64 =
            switch kind >> 1 & 3 {
            case 1: source.number(UInt64.self)
            case 2: GuestRings.border &- UInt64(source.byte())
            case 3: GuestRings.end &- UInt64(source.byte())
            default: take(UInt64(min(count, 0x1_0000)))
            }
        if !contents.isEmpty { try? GuestRings.memory.write(contents, at: GuestAddress(address)) }
        return Piece(address: address, count: count, isWritable: kind & 1 != 0)
    }

    private mutating func take(_ count: UInt64) -> UInt64 {
        if free + count > GuestRings.end { free = GuestRings.buffers }
        defer { free += (count + 63) / 64 * 64 }
        return free
    }

    /// Bytes anywhere, most of all in the rings.
    func poke(_ source: inout Bytes) {
        let address = UInt64(source.number(UInt16.self))
        let bytes = (0..<source.byte() % 32).map { _ in source.byte() }
        try? GuestRings.memory.write(bytes, at: GuestAddress(address))
    }
}
