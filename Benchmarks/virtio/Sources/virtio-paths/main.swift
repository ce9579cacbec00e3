import Glibc
import GuestMemory
import Linux
import Virtio

let requests = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 200_000 : 200_000

func seconds(_ body: () throws -> Void) rethrows -> Double {
    let begin = ContinuousClock.now
    try body()
    return (ContinuousClock.now - begin) / .seconds(1)
}

func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.utf8.count))
}

func report(_ name: String, _ count: Int, _ time: Double, _ bench: Bench) {
    let interrupts = Double(Int(Double(bench.line.count) / Double(count) * 1000)) / 1000
    print(padded(name, 36), Int(time / Double(count) * 1e9), "ns each,", interrupts, "interrupts each")
}

/// Reads of 4 KiB from a file that is in the page cache, so many at a time.
func block(_ engine: Block.Engine, depth: Int) throws {
    let file = try Descriptor.open("/tmp", [.temporaryFile, .readWrite], mode: 0o600)
    guard ftruncate(file.rawValue, 8 << 20) == 0 else { throw Errno.current }
    let number = file.rawValue
    let zeros = [UInt8](repeating: 1, count: 8 << 20)
    guard pwrite(number, zeros, zeros.count, 0) == zeros.count else { throw Errno.current }
    var options = Block.Options()
    options.engine = engine
    let bench = try Bench(try Block(try RawDisk(file, isReadOnly: false), options), Features.Block.flush)
    let queue = bench.queues[0]
    let heads = try (0..<depth).map { index in
        let place = 0x10_0000 + UInt64(index) * 0x4000
        try bench.memory.store(UInt32(0), at: GuestAddress(place))
        try bench.memory.store(UInt64(index * 97 % 2000) * 8, at: GuestAddress(place + 8))
        return try queue.prepare([(place, 16, false), (place + 0x1000, 4096, true), (place + 0x2000, 1, true)])
    }
    func rounds(_ count: Int) throws {
        for _ in 0..<count {
            for head in heads { try queue.add(head) }
            try queue.show()
            try bench.finish(queue)
        }
    }
    try rounds(20)
    bench.line.count = 0
    let time = try seconds { try rounds(requests / depth) }
    report("disk, \(engine), \(depth) at a time", requests / depth * depth, time, bench)
}

/// Frames of 1514 bytes out of a tap that nobody listens to, and into the guest from the host's stack.
func network() throws {
    let name = "bhbench\(getpid() % 10000)"
    let bench = try Bench(try Network(try Tap.open(name)), Features.Network.mergeableBuffers)
    let host = try PacketSocket(name)
    let (receive, transmit) = (bench.queues[0], bench.queues[1])
    let out = try (0..<64).map { index in
        let place = 0x10_0000 + UInt64(index) * 0x1000
        try bench.memory.write([UInt8](repeating: 0xff, count: 24) + [0x88, 0xb5], at: GuestAddress(place))
        return try transmit.prepare([(place, 12 + 1514, false)])
    }
    func send(_ count: Int) throws {
        for _ in 0..<count {
            for head in out { try transmit.add(head) }
            try transmit.show()
            try bench.finish(transmit)
        }
    }
    try send(20)
    bench.line.count = 0
    var time = try seconds { try send(requests / 64) }
    report("network, frames out, 64 at a time", requests / 64 * 64, time, bench)

    let buffers = try (0..<256).map { try receive.prepare([(0x20_0000 + UInt64($0) * 0x1000, 1536, true)]) }
    for head in buffers { try receive.add(head) }
    try receive.show()
    bench.write(.queueNotify, 0)
    var taken: UInt16 = 0
    // The frames are made first: only what the device does is timed.
    func take(_ rounds: Int) throws -> Double {
        var time = 0.0
        for _ in 0..<rounds {
            while try bench.loop.poll(timeoutMilliseconds: 0) > 0 {}
            for _ in 0..<64 { host.send() }
            time += try seconds {
                while try receive.usedCount() &- taken < 64 { try bench.loop.poll(timeoutMilliseconds: 100) }
            }
            while try receive.usedCount() != taken {
                try receive.add(buffers[Int(taken % 256)])
                taken &+= 1
            }
            try receive.show()
            if try receive.wantsKick() { bench.write(.queueNotify, 0) }
        }
        return time
    }
    _ = try take(20)
    bench.line.count = 0
    time = try take(requests / 64)
    report("network, frames in, 64 at a time", requests / 64 * 64, time, bench)
}

for engine: Block.Engine in [.synchronous, .ioUring] {
    for depth in [1, 32] { try block(engine, depth: depth) }
}
if geteuid() == 0 { try network() }
