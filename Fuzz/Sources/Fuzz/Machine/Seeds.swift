import GuestMemory
import Glibc

@testable import Machines
@testable import Virtio

/// What a sound driver does, and what it finds, as the bytes that these targets read: `fuzz --seeds FOLDER` writes them
/// there, one folder for each target. Run it again when a target reads its bytes otherwise.
struct Seed {
    private(set) var bytes: [UInt8]

    init(_ bytes: UInt8...) { self.bytes = bytes }

    mutating func add(_ bytes: UInt8...) { self.bytes += bytes }

    /// As ``Bytes`` reads it: the highest byte first.
    mutating func add<Value: FixedWidthInteger>(number value: Value) {
        for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }

    /// One operation of a ``HostileDriver``.
    mutating func add(_ operation: HostileDriver.Operation, _ bytes: UInt8...) {
        self.bytes.append(operation.rawValue)
        self.bytes += bytes
    }

    enum Part {
        /// Readable bytes.
        case bytes([UInt8])
        /// Room, by its place among the lengths of ``Pieces``.
        case room(UInt8)
    }

    /// A chain made available, notified and worked on.
    mutating func add(chain queue: UInt8, _ parts: [Part], indirect: Bool = false) {
        add(.chainKickRun, queue)
        addChain(parts, indirect: indirect)
    }

    mutating func addChain(_ parts: [Part], indirect: Bool = false) {
        add(UInt8(parts.count - 1) | (indirect ? 0x80 : 0))
        for part in parts {
            switch part {
            case .bytes(let bytes):
                add(8, UInt8(bytes.count))
                self.bytes += bytes
            case .room(let length): add(1, length)
            }
        }
    }

    // MARK: - All

    /// The layouts of rings, as a driver's start in a program.
    private static let layouts: [UInt8] = [0x20, 0x22, 0x26, 0x21, 0x23, 0x2f]

    static func write(to folder: String) {
        for (target, seeds) in all {
            mkdir("\(folder)/\(target)", 0o755)
            for (name, seed) in seeds {
                guard let file = fopen("\(folder)/\(target)/\(name)", "w") else { fatalError("can't write \(name)") }
                fwrite(seed.bytes, 1, seed.bytes.count, file)
                fclose(file)
            }
        }
    }

    /// The answers of a sound backend.
    private static func backend(acknowledges: Bool) -> Seed {
        var seed = Seed()
        func answer(_ request: UInt32, _ payload: [UInt8]) {
            seed.bytes += littleEndian(request, UInt32(5), UInt32(payload.count)) + payload
        }
        let configuration = littleEndian(UInt32(0), UInt32(60), UInt32(0)) + [UInt8](repeating: 1, count: 60)
        answer(1, littleEndian(UInt64(1) << 32 | 1 << 30 | 1 << 9))
        answer(15, littleEndian(UInt64(acknowledges ? 0x209 : 0x201)))
        answer(17, littleEndian(UInt64(1)))
        answer(24, configuration)
        for request in acknowledges ? [2, 5, 8, 10, 9, 13, 12, 18] : [] as [UInt32] {
            answer(request, littleEndian(UInt64(0)))
        }
        if !acknowledges { answer(1, littleEndian(UInt64(0))) }
        answer(11, littleEndian(UInt32(0), UInt32(7)))
        answer(24, configuration)
        return seed
    }

    private static var all: [(String, [(String, Seed)])] {
        var all: [(String, [(String, Seed)])] = [
            ("split-queue", [("plain", queue(0)), ("all", queue(7))]),
            ("packed-queue", [("plain", queue(0)), ("all", queue(7))]), ("kernel", kernels),
            ("vhost-user", [("acknowledging", backend(acknowledges: true)), ("silent", backend(acknowledges: false))]),
        ]
        for (victim, use) in [
            (Victim.block, block), (.network, network), (.vsock, vsock), (.console, console), (.entropy, entropy),
            (.balloon, balloon), (.memory, memory), (.fileSystem, fileSystem),
            (.persistentMemory, persistentMemory),
        ] as [(Victim, (inout Seed) -> Void)] {
            all.append(
                (
                    victim.name,
                    layouts.map { layout in
                        var seed = Seed(0, layout)
                        use(&seed)
                        seed.add(.save, 0)
                        use(&seed)
                        return ("layout-\(layout)", seed)
                    }
                ))
            all.append(("\(victim.name)-state", states(victim, use)))
        }
        return all
    }

