import CFuzzer
import Glibc
import GuestMemory
import Linux

@testable import Virtio

/// A device to drive, and all that is on the host's side of it.
struct Victim {
    let name: String
    /// Makes it, as the first byte says.
    let make: @Sendable (UInt8) -> any Device
    /// What the host does with it meanwhile.
    var host: @Sendable (any Device, inout Bytes) -> Void = { _, _ in }
    /// Makes room on the host's side for an answer.
    var makeRoom: @Sendable () -> Void = {}
    /// A request that is answered at once, if there is one: its queue and its pieces.
    var request: (queue: Int, pieces: [Piece])?

    static let all = [block, network, vsock, console, entropy, balloon, memory, fileSystem, persistentMemory]
}

extension Target {
    /// Each device with a hostile driver before it, and its saved state read from anything.
    static let devices = Victim.all.flatMap { victim in
        [
            Target(victim.name) { bytes in
                var program = Bytes(bytes)
                GuestRings.clear()
                let device = victim.make(program.byte())
                var driver = HostileDriver(device)
                defer { driver.transport.shutDown() }
                driver.run(&program) { victim.host($0, &$1) }
                check(victim, &driver)
            },
            Target("\(victim.name)-state") { bytes in
                // Rings for the state to find, then the state.
                var program = Bytes(bytes)
                GuestRings.clear()
                var driver = HostileDriver(victim.make(program.byte()))
                defer { driver.transport.shutDown() }
                var pieces = Pieces()
                for _ in 0..<program.byte() % 8 { pieces.poke(&program) }
                driver.restore(program.remaining)
                driver.work()
                for queue in 0..<8 as Range<UInt32> { driver.kick(queue) }
                driver.work()
                driver.transport.pause()
                _ = driver.transport.save().encoded()
                driver.transport.resume()
                driver.work()
                check(victim, &driver)
            },
        ]
    }

    private static func check(_ victim: Victim, _ driver: inout HostileDriver) {
        driver.recover()
        guard let (queue, pieces) = victim.request else { return }
        try? GuestRings.memory.write([UInt8](repeating: 0, count: 16), at: GuestAddress(GuestRings.buffers))
        driver.expectAnswer(queue: queue, pieces, victim.makeRoom)
    }
}

extension Victim {
    private static let place = GuestRings.buffers

    // MARK: - Disk

    private static let diskFile: CInt = {
        let number = fuzz_file("disk")
        ftruncate(number, 64 << 10)
        return number
    }()

    static let block = Victim(
        name: "block",
        make: { choice in
            // What an earlier input did to the file is undone.
            ftruncate(diskFile, 64 << 10)
            var options = Block.Options()
            options.engine = choice & 1 != 0 ? .ioUring : .synchronous
            options.queueCount = choice & 2 != 0 ? 2 : 1
            options.queueSize = 64
            options.isWriteBack = choice & 4 == 0
            if choice & 8 != 0 {
                options.limit = RateLimiter(operations: TokenBucket(size: 2, refillTime: 1000))
            }
            let disk = try! RawDisk(Descriptor(owning: dup(diskFile)), isReadOnly: choice & 16 != 0)
            let block = try! Block(disk, options)
            // Some requests are large ones, then.
            if choice & 32 == 0 { block.step = 1024 }
            return block
        },
        host: { device, bytes in
            guard let block = device as? Block else { return }
            switch bytes.byte() % 4 {
            case 0: ftruncate(diskFile, off_t(bytes.byte()) * 512)
            case 1: try? block.refreshSize()
            case 2: block.setLimit(RateLimiter())
            default: block.setLimit(RateLimiter(bandwidth: TokenBucket(size: 1000, refillTime: 1000)))
            }
        },
        request: (
            0,
            [
                Piece(address: place, count: 16, isWritable: false),
                Piece(address: place + 512, count: 512, isWritable: true),
                Piece(address: place + 1024, count: 1, isWritable: true),
            ]
        ))

    // MARK: - Network

    nonisolated(unsafe) private static var cables: [CInt] = []
    nonisolated(unsafe) private static var isStream = false

    private static func drain(_ cable: CInt) {
        var frame = [UInt8](repeating: 0, count: 1 << 16)
        while recv(cable, &frame, frame.count, CInt(MSG_DONTWAIT)) > 0 {}
    }

