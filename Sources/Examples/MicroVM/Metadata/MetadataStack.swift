import Virtio

/// A web server of one address at the end of a guest's cable: frames in, frames out, and nothing of the host's network.
///
/// It answers ARP for its address and TCP on port 80. Nothing waits in it for the guest to take it but the answers of a
/// few connections: frames are made when the card asks for them.
final class MetadataStack: FrameFilter, @unchecked Sendable {
    static let defaultAddress = IPv4Address("169.254.169.254")!
    static let hardware: EthernetFrame.Address = 0x06_01_23_45_67_01
    static let port: UInt16 = 80
    static let mostConnections = 30
    /// A connection that was quiet for so long gives its place to another: nanoseconds.
    static let patience: UInt64 = 10_000_000_000
    /// Refusals that wait for the guest to take them.
    static let mostRefusals = 100
    /// Bytes of an answer that wait to be acknowledged before the next request is looked at.
    private static let mostWaiting = 64 << 10

    private struct Peer: Hashable {
        var address: IPv4Address
        var port: UInt16
    }

    private struct Client {
        var peer: Peer
        var hardware: EthernetFrame.Address
        var connection: TCPConnection
        var session = MetadataSession()
    }

    let address: IPv4Address
    private let service: MetadataService
    private let counters: MetadataCounters
    private let randomNumber: () -> UInt32
    // Guarded by the card's lock.
    private var clients: [Client] = []
    /// Whose turn it is.
    private var turn = 0
    private var replies: [EthernetFrame] = []

    /// - Parameter randomNumber: a number that the guest can't guess.
    init(
        at address: IPv4Address, _ store: MetadataStore, _ counters: MetadataCounters,
        randomNumber: @escaping () -> UInt32 = { UInt32.random(in: 0 ... .max) }
    ) {
        self.address = address
        self.counters = counters
        self.randomNumber = randomNumber
        service = MetadataService(store: store, counters: counters)
    }

    // MARK: - In

    func wants(_ head: RawSpan) -> Bool {
        switch head.bigEndian(at: 12, as: UInt16.self) {
        case EthernetFrame.Kind.ipv4.rawValue: head.bigEndian(at: 30, as: UInt32.self) == address.rawValue
        case EthernetFrame.Kind.arp.rawValue: head.bigEndian(at: 38, as: UInt32.self) == address.rawValue
        default: false
        }
    }

    func take(_ frame: [UInt8], hasChecksum: Bool, now: UInt64) {
        counters.count(.accepted)
        guard let frame = EthernetFrame(frame) else { return counters.count(.malformed) }
        switch frame.kind {
        case .arp:
            guard let packet = ARPPacket(frame.payload) else { return counters.count(.malformed) }
            guard packet.operation == .request, packet.target == address else { return counters.count(.unusual) }
            reply(.init(to: frame.source, from: Self.hardware, .arp, packet.reply(from: Self.hardware).bytes))
        case .ipv4:
            guard let packet = IPv4Packet(frame.payload) else { return counters.count(.malformed) }
            guard packet.transport == IPv4Packet.tcp, packet.destination == address else {
                return counters.count(.unusual)
            }
            guard let segment = TCPSegment(of: packet, isChecked: hasChecksum) else {
                return counters.count(.malformed)
            }
            counters.count(.segment)
            take(segment, from: Peer(address: packet.source, port: segment.sourcePort), frame.source, now)
        }
    }

    private func take(
        _ segment: TCPSegment, from peer: Peer, _ hardware: EthernetFrame.Address, _ now: UInt64
    ) {
        if segment.destinationPort == Self.port, let index = clients.firstIndex(where: { $0.peer == peer }) {
            if segment.flags.contains(.reset) { counters.count(.unusual) }
            clients[index].hardware = hardware
            let bytes = clients[index].connection.receive(segment, now: now)
            clients[index].session.take(bytes)
            serve(index, now)
            return
        }
        guard !segment.flags.contains(.reset) else { return counters.count(.unusual) }
        guard segment.destinationPort == Self.port,
            segment.flags.intersection([.synchronize, .acknowledge]) == .synchronize, makePlace(now)
        else { return refuse(segment, peer, hardware) }
        clients.append(
            Client(
                peer: peer, hardware: hardware,
                connection: TCPConnection(
                    answering: segment, number: randomNumber(), window: MetadataSession.room, now: now)))
        counters.count(.opened)
    }

