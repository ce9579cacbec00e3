import GuestMemory
import Linux
import Virtio

/// Counts the interrupts a guest would get.
final class Line: InterruptLine, @unchecked Sendable {
    var count = 0
    func raise() { count += 1 }
}

/// A machine with one device and no processor: the caller is the guest's driver.
final class Bench {
    static let features: Features = [.version1, .eventIndex, .indirectDescriptors]

    let memory: GuestMemory
    let loop: DeviceLoop
    let line = Line()
    let transport: MMIOTransport
    private(set) var queues: [Queue] = []

    init(_ device: any Device, _ wanted: Features) throws {
        memory = try GuestMemory(size: 32 << 20)
        loop = try DeviceLoop()
        transport = try MMIOTransport(device, memory: memory, interrupt: line, loop: loop)
        let features = wanted.union(Bench.features).intersection(transport.offered)
        for status: UInt32 in [0, 1, 3] { write(.status, status) }
        for half: UInt32 in [0, 1] {
            write(.driverFeaturesSelect, half)
            write(.driverFeatures, UInt32(truncatingIfNeeded: features.rawValue >> UInt64(32 * half)))
        }
        write(.status, 11)
        for index in transport.queues.indices {
            let queue = try Queue(memory, index: index, size: min(256, transport.queues[index].maximumSize))
            write(.queueSelect, UInt32(index))
            write(.queueSize, UInt32(queue.size))
            write(.queueDescriptorLow, UInt32(queue.base))
            write(.queueDriverLow, UInt32(queue.base + 0x1000))
            write(.queueDeviceLow, UInt32(queue.base + 0x2000))
            write(.queueReady, 1)
            queues.append(queue)
        }
        write(.status, 15)
    }

    deinit { transport.shutDown() }

    func write(_ register: MMIORegister, _ value: UInt32) {
        transport.write(register.rawValue, UInt64(value), width: 4)
    }

    /// Notifies where the device wants it, and lets it work until all is used.
    func finish(_ queue: Queue) throws {
        if try queue.wantsKick() { write(.queueNotify, UInt32(queue.index)) }
        while try !queue.isDone() { try loop.poll(timeoutMilliseconds: -1) }
    }
}

/// A split queue from the driver's side; its chains are set up once and made available again and again.
final class Queue {
    let index: Int
    let size: UInt16
    let base: UInt64
    private let descriptors: GuestSlice
    private let available: GuestSlice
    private let used: GuestSlice
    private var nextDescriptor: UInt16 = 0
    private(set) var added: UInt16 = 0
    private var kicked: UInt16 = 0

    init(_ memory: GuestMemory, index: Int, size: UInt16) throws {
        self.index = index
        self.size = size
        base = UInt64(index) * 0x4000
        descriptors = try memory.slice(GuestAddress(base), count: 0x1000)
        available = try memory.slice(GuestAddress(base + 0x1000), count: 0x1000)
        used = try memory.slice(GuestAddress(base + 0x2000), count: 0x2000)
    }

    /// Writes a chain into the table.
    ///
    /// - Returns: its head.
    func prepare(_ pieces: [(address: UInt64, count: UInt32, isWritable: Bool)]) throws -> UInt16 {
        let head = nextDescriptor
        for (position, piece) in pieces.enumerated() {
            let isLast = position == pieces.count - 1
            let place = Int(nextDescriptor) * 16
            try descriptors.store(piece.address, at: place)
            try descriptors.store(piece.count, at: place + 8)
            try descriptors.store(UInt16((piece.isWritable ? 2 : 0) | (isLast ? 0 : 1)), at: place + 12)
            try descriptors.store(nextDescriptor + 1, at: place + 14)
            nextDescriptor += 1
        }
        return head
    }

    func add(_ head: UInt16) throws {
        try available.store(head, at: 4 + 2 * Int(added % size))
        added &+= 1
    }

    /// Shows the device what was added.
    func show() throws {
        // An interrupt for the last of them.
        try available.store(added &- 1, at: 4 + 2 * Int(size))
        try available.storeRelease(added, at: 2)
    }

    func wantsKick() throws -> Bool {
        defer { kicked = added }
        let event = try used.load(UInt16.self, at: 4 + 8 * Int(size))
        return added &- event &- 1 < added &- kicked
    }

    func isDone() throws -> Bool { try used.loadAcquire(UInt16.self, at: 2) == added }
    func usedCount() throws -> UInt16 { try used.loadAcquire(UInt16.self, at: 2) }
}