    static let network = Victim(
        name: "network",
        make: { choice in
            for cable in cables { close(cable) }
            cables = []
            isStream = choice & 16 != 0
            var taps: [Tap] = []
            for _ in 0...(choice & 1) {
                if isStream { break }
                let pair = try! SocketPair()
                let far = try! pair.second.duplicate()
                taps.append(try! Tap(socket: pair.takeFirst()))
                cables.append(far.release())
            }
            var options = Network.Options()
            options.queueSize = 64
            options.address = choice & 2 != 0 ? [2, 0, 0, 0, 0, 1] : nil
            options.mtu = choice & 4 != 0 ? 1500 : nil
            if choice & 8 != 0 {
                options.receiveLimit = RateLimiter(bandwidth: TokenBucket(size: 1000, refillTime: 1000))
                options.transmitLimit = RateLimiter(operations: TokenBucket(size: 2, refillTime: 1000))
            }
            guard isStream else { return try! Network(taps, options) }
            let pair = try! SocketPair(.stream)
            let far = try! pair.second.duplicate()
            cables = [far.release()]
            return try! Network(try! FrameStream(pair.takeFirst()), options)
        },
        host: { device, bytes in
            let cable = bytes.choice(cables)
            switch bytes.byte() % 6 {
            case 0, 1:
                let frame = [UInt8](repeating: bytes.byte(), count: Int(bytes.number(UInt16.self)))
                _ = send(cable, frame, frame.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
            case 2: drain(cable)
            case 3:
                // What is a length and a frame on a stream, or a part of them, or none.
                let length = bytes.number(UInt16.self)
                let part = Int(bytes.number(UInt16.self))
                let stream =
                    [bytes.byte() >> 7, 0, UInt8(length >> 8), UInt8(length & 255)]
                    + [UInt8](repeating: 1, count: Int(length))
                _ = send(cable, Array(stream.prefix(part)), min(part, stream.count), CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
            case 4 where isStream: shutdown(cable, CInt(bytes.byte() % 3))
            default: (device as? Network)?.setLink(up: bytes.byte() & 1 != 0)
            }
        },
        makeRoom: { for cable in cables { drain(cable) } },
        request: (
            1,
            [Piece(address: place, count: 12, isWritable: false), Piece(address: place, count: 60, isWritable: false)]
        ))

    // MARK: - Sockets

    nonisolated(unsafe) private static var programs: [CInt] = []
    private static let path = "/tmp/bulkhead-fuzz-\(getpid())"
    private static let listener: CInt = {
        let number = try! UnixSocket.listen(at: "\(path)_7", backlog: 4).release()
        atexit { unlink("\(Victim.path)_7") }
        return number
    }()

    static let vsock = Victim(
        name: "vsock",
        make: { _ in
            _ = fcntl(listener, F_SETFL, O_NONBLOCK)
            for program in programs { close(program) }
            programs = []
            unlink(path)
            return try! Vsock(cid: 3, path: path)
        },
        host: { _, bytes in
            switch bytes.byte() % 6 {
            case 0:
                if programs.count < 8, let program = try? UnixSocket.connect(to: path) {
                    programs.append(program.release())
                }
            case 1:
                let number = accept(listener, nil, nil)
                if number >= 0 { programs.append(number) }
            case 2:
                guard let program = programs.last else { return }
                let text = Array("CONNECT \(bytes.byte())\n".utf8)
                _ = send(program, text, text.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
            case 3:
                guard let program = programs.last else { return }
                let data = [UInt8](repeating: bytes.byte(), count: Int(bytes.number(UInt16.self)))
                _ = send(program, data, data.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
            case 4:
                guard !programs.isEmpty else { return }
                var data = [UInt8](repeating: 0, count: 1 << 16)
                _ = recv(bytes.choice(programs), &data, data.count, CInt(MSG_DONTWAIT))
            default:
                guard !programs.isEmpty else { return }
                close(programs.remove(at: Int(bytes.byte()) % programs.count))
            }
        })

    // MARK: - Console

    nonisolated(unsafe) private static var keyboards: [CInt] = []
    nonisolated(unsafe) private static var screens: [CInt] = []

    static let console = Victim(
        name: "console",
        make: { choice in
            for number in keyboards + screens { close(number) }
            keyboards = []
            screens = []
            var ports: [ConsolePort] = []
            for index in 0...(choice & 1) {
                let input = try! Pipe()
                let output = try! Pipe()
                keyboards.append(try! input.writeEnd.duplicate().release())
                screens.append(try! output.readEnd.duplicate().release())
                ports.append(
                    try! ConsolePort(
                        name: index == 0 ? "" : "org.port", isConsole: index == 0, input: input.takeReadEnd(),
                        output: output.takeWriteEnd()))
            }
            for number in keyboards + screens { _ = fcntl(number, F_SETFL, O_NONBLOCK) }
            return Console(ports, queueSize: 64)
        },
        host: { device, bytes in
            switch bytes.byte() % 4 {
            case 0:
                let text = [UInt8](repeating: 65, count: Int(bytes.byte()) * 16)
                _ = write(bytes.choice(keyboards), text, text.count)
            case 1:
                var text = [UInt8](repeating: 0, count: 1 << 16)
                _ = read(bytes.choice(screens), &text, text.count)
            case 2: (device as? Console)?.resize(Console.Size(columns: bytes.number(), rows: bytes.number()))
            default:
                // The end of what a person types.
                let index = Int(bytes.byte()) % keyboards.count
                close(keyboards[index])
                keyboards[index] = open("/dev/null", O_WRONLY)
            }
        })

    // MARK: - Entropy

    static let entropy = Victim(
        name: "entropy",
        make: { choice in
            let limit = RateLimiter(bandwidth: TokenBucket(size: 100, refillTime: 1000))
            return try! Entropy(limit: choice & 1 != 0 ? limit : RateLimiter())
        },
        host: { device, _ in (device as? Entropy)?.setLimit(RateLimiter()) },
        request: (0, [Piece(address: place, count: 8, isWritable: true)]))

    // MARK: - Persistent memory

    static let persistentMemory = Victim(
        name: "persistent-memory",
        make: { choice in
            ftruncate(diskFile, 64 << 10)
            let limit = RateLimiter(operations: TokenBucket(size: 2, refillTime: 1000))
            let file = try! MappedFile(Descriptor(owning: dup(diskFile)), isReadOnly: choice & 2 != 0)
            let device = try! PersistentMemory(file, limit: choice & 1 != 0 ? limit : RateLimiter())
            device.address = 1 << 40
            return device
        },
        host: { device, _ in (device as? PersistentMemory)?.setLimit(RateLimiter()) },
        request: (
            0,
            [
                Piece(address: place, count: 4, isWritable: false),
                Piece(address: place + 512, count: 4, isWritable: true),
            ]
        ))

    // MARK: - Balloon

    static let balloon = Victim(
        name: "balloon",
        make: { choice in
            var options = Balloon.Options()
            options.hasStatistics = choice & 1 == 0
            options.hasHinting = choice & 2 == 0
            options.hasReporting = choice & 4 == 0
            options.deflatesOnOOM = choice & 8 == 0
            return try! Balloon(options)
        },
        host: { device, bytes in
            guard let balloon = device as? Balloon else { return }
            switch bytes.byte() % 5 {
            case 0: balloon.setTarget(UInt64(bytes.number(UInt32.self)))
            case 1: balloon.requestStatistics()
            case 2: balloon.startHinting()
            case 3: balloon.stopHinting()
            default: balloon.setStatisticsInterval(UInt32(bytes.byte()))
            }
        },
        request: (0, [Piece(address: place, count: 4, isWritable: false)]))

    // MARK: - Memory

    /// Keeps books, and refuses now and then.
    private final class Blocks: MemoryBlocks, @unchecked Sendable {
        private let count: Int
        private var plugged: Set<Int> = []
        var isRefusing = false

        init(_ count: Int) { self.count = count }

        func plug(_ blocks: Range<Int>) throws(SystemError) {
            if isRefusing { throw SystemError("plug", .noMemory) }
            require(blocks.upperBound <= count, "a block is plugged that is not there")
            require(plugged.isDisjoint(with: blocks), "a block is plugged twice")
            plugged.formUnion(blocks)
        }

        func unplug(_ blocks: Range<Int>) throws(SystemError) -> Bool {
            if isRefusing { throw SystemError("unplug", .noMemory) }
            require(plugged.isSuperset(of: blocks), "a block is unplugged that was not plugged")
            plugged.subtract(blocks)
            return true
        }
    }

    static let memoryStart: UInt64 = 1 << 32
    static let memoryBlock: UInt64 = 2 << 20

    static let memory = Victim(
        name: "memory",
        make: { choice in
            let count = 8 + 8 * UInt64(choice & 7)
            let region = Memory.Region(
                start: GuestAddress(memoryStart), size: count * memoryBlock, blockSize: memoryBlock,
                step: choice & 8 != 0 ? memoryBlock : 8 * memoryBlock, node: choice & 16 != 0 ? 1 : nil)
            return Memory(region, Blocks(Int(count)))
        },
        host: { device, bytes in
            guard let memory = device as? Memory, let blocks = memory.blocks as? Blocks else { return }
            switch bytes.byte() % 4 {
            case 0: blocks.isRefusing.toggle()
            default: try? memory.setRequestedSize(UInt64(bytes.byte()) * memoryBlock)
            }
        },
        request: (
            0,
            [
                Piece(address: place, count: 24, isWritable: false),
                Piece(address: place + 512, count: 10, isWritable: true),
            ]
        ))

    // MARK: - Shared directory

    /// A folder with what is shared, and beside it what is not.
    private static let shareBase: String = {
        // No input fills the disk, nor is the signal for that the end.
        var limit = rlimit(rlim_cur: 16 << 20, rlim_max: 16 << 20)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
        signal(SIGXFSZ, SIG_IGN)
        var template = Array("/tmp/bulkhead-fuzz.XXXXXX".utf8CString)
        let path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
        mkdir("\(path)/outside", 0o700)
        put("\(path)/outside/secret", "secret")
        atexit { Victim.removeAll(Victim.shareBase) }
        return path
    }()

    private static func put(_ path: String, _ text: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        write(file, text, text.utf8.count)
        close(file)
    }

    private static func removeAll(_ path: String) {
        guard unlink(path) != 0, rmdir(path) != 0, let folder = opendir(path) else { return }
        var names: [String] = []
        while let entry = readdir(folder) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        closedir(folder)
        for name in names where name != "." && name != ".." { removeAll("\(path)/\(name)") }
        rmdir(path)
    }

    private static func checkOutside() {
        var status = stat()
        require(
            stat("\(shareBase)/outside/secret", &status) == 0 && status.st_size == 6 && status.st_nlink == 1
                && status.st_mode & 0o7777 == 0o644 && status.st_uid == getuid(),
            "what is not shared was changed")
        require(stat("\(shareBase)/outside", &status) == 0 && status.st_nlink == 2, "something was made outside")
    }

    static let fileSystem = Victim(
        name: "file-system",
        make: { choice in
            let share = "\(shareBase)/share"
            checkOutside()
            removeAll(share)
            mkdir(share, 0o755)
            put("\(share)/file", "hello")
            mkdir("\(share)/dir", 0o755)
            put("\(share)/dir/inner", "there")
            symlink("../outside", "\(share)/link")
            var options = FileSystem.Options()
            options.queueSize = 64
            options.share.isReadOnly = choice & 1 != 0
            if choice & 2 != 0 { options.share.nodeLimit = 3 }
            if choice & 4 != 0 { options.share.openLimit = 1 }
            options.share.cacheTime = 0
            return try! FileSystem.open(share, tag: "fuzz", options)
        },
        host: { device, bytes in
            // Somebody else on the host, who swaps things for others.
            let share = "\(shareBase)/share"
            switch bytes.byte() % 6 {
            case 0: rename("\(share)/dir", "\(share)/other")
            case 1:
                rename("\(share)/dir", "\(share)/other")
                symlink("../outside", "\(share)/dir")
            case 2: unlink("\(share)/file")
            case 3: rename("\(share)/file", "\(share)/dir/inner")
            case 4: (device as? FileSystem)?.server.nodes.closeAll()
            default: put("\(share)/file", "again")
            }
        },
        request: (
            1,
            [
                Piece(address: place, count: 40, isWritable: false),
                Piece(address: place + 512, count: 16, isWritable: true),
            ]
        ))
}