    private static func queue(_ features: UInt8) -> Seed {
        var seed = Seed(features, 3)
        for round in 0..<12 as Range<UInt8> {
            seed.add(0)
            seed.addChain(
                [.bytes([1, 2, 3, 4, 5, 6, 7, 8]), .room(11)], indirect: features & 2 != 0 && round & 1 != 0)
            seed.add(3, 5, 0)
            seed.add(number: UInt16(100))
            seed.add(7, 8)
        }
        for _ in 0..<3 {
            seed.add(1)
            seed.addChain([.room(5)])
        }
        seed.add(3, 3, 6, 3, 3, 9)
        return seed
    }

    /// What a device that was used leaves, with the rings that it finds.
    private static func states(_ victim: Victim, _ use: (inout Seed) -> Void) -> [(String, Seed)] {
        [UInt8(0x20), 0x2f].map { layout in
            var program = Seed(layout)
            use(&program)
            GuestRings.clear()
            var driver = HostileDriver(victim.make(0))
            defer { driver.transport.shutDown() }
            var bytes = Bytes(program.bytes)
            driver.run(&bytes) { victim.host($0, &$1) }
            driver.transport.pause()
            var seed = Seed(0, 0)
            for byte in driver.transport.save().encoded() { seed.add(byte) }
            return ("used-\(layout)", seed)
        }
    }

    // MARK: - Devices