    /// Answers what was asked for, one request after the other, as the client takes the answers.
    private func serve(_ index: Int, _ now: UInt64) {
        while clients[index].connection.unsent < Self.mostWaiting,
            let answer = clients[index].session.next(service, now: now)
        {
            clients[index].connection.send(answer)
        }
        let isBusy = clients[index].connection.unsent >= Self.mostWaiting
        if clients[index].session.isOver || (clients[index].connection.isFinishedByPeer && !isBusy) {
            clients[index].connection.close()
        }
        clients[index].connection.window = clients[index].session.window
    }

    /// - Returns: whether there is a place for another connection.
    private func makePlace(_ now: UInt64) -> Bool {
        guard clients.count >= Self.mostConnections else { return true }
        guard
            let index = clients.indices.min(by: { clients[$0].connection.lastHeard < clients[$1].connection.lastHeard }
            ),
            now >= clients[index].connection.lastHeard,
            now - clients[index].connection.lastHeard >= Self.patience
        else { return false }
        var client = clients[index]
        client.connection.reset()
        if let segment = client.connection.next(now: now) { reply(frame(segment, client.peer, client.hardware)) }
        remove(index)
        return true
    }

    private func remove(_ index: Int) {
        clients.remove(at: index)
        counters.count(.closed)
    }

    /// There is no such connection; RFC 9293, section 3.5.2.
    private func refuse(_ segment: TCPSegment, _ peer: Peer, _ hardware: EthernetFrame.Address) {
        counters.count(.unusual)
        var refusal: TCPSegment
        if segment.flags.contains(.acknowledge) {
            refusal = TCPSegment(
                from: segment.destinationPort, to: segment.sourcePort, segment.acknowledgement, .reset)
        } else {
            refusal = TCPSegment(
                from: segment.destinationPort, to: segment.sourcePort, SequenceNumber(0), [.reset, .acknowledge])
            refusal.acknowledgement = segment.sequence + segment.length
        }
        reply(frame(refusal, peer, hardware))
    }

    private func reply(_ frame: EthernetFrame) {
        if replies.count < Self.mostRefusals { replies.append(frame) }
    }

    private func frame(
        _ segment: TCPSegment, _ peer: Peer, _ hardware: EthernetFrame.Address
    ) -> EthernetFrame {
        let packet = IPv4Packet(
            from: address, to: peer.address, IPv4Packet.tcp, segment.bytes(from: address, to: peer.address))
        return EthernetFrame(to: hardware, from: Self.hardware, .ipv4, packet.bytes)
    }

    // MARK: - Out

    func next(now: UInt64) -> [UInt8]? {
        guard let frame = nextFrame(now) else { return nil }
        let bytes = frame.bytes
        counters.count(.sentFrame)
        counters.count(.sentBytes, UInt64(bytes.count))
        return bytes
    }

    private func nextFrame(_ now: UInt64) -> EthernetFrame? {
        if !replies.isEmpty { return replies.removeFirst() }
        // Each connection has its turn.
        for _ in 0..<clients.count {
            turn = turn + 1 < clients.count ? turn + 1 : 0
            let segment = clients[turn].connection.next(now: now)
            let (peer, hardware) = (clients[turn].peer, clients[turn].hardware)
            if clients[turn].connection.isOver { remove(turn) }
            if let segment { return frame(segment, peer, hardware) }
            if clients.isEmpty { return nil }
        }
        return nil
    }

    var deadline: UInt64? { clients.lazy.compactMap { $0.connection.deadline }.min() }

    func reset() {
        for _ in clients { counters.count(.closed) }
        (clients, replies, turn) = ([], [], 0)
    }
}
