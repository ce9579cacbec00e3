import GuestMemory
import Linux

@testable import Virtio

/// Counts no interrupts.
private final class NoLine: InterruptLine {
    func raise() {}
}

/// A device behind its registers and a driver that does what a fuzzer's bytes say: well-formed chains with any contents
/// at any place, rubbish in rings and registers, kicks, resets, pauses, snapshots.
struct HostileDriver {
    /// What the host's side of a device does meanwhile, as bytes say.
    typealias Host = (any Device, inout Bytes) -> Void

    let transport: MMIOTransport
    private let loop: DeviceLoop
    private var rings: [Ring] = []
    private var pieces = Pieces()

    init(_ device: any Device) {
        loop = try! DeviceLoop()
        transport = try! MMIOTransport(device, memory: GuestRings.memory, interrupt: NoLine(), loop: loop)
    }

    /// What each byte of a program does. Seeds name them.
    enum Operation: UInt8, CaseIterable {
        case chain, kick, run, host, register, read, configure, poke, boot, pause, resume, save, chainKickRun,
            queueReady
        case acknowledge, jump
    }

    mutating func run(_ program: inout Bytes, _ host: Host) {
        boot(&program)
        for _ in 0..<200 where !program.isEmpty {
            switch Operation.allCases[Int(program.byte()) % Operation.allCases.count] {
            case .chain: chain(&program)
            case .kick: kick(UInt32(program.byte()))
            case .run: work()
            case .host: host(transport.device, &program)
            case .register:
                let (place, value) = (UInt64(program.byte()) * 4, program.number(UInt32.self))
                transport.write(place, UInt64(value), width: 4)
            case .read: _ = transport.read(UInt64(program.number(UInt16.self)), width: Int(program.byte() % 9))
            case .configure:
                let (place, width) = (UInt64(program.byte()), Int(program.byte() % 9))
                transport.write(0x100 + place, program.number(UInt64.self), width: width)
            case .poke: pieces.poke(&program)
            case .boot: boot(&program)
            case .pause: transport.pause()
            case .resume: transport.resume()
            case .save: save(&program)
            case .chainKickRun:
                let queue = chain(&program)
                kick(queue)
                work()
            case .queueReady:
                transport.write(MMIORegister.queueSelect.rawValue, UInt64(program.byte() % 8), width: 4)
                transport.write(MMIORegister.queueReady.rawValue, UInt64(program.byte() & 1), width: 4)
            case .acknowledge: transport.write(MMIORegister.interruptAcknowledge.rawValue, 3, width: 4)
            case .jump:
                // An index, or a packed descriptor's flags.
                guard !rings.isEmpty else { continue }
                let ring = program.choice(rings)
                let place = ring.isPacked ? ring.descriptors + 16 * UInt64(program.byte() % 64) + 14 : ring.driver + 2
                try? GuestRings.memory.store(program.number(UInt16.self), at: GuestAddress(place))
            }
        }
        work()
    }

    /// Lets the device work; however much its driver left it to do, it comes to an end.
    mutating func work() {
        for _ in 0..<64 { if (try? loop.poll(timeoutMilliseconds: 0)) == 0 { return } }
    }

    func kick(_ queue: UInt32) { transport.write(MMIORegister.queueNotify.rawValue, UInt64(queue % 9), width: 4) }

    @discardableResult
    private mutating func chain(_ program: inout Bytes) -> UInt32 {
        let queue = Int(program.byte()) % max(1, rings.count)
        let (pieces, table) = pieces.chain(&program)
        guard queue < rings.count else { return 0 }
        rings[queue].add(pieces, table: table)
        return UInt32(queue)
    }

    /// A driver's start with features and a layout as the bytes say.
    mutating func boot(_ program: inout Bytes) {
        let layout = program.byte()
        var features = Features(rawValue: .max).subtracting(.queue)
        if layout & 1 != 0 { features.insert(.packedRing) }
        if layout & 2 != 0 { features.insert(.eventIndex) }
        if layout & 4 != 0 { features.insert(.indirectDescriptors) }
        if layout & 8 != 0 { features.insert(.inOrder) }
        if layout & 16 != 0 { features.subtract(Features(rawValue: UInt64(program.number(UInt32.self)))) }
        boot(features, size: [4, 64, 8, 1, 16, 32, 2, 64][Int(layout >> 5)])
    }

    mutating func boot(_ wanted: Features, size: UInt16) {
        let features = wanted.intersection(transport.offered).union(.version1)
        for status: UInt64 in [0, 1, 3] { transport.write(MMIORegister.status.rawValue, status, width: 4) }
        for half: UInt64 in [0, 1] {
            transport.write(MMIORegister.driverFeaturesSelect.rawValue, half, width: 4)
            transport.write(
                MMIORegister.driverFeatures.rawValue, features.rawValue >> (32 * half) & 0xffff_ffff, width: 4)
        }
        transport.write(MMIORegister.status.rawValue, 11, width: 4)
        rings = transport.queues.indices.map {
            Ring(
                UInt32($0), size: min(size, transport.queues[$0].maximumSize), isPacked: features.contains(.packedRing))
        }
        try? GuestRings.memory.slice(GuestAddress(0), count: Int(GuestRings.buffers))
            .fill(0, count: Int(GuestRings.buffers))
        for ring in rings {
            transport.write(MMIORegister.queueSelect.rawValue, UInt64(ring.index), width: 4)
            transport.write(MMIORegister.queueSize.rawValue, UInt64(ring.size), width: 4)
            transport.write(MMIORegister.queueDescriptorLow.rawValue, ring.descriptors, width: 4)
            transport.write(MMIORegister.queueDriverLow.rawValue, ring.driver, width: 4)
            transport.write(MMIORegister.queueDeviceLow.rawValue, ring.device, width: 4)
            transport.write(MMIORegister.queueReady.rawValue, 1, width: 4)
        }
        transport.write(MMIORegister.status.rawValue, 15, width: 4)
    }

    /// Saves the device and takes its state up again, with a byte or two changed.
    private mutating func save(_ program: inout Bytes) {
        transport.pause()
        var bytes = transport.save().encoded()
        require((try? TransportState(bytes)) == transport.save(), "the state is read otherwise than it was written")
        for _ in 0..<program.byte() % 3 {
            let place = Int(program.number(UInt16.self)) % bytes.count
            bytes[place] = program.byte()
        }
        restore(bytes)
    }

    mutating func restore(_ bytes: [UInt8]) {
        guard let state = try? TransportState(bytes) else { return }
        if (try? transport.restore(state)) == nil {
            require(transport.currentStatus == [], "a refused state leaves a status")
        }
    }

    /// A well-behaved driver's start, which has to work whatever came before.
    mutating func recover() {
        GuestRings.clear()
        boot(Features(rawValue: .max).subtracting([.packedRing, .inOrder]), size: 64)
        work()
        let status = transport.currentStatus
        require(
            status == [.acknowledge, .driver, .featuresOK, .driverOK],
            "after a reset the status is \(status.rawValue): \(transport.fault.map(\.description) ?? "no fault")")
    }

    /// A request that has to be answered.
    mutating func expectAnswer(queue: Int, _ request: [Piece], _ makeRoom: () -> Void) {
        rings[queue].add(request, table: nil)
        kick(UInt32(queue))
        let place = GuestAddress(rings[queue].device + 2)
        for _ in 0..<100 {
            if (try? GuestRings.memory.load(UInt16.self, at: place)) == 1 { return }
            makeRoom()
            _ = try? loop.poll(timeoutMilliseconds: 20)
        }
        fatalError("after a reset queue \(queue) answers nothing")
    }
}