    private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
    }

    private static func block(_ seed: inout Seed) {
        func header(_ type: UInt32, _ sector: UInt64) -> Part {
            .bytes(little(type) + little(UInt32(0)) + little(sector))
        }
        seed.add(chain: 0, [header(0, 3), .room(13), .room(1)])
        seed.add(chain: 0, [header(1, 0), .bytes([UInt8](repeating: 7, count: 128)), .room(1)])
        seed.add(chain: 0, [header(1, 5), .room(1)])
        seed.add(chain: 0, [header(4, 0), .room(1)], indirect: true)
        seed.add(chain: 0, [header(8, 0), .room(9), .room(3), .room(1)])
        let range: Part = .bytes(little(UInt64(4)) + little(UInt32(2)) + little(UInt32(0)))
        seed.add(chain: 0, [header(11, 0), range, .room(1)])
        seed.add(chain: 0, [header(13, 0), range, .room(1)])
        seed.add(.configure, 32, 1)
        seed.add(number: UInt64(0))
        seed.add(.host, 1)
    }

    private static func network(_ seed: inout Seed) {
        for _ in 0..<6 { seed.add(chain: 0, [.room(16)]) }
        seed.add(chain: 0, [.room(18)], indirect: true)
        seed.add(.host, 0, 0, 9)
        seed.add(number: UInt16(80))
        seed.add(.run)
        seed.add(.host, 0, 0, 9)
        seed.add(number: UInt16(4000))
        seed.add(.run)
        seed.add(chain: 1, [.bytes([UInt8](repeating: 0, count: 12)), .bytes([UInt8](repeating: 3, count: 60))])
        seed.add(.host, 0, 2)
        seed.add(chain: 2, [.bytes([5, 0]), .bytes(little(UInt64(2))), .room(1)])
        seed.add(chain: 2, [.bytes([4, 0]), .bytes([1, 0]), .room(1)])
        seed.add(.host, 0, 3, 0)
    }

    private static func vsock(_ seed: inout Seed) {
        func packet(_ operation: UInt16, _ host: UInt32, _ data: [UInt8] = [], flags: UInt32 = 0) -> [Part] {
            let header =
                little(UInt64(3)) + little(UInt64(2)) + little(UInt32(1000)) + little(host)
                + little(UInt32(data.count)) + little(UInt16(1)) + little(operation) + little(flags)
                + little(UInt32(65536)) + little(UInt32(0))
            return data.isEmpty ? [.bytes(header)] : [.bytes(header), .bytes(data)]
        }
        for _ in 0..<8 { seed.add(chain: 0, [.room(17)]) }
        seed.add(chain: 2, [.room(5)])
        // A guest's connection, and what it says.
        seed.add(chain: 1, packet(1, 7))
        seed.add(.host, 1)
        seed.add(chain: 1, packet(5, 7, [1, 2, 3]))
        seed.add(.host, 4, 0)
        seed.add(.host, 3, 65)
        seed.add(number: UInt16(300))
        seed.add(.run)
        seed.add(chain: 1, packet(7, 7))
        seed.add(chain: 1, packet(4, 7, flags: 3))
        // A connection of the host's, to whose port the guest answers.
        seed.add(.host, 0)
        seed.add(.host, 2, 5)
        seed.add(.run)
        seed.add(chain: 1, packet(2, 1 << 30 | 1))
        seed.add(chain: 1, packet(3, 9))
        seed.add(.host, 5, 0)
        seed.add(.run)
    }

    private static func console(_ seed: inout Seed) {
        for _ in 0..<6 { seed.add(chain: 2, [.room(9)]) }
        for (port, event, value) in [(0, 0, 1), (0, 3, 1), (0, 6, 1)] as [(UInt32, UInt16, UInt16)] {
            seed.add(chain: 3, [.bytes(little(port) + little(event) + little(value))])
        }
        seed.add(chain: 0, [.room(9)])
        seed.add(.host, 0, 2, 0)
        seed.add(.run)
        seed.add(chain: 1, [.bytes(Array("hello".utf8)), .bytes(Array(" host".utf8))])
        seed.add(.host, 1, 0)
        seed.add(.host, 2)
        seed.add(number: UInt16(80))
        seed.add(number: UInt16(25))
        seed.add(.configure, 8, 4)
        seed.add(number: UInt64(65))
    }

    private static func entropy(_ seed: inout Seed) {
        seed.add(chain: 0, [.room(9), .room(17)])
        seed.add(chain: 0, [.room(18)], indirect: true)
        seed.add(.host)
        seed.add(.pause)
        seed.add(chain: 0, [.room(4)])
        seed.add(.resume)
    }

    private static func persistentMemory(_ seed: inout Seed) {
        seed.add(chain: 0, [.bytes(little(UInt32(0))), .room(4)])
        seed.add(chain: 0, [.bytes(little(UInt32(0))), .room(4)], indirect: true)
        seed.add(chain: 0, [.bytes(little(UInt32(1))), .room(8)])
        seed.add(.host)
        seed.add(.pause)
        seed.add(chain: 0, [.bytes(little(UInt32(0))), .room(4)])
        seed.add(.resume)
        seed.add(.configure, 0, 8)
        seed.add(number: UInt64(4096))
    }

    private static func balloon(_ seed: inout Seed) {
        // The pages 48 to 51 are behind the buffers.
        seed.add(chain: 0, [.bytes([48, 49, 50, 51].flatMap { little(UInt32($0)) })])
        seed.add(chain: 1, [.bytes(little(UInt32(48)))])
        seed.add(chain: 2, [.bytes(little(UInt16(4)) + little(UInt64(1000)))])
        seed.add(.host, 1)
        seed.add(.host, 2)
        seed.add(chain: 3, [.bytes(little(UInt32(2)))])
        seed.add(chain: 3, [.room(17)])
        seed.add(chain: 3, [.bytes(little(UInt32(0)))])
        seed.add(.host, 3)
        seed.add(chain: 4, [.room(18)])
        seed.add(.configure, 4, 4)
        seed.add(number: UInt64(4))
        seed.add(.host, 0)
        seed.add(number: UInt32(40960))
    }

    private static func memory(_ seed: inout Seed) {
        func request(_ kind: UInt16, _ block: UInt64, _ count: UInt16) -> [Part] {
            [
                .bytes(
                    little(kind) + [UInt8](repeating: 0, count: 6)
                        + little(Victim.memoryStart + block * Victim.memoryBlock) + little(count)
                        + [UInt8](repeating: 0, count: 6)), .room(5),
            ]
        }
        seed.add(.host, 1, 6)
        for (kind, block, count): (UInt16, UInt64, UInt16) in [
            (0, 1, 4), (3, 0, 2), (3, 1, 4), (1, 2, 1), (0, 6, 2), (0, 0, 9), (4, 0, 1),
        ] { seed.add(chain: 0, request(kind, block, count), indirect: kind == 3) }
        seed.add(.host, 1, 2)
        seed.add(.host, 0)
        seed.add(chain: 0, request(1, 1, 1))
        seed.add(chain: 0, request(2, 0, 0))
        seed.add(.host, 0)
        seed.add(chain: 0, request(1, 3, 2))
    }

    private static func fileSystem(_ seed: inout Seed) {
        func request(_ operation: UInt32, _ node: UInt64, _ arguments: [UInt8] = [], data: [UInt8] = []) -> [Part] {
            let count = UInt32(40 + arguments.count + data.count)
            let header =
                little(count) + little(operation) + little(UInt64(operation)) + little(node)
                + little(UInt64(0)) + little(UInt64(0))
            var parts: [Part] = [.bytes(header)]
            if !arguments.isEmpty { parts.append(.bytes(arguments)) }
            if !data.isEmpty { parts.append(.bytes(data)) }
            return parts + [.room(15), .room(15)]
        }
        func numbers(_ values: UInt64...) -> [UInt8] { values.flatMap { little($0) } }
        func words(_ values: UInt32...) -> [UInt8] { values.flatMap { little($0) } }
        func name(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }
        seed.add(chain: 1, request(26, 0, words(7, 37, 65536, .max)))
        // The nodes 2, 3, 4 and 5.
        seed.add(chain: 1, request(1, 1, name("file")))
        seed.add(chain: 1, request(1, 1, name("dir")))
        seed.add(chain: 1, request(1, 3, name("inner")))
        seed.add(chain: 1, request(1, 1, name("link")))
        // The open files 1, 2 and 3.
        seed.add(chain: 1, request(14, 2, words(2, 0)))
        seed.add(chain: 1, request(27, 1, words(0, 0)))
        seed.add(chain: 1, request(35, 1, words(0x42, 0o644, 0, 0) + name("new")))
        seed.add(chain: 1, request(15, 2, numbers(1, 0) + words(64, 0, 0, 0, 0, 0)))
        seed.add(chain: 1, request(16, 2, numbers(1, 3) + words(5, 0, 0, 0, 0, 0), data: Array("12345".utf8)))
        seed.add(chain: 1, request(28, 1, numbers(2, 0) + words(512, 0, 0, 0, 0, 0)))
        seed.add(chain: 1, request(44, 1, numbers(2, 0) + words(512, 0, 0, 0, 0, 0)))
        seed.add(chain: 1, request(3, 2, numbers(0, 0)))
        seed.add(
            chain: 1, request(4, 2, words(0x39, 0) + numbers(0, 3, 0, 1, 2, 3) + words(0, 0, 0, 0o600, 0, 0, 0, 0)))
        seed.add(chain: 1, request(5, 5), indirect: true)
        seed.add(chain: 1, request(6, 1, name("soft") + name("../file")))
        seed.add(chain: 1, request(8, 1, words(0o010644, 0, 0, 0) + name("pipe")))
        seed.add(chain: 1, request(9, 3, words(0o755, 0) + name("deep")))
        seed.add(chain: 1, request(13, 1, numbers(2) + name("hard")))
        seed.add(.host, 1)
        seed.add(chain: 1, request(12, 1, numbers(3) + name("hard") + name("moved")))
        seed.add(chain: 1, request(45, 1, numbers(1) + words(2, 0) + name("file") + name("new")))
        seed.add(chain: 1, request(10, 1, name("soft")))
        seed.add(chain: 1, request(11, 3, name("deep")))
        seed.add(chain: 1, request(17, 1))
        seed.add(chain: 1, request(20, 2, numbers(1, 0)))
        seed.add(chain: 1, request(21, 2, words(4, 0, 0, 0) + name("user.a") + Array("blue".utf8)))
        seed.add(chain: 1, request(22, 2, words(64, 0) + name("user.a")))
        seed.add(chain: 1, request(23, 2, words(64, 0)))
        seed.add(chain: 1, request(24, 2, name("user.a")))
        seed.add(chain: 1, request(25, 2, numbers(1, 0, 0)))
        seed.add(chain: 1, request(34, 2, words(6, 0)))
        seed.add(chain: 1, request(43, 2, numbers(1, 0, 4096) + words(0, 0)))
        seed.add(chain: 1, request(46, 2, numbers(1, 0) + words(3, 0)))
        seed.add(chain: 1, request(47, 2, numbers(1, 0, 2, 1, 8, 4, 0)))
        seed.add(.host, 4)
        seed.add(chain: 1, request(3, 4, numbers(0, 0)))
        seed.add(chain: 0, request(42, 0, words(2, 0) + numbers(4, 1, 2, 99)))
        seed.add(chain: 0, request(2, 3, numbers(1)))
        seed.add(chain: 1, request(18, 2, numbers(1, 0, 0)))
    }

    // MARK: - Kernels

    private static var kernels: [(String, Seed)] {
        [("bzimage", bzImage), ("elf", elf(withNote: false)), ("elf-pvh", elf(withNote: true))].map { name, file in
            var seed = Seed(0)
            seed.add(number: UInt32(100_000))
            seed.add(number: UInt16(40))
            for byte in file { seed.add(byte) }
            return (name, seed)
        }
    }

    private static var bzImage: [UInt8] {
        var file = [UInt8](repeating: 0, count: 2 * 512 + 0x210)
        func put<Value: FixedWidthInteger>(_ value: Value, _ place: Int) {
            file.replaceSubrange(place..<place + Value.bitWidth / 8, with: little(value))
        }
        put(UInt8(1), 0x1f1)
        put(UInt16(0xaa55), 0x1fe)
        put(UInt16(0x6aeb), 0x200)
        put(UInt32(0x5372_6448), 0x202)
        put(UInt16(0x20f), 0x206)
        put(UInt8(1), 0x211)
        put(UInt32(0x7fff_ffff), 0x22c)
        put(UInt16(1), 0x236)
        put(UInt32(2047), 0x238)
        put(UInt64(0x20_0000), 0x258)
        put(UInt32(0x10_0000), 0x260)
        return file
    }

    private static func elf(withNote hasNote: Bool) -> [UInt8] {
        let note =
            little(UInt32(4)) + little(UInt32(4)) + little(UInt32(18)) + Array("Xen\0".utf8) + little(UInt32(0x10_0000))
        func segment(_ type: UInt32, _ offset: Int, _ address: UInt64, _ count: Int) -> [UInt8] {
            little(type) + little(UInt32(7))
                + [UInt64(offset), address, address, UInt64(count), UInt64(count), 4].flatMap { little($0) }
        }
        let start = 64 + 2 * 56
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
        file += little(UInt16(2)) + little(UInt16(62)) + little(UInt32(1)) + little(UInt64(0x10_0000))
        file += little(UInt64(64)) + little(UInt64(0)) + little(UInt32(0))
        file += [64, 56, 2, 0, 0, 0].flatMap { little(UInt16($0)) }
        file += segment(1, start + note.count, 0x10_0000, 64)
        file += segment(hasNote ? 4 : 0, start, 0, note.count)
        return file + note + [UInt8](repeating: 0xf4, count: 64)
    }
}
