// Lesson: what a virtio device is. It needs nothing: `swift run lesson-virtio`.
//
// A device is a page of registers, by which driver and device agree on what both can do, and queues: tables in the guest's
// memory by which buffers go to the device and come back. Here this program is the driver, and reads a sector of a disk.
import Glibc
import GuestMemory
import Linux
import Virtio

do {
    let path = "/tmp/lesson-virtio-\(getpid())"
    let file = try Descriptor.open(path, [.writeOnly, .create, .exclusive], mode: 0o600)
    defer { unlink(path) }
    try file.write(Array("hello from sector 0".utf8) + [UInt8](repeating: 0, count: 1005))

    let memory = try GuestMemory(size: 1 << 20)
    let (loop, line) = (try DeviceLoop(), try EventInterrupt())
    let disk = try MMIOTransport(try Block(try RawDisk.open(path)), memory: memory, interrupt: line, loop: loop)
    func read(_ register: MMIORegister) -> UInt64 { disk.read(register.rawValue, width: 4) }
    func write(_ register: MMIORegister, _ value: UInt64) { disk.write(register.rawValue, value, width: 4) }

    print("Device \(read(.deviceID)) of version \(read(.version)). It offers, bit 31 to 0:", terminator: " ")
    write(.deviceFeaturesSelect, 0)
    print(String(read(.deviceFeatures), radix: 2))

    // Two bits of status say that a driver is here and knows it. Of the features it takes VERSION_1 alone, bit 32; the
    // device agrees if it leaves FEATURES_OK, 8, as it was written.
    write(.status, 1 | 2)
    write(.driverFeaturesSelect, 1)
    write(.driverFeatures, 1)
    write(.status, 1 | 2 | 8)
    print("Features agreed on: \(read(.status) & 8 != 0). The disk has \(read(.configuration)) sectors.")

    // A queue of eight: what buffers there are, which of them the device may take, which it has given back.
    let (descriptors, available, used): (UInt64, UInt64, UInt64) = (0x1000, 0x2000, 0x3000)
    write(.queueSelect, 0)
    write(.queueSize, 8)
    write(.queueDescriptorLow, descriptors)
    write(.queueDriverLow, available)
    write(.queueDeviceLow, used)
    write(.queueReady, 1)
    write(.status, 1 | 2 | 8 | 4)

    // A request is three buffers in a chain. NEXT is 1; WRITE, for what the device writes, is 2.
    let (header, data, outcome): (UInt64, UInt64, UInt64) = (0x4000, 0x5000, 0x6000)
    func describe(_ number: UInt64, _ address: UInt64, _ count: UInt32, _ flags: UInt16, next: UInt16) throws {
        let place = descriptors + 16 * number
        try memory.store(address, at: GuestAddress(place))
        try memory.store(count, at: GuestAddress(place + 8))
        try memory.store(flags, at: GuestAddress(place + 12))
        try memory.store(next, at: GuestAddress(place + 14))
    }
    try describe(0, header, 16, 1, next: 1)
    try describe(1, data, 512, 1 | 2, next: 2)
    try describe(2, outcome, 1, 2, next: 0)
    try memory.store(UInt32(0), at: GuestAddress(header))  // to read …
    try memory.store(UInt64(0), at: GuestAddress(header + 8))  // … sector 0

    // The chain's head goes into the ring, then the ring's index up: only then the device may look.
    try memory.store(UInt16(0), at: GuestAddress(available + 4))
    try memory.store(UInt16(1), at: GuestAddress(available + 2))
    write(.queueNotify, 0)
    while try memory.load(UInt16.self, at: GuestAddress(used + 2)) == 0 { _ = try loop.poll(timeoutMilliseconds: 1000) }
    let count = try memory.load(UInt32.self, at: GuestAddress(used + 8))
    print(
        "It gave back \(count) bytes, status \(try memory.load(UInt8.self, at: GuestAddress(outcome))),",
        terminator: " ")
    print("interrupt \(read(.interruptStatus)): \"\(text(try memory.bytes(at: GuestAddress(data), count: 19)))\"")

    // A driver that breaks the rules: the chain leads back to where it began.
    try describe(2, outcome, 1, 1 | 2, next: 1)
    try memory.store(UInt16(2), at: GuestAddress(available + 2))
    write(.queueNotify, 0)
    while read(.status) & 64 == 0 { _ = try loop.poll(timeoutMilliseconds: 1000) }
    print("It needs a reset: \(disk.fault.map { "\($0)" } ?? "")")
    disk.shutDown()
} catch {
    print("lesson-virtio: \(error)")
    exit(1)
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
