import Glibc
import GuestMemory
import Linux
import Testing

@testable import Virtio

/// A machine without a processor: memory, one device behind its registers, and the driver's side of both.
///
/// Time stands still unless a test calls ``run(_:)``.
final class FakeMachine {
    static let ringBase: UInt64 = 0x1_0000
    static let bufferBase: UInt64 = 0x20_0000

    let memory: GuestMemory
    let device: any Device
    let loop: DeviceLoop
    let line: CountingLine
    let transport: MMIOTransport
    var queues: [FakeQueue] = []
    /// Where the next buffer goes.
    private var free = FakeMachine.bufferBase

    init(
        _ device: any Device, memory: GuestMemory? = nil, queueFeatures: Features = .queue, size: UInt64 = 32 << 20,
        registers: RegisterPage? = nil
    ) throws {
        self.device = device
        self.memory = try memory ?? GuestMemory(size: size)
        loop = try DeviceLoop()
        line = CountingLine()
        transport = try MMIOTransport(
            device, memory: self.memory, interrupt: line, loop: loop, queueFeatures: queueFeatures,
            registers: registers)
        line.page = registers
    }

    deinit { transport.shutDown() }

    // MARK: - Registers

    func read(_ register: MMIORegister) -> UInt32 { UInt32(transport.read(register.rawValue, width: 4)) }
    func write(_ register: MMIORegister, _ value: UInt32) {
        transport.write(register.rawValue, UInt64(value), width: 4)
    }

    var status: DeviceStatus { DeviceStatus(rawValue: UInt8(read(.status))) }

    func configuration<Value: FixedWidthInteger>(_ offset: UInt64, as type: Value.Type) -> Value {
        Value(truncatingIfNeeded: transport.read(0x100 + offset, width: Value.bitWidth / 8))
    }

    var offered: Features {
        write(.deviceFeaturesSelect, 0)
        let low = UInt64(read(.deviceFeatures))
        write(.deviceFeaturesSelect, 1)
        return Features(rawValue: low | UInt64(read(.deviceFeatures)) << 32)
    }

    // MARK: - The driver's start

    /// Resets, agrees on features, and leaves the queues to be set up.
    func negotiate(_ features: Features) {
        write(.status, 0)
        write(.status, 1)
        write(.status, 3)
        write(.driverFeaturesSelect, 0)
        write(.driverFeatures, UInt32(truncatingIfNeeded: features.rawValue))
        write(.driverFeaturesSelect, 1)
        write(.driverFeatures, UInt32(truncatingIfNeeded: features.rawValue >> 32))
        write(.status, 11)
    }

    /// All of a driver's start: the features that are offered among `wanted`, every queue, DRIVER_OK.
    func boot(_ wanted: Features = Features(rawValue: .max), queueSize: UInt16 = 64) throws {
        let features = wanted.intersection(offered).union(.version1)
        negotiate(features)
        guard status.contains(.featuresOK) else { throw FeaturesRefused() }
        queues = []
        for index in transport.queues.indices {
            let size = min(queueSize, transport.queues[index].maximumSize)
            let queue = try FakeQueue(self, index: UInt32(index), size: size, features: features)
            queues.append(queue)
            queue.announce()
        }
        write(.status, 15)
        run()
    }

    // MARK: - Time

    /// Lets the device work until it has nothing to do.
    func run(_ milliseconds: CInt = 0) {
        var left = 200
        while let count = try? loop.poll(timeoutMilliseconds: milliseconds), count > 0, left > 0 { left -= 1 }
    }

    /// Lets the device work until `isDone`, for 20 seconds or, on a slow machine, longer.
    func run(until isDone: () throws -> Bool) throws {
        for _ in 0..<4000 {
            run()
            if try isDone() { return }
            try loop.poll(timeoutMilliseconds: 5)
        }
        Issue.record("the device did not get there")
    }

    /// Waits for what a thread of the loop's own brings about, ten seconds at the most.
    func wait(until isDone: () throws -> Bool) throws {
        for _ in 0..<10_000 {
            if try isDone() { return }
            usleep(1000)
        }
        Issue.record("the loop's thread did not get there")
    }

    // MARK: - Buffers

    /// A piece of guest memory that nothing else uses.
    func allocate(_ count: Int) -> GuestAddress {
        defer { free += UInt64((count + 4095) / 4096 * 4096 + 4096) }
        return GuestAddress(free)
    }

    func place(_ bytes: [UInt8]) throws -> FakeBuffer {
        let address = allocate(bytes.count)
        try memory.write(bytes, at: address)
        return FakeBuffer(address: address, count: UInt32(bytes.count), isWritable: false)
    }

    func room(_ count: Int) -> FakeBuffer {
        FakeBuffer(address: allocate(count), count: UInt32(count), isWritable: true)
    }

    func contents(_ buffer: FakeBuffer) throws -> [UInt8] {
        try memory.bytes(at: buffer.address, count: Int(buffer.count))
    }

    func forgetBuffers() { free = FakeMachine.bufferBase }
}

/// The device did not set FEATURES_OK.
struct FeaturesRefused: Error {}

/// One descriptor's worth of guest memory.
struct FakeBuffer: Equatable {
    var address: GuestAddress
    var count: UInt32
    var isWritable: Bool
}

/// Counts the interrupts a guest would get.
final class CountingLine: InterruptLine, @unchecked Sendable {
    private(set) var count = 0
    /// What another process may write to.
    let event = try? EventInterrupt()
    /// Acknowledgements that a hypervisor would keep, and what they go to.
    var kept: [UInt32] = []
    var page: RegisterPage?

    func raise() { count += 1 }
    func handOnAcknowledgements() {
        for bits in kept { page?.acknowledge(bits) }
        kept = []
    }
    func take() -> Int {
        defer { count = 0 }
        return count
    }
}

/// Little-endian bytes of integers, one behind the other.
func bytes<each Value: FixedWidthInteger>(_ values: repeat each Value) -> [UInt8] {
    var all: [UInt8] = []
    for value in repeat each values {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            all.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
    return all
}

extension [UInt8] {
    func integer<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type = Value.self) -> Value {
        (0..<Value.bitWidth / 8).reduce(0) { $0 | Value(truncatingIfNeeded: self[offset + $1]) << (8 * $1) }
    }
}
