import GuestMemory
import Linux

extension Vsock {
    static let listenerToken: UInt32 = 0
    static let timerToken: UInt32 = 1
    private static let connectionTokens: UInt32 = 16
    /// The longest greeting: `CONNECT 4294967295\n`.
    private static let longestGreeting = 32

    public func start(_ host: DeviceHost) throws(DeviceFault) {
        self.host = host
        try watch(host)
        try sendEvents(host)
    }

    private func watch(_ host: DeviceHost) throws(DeviceFault) {
        try watchListener(host)
        try host.watch(timer.descriptor, for: .readable, token: Vsock.timerToken)
        for connection in connections.values { try watch(connection, host) }
    }

    private func watch(_ connection: VsockConnection, _ host: DeviceHost) throws(DeviceFault) {
        try host.watch(
            connection.socket, for: [.readable, .writable, .peerClosed, .edgeTriggered],
            token: Vsock.connectionTokens + connection.token)
    }

    public func queueReady(_ index: Int) throws(DeviceFault) {
        guard let host else { return }
        switch index {
        case 0:
            counted.receiveNotifications += 1
            try send(host)
        case 1:
            counted.transmitNotifications += 1
            try receive(host)
        default: try sendEvents(host)
        }
    }

    public func eventReady(_ token: UInt32, _ readiness: Readiness) throws(DeviceFault) {
        guard let host else { return }
        switch token {
        case Vsock.listenerToken: try accept(host)
        case Vsock.timerToken: sweep(host)
        default:
            // Absent: closed by an earlier event.
            guard let connection = connections[token - Vsock.connectionTokens] else { return }
            connection.mayRead = true
            if connection.state == .greeting { try greet(connection) }
            if readiness.contains(.writable) { flush(connection) }
            enqueue(connection)
        }
        try send(host)
    }

    public func pause() {
        guard let host else { return }
        unwatchListener(host)
        host.unwatch(timer.descriptor)
        timer.set(after: 0)
        isTimerSet = false
        for connection in connections.values { host.unwatch(connection.socket) }
    }

    public func resume() throws(DeviceFault) {
        guard let host else { return }
        try watch(host)
        setTimer()
        for connection in connections.values {
            connection.mayRead = true
            enqueue(connection)
        }
        try send(host)
        try receive(host)
        try sendEvents(host)
    }

    /// The guest is gone: so are its connections.
    public func stop() {
        host = nil
        counted.removed += UInt64(connections.count)
        connections = [:]
        byPorts = [:]
        line = []
        resets = []
        owesTransportReset = false
    }

    // MARK: - Connections

    private func add(
        _ socket: consuming Descriptor, _ ports: VsockPorts, _ state: VsockConnection.State, _ host: DeviceHost
    ) throws(DeviceFault) -> VsockConnection {
        repeat { nextToken = (nextToken &+ 1) & 0x3fff_ffff } while connections[nextToken] != nil
        let connection = VsockConnection(token: nextToken, socket: socket, ports: ports, state: state)
        try watch(connection, host)
        connections[connection.token] = connection
        counted.added += 1
        return connection
    }

    func remove(_ connection: VsockConnection) {
        host?.unwatch(connection.socket)
        if connections.removeValue(forKey: connection.token) != nil { counted.removed += 1 }
        if byPorts[connection.ports] === connection { byPorts[connection.ports] = nil }
        connection.pending = []
        connection.isOver = true
        connection.deadline = nil
    }

    func enqueue(_ connection: VsockConnection) {
        guard !connection.isQueued, connection.hasWork else { return }
        connection.isQueued = true
        line.append(connection)
    }

    private func refuse(_ ports: VsockPorts) {
        // A guest that asks for refusals and takes none gets no more of them.
        if resets.count < Vsock.mostResets { resets.append(ports) }
    }

    private func setDeadline(_ connection: VsockConnection) {
        connection.deadline = Timer.now + patience
        setTimer()
    }

    private func setTimer() {
        guard !isTimerSet, !isListening || connections.values.contains(where: { $0.deadline != nil }) else { return }
        isTimerSet = true
        timer.set(after: patience / 4)
    }

    /// Gives up on who has not answered in time, and listens again where the host could not take connections.
    private func sweep(_ host: DeviceHost) {
        timer.acknowledge()
        isTimerSet = false
        let now = Timer.now
        for connection in Array(connections.values) where connection.deadline.map({ $0 <= now }) == true {
            counted.killed += 1
            if connection.state == .greeting {
                remove(connection)
            } else {
                connection.deadline = nil
                connection.pending = .reset
                enqueue(connection)
            }
        }
        // Where the host can't do even that, the timer brings the next try.
        try? watchListener(host)
        setTimer()
    }

    // MARK: - The host's programs

    private func accept(_ host: DeviceHost) throws(DeviceFault) {
        for _ in 0..<64 {
            let socket: Descriptor
            do throws(SystemError) {
                guard let next = try accept() else { return }
                socket = next
            } catch {
                // Whoever waits stays in the backlog, and would wake the loop for ever.
                unwatchListener(host)
                return setTimer()
            }
            guard connections.count < Vsock.mostConnections else { continue }
            let connection = try add(socket, VsockPorts(host: 0, guest: 0), .greeting, host)
            setDeadline(connection)
        }
    }

    /// Reads a greeting byte by byte: what comes behind it belongs to the guest.
    private func greet(_ connection: VsockConnection) throws(DeviceFault) {
        while connection.greeting.count < Vsock.longestGreeting {
            let bytes: [UInt8]
            do throws(SystemError) { bytes = try connection.socket.read(upTo: 1) } catch {
                if error.errno != .wouldBlock { remove(connection) }
                return
            }
            guard let byte = bytes.first else { return remove(connection) }
            if byte != UInt8(ascii: "\n") {
                connection.greeting.append(byte)
                continue
            }
            guard let port = Vsock.port(connection.greeting) else { return remove(connection) }
            repeat {
                nextPort = 1 << 30 | (nextPort &+ 1) & 0x3fff_ffff
            } while byPorts[
                VsockPorts(host: nextPort, guest: port)] != nil
            connection.ports = VsockPorts(host: nextPort, guest: port)
            byPorts[connection.ports] = connection
            connection.state = .requested
            connection.pending.insert(.request)
            setDeadline(connection)
            return
        }
        remove(connection)
    }

    /// The port in `CONNECT <port>`.
    static func port(_ greeting: [UInt8]) -> UInt32? {
        let words = greeting.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 2, words[0].elementsEqual("CONNECT".utf8),
            words[1].allSatisfy({ (48...57).contains($0) })
        else { return nil }
        return UInt32(String(decoding: words[1], as: UTF8.self))
    }

    private func flush(_ connection: VsockConnection) {
        guard connection.state == .established || connection.state == .closing else { return }
        guard connection.flush() else {
            counted.failedFlushes += 1
            return abort(connection)
        }
        settle(connection)
    }

    /// What follows when the guest's bytes are out.
    private func settle(_ connection: VsockConnection) {
        if connection.owesCredit { connection.pending.insert(.creditUpdate) }
        guard !connection.hasBuffered else { return }
        if connection.state == .closing {
            // Clean disconnect: section 5.10.6.5. A reset answers the shutdown.
            connection.pending = .reset
        } else if connection.guestShutdown.contains(.send) {
            connection.closeWriting()
        }
        enqueue(connection)
    }

    private func abort(_ connection: VsockConnection) {
        connection.pending = .reset
        enqueue(connection)
    }

    // MARK: - From the guest

    private func receive(_ host: DeviceHost) throws(DeviceFault) {
        let queue = host.queues[1]
        var isMore = true
        var left = 512
        while isMore {
            try queue.mute()
            while left > 0, try queue.take(chain) {
                left -= 1
                var reader = chain.reader
                guard let packet = VsockPacket(&reader), Int(packet.count) <= reader.count else {
                    throw .request(queue: 1, "a packet shorter than it says")
                }
                reader.limit(to: Int(packet.count))
                counted.sent += 1
                counted.sentBytes += UInt64(packet.count)
                try handle(packet, &reader, host)
                try queue.finish(chain, written: 0)
            }
            if left == 0 {
                try queue.kickAgain()
                break
            }
            isMore = try queue.unmute()
        }
        try host.signal(queue)
        try send(host)
    }

    private func handle(
        _ packet: VsockPacket, _ reader: inout ChainReader, _ host: DeviceHost
    ) throws(DeviceFault) {
        // Packets to others than the host, or in another's name, are dropped; section 5.10.6.4.
        guard packet.targetCID == VsockPacket.hostCID, packet.sourceCID == cid else { return }
        let ports = VsockPorts(host: packet.targetPort, guest: packet.sourcePort)
        guard packet.kind == VsockPacket.stream, let operation = VsockPacket.Operation(rawValue: packet.operation)
        else {
            if packet.operation != VsockPacket.Operation.reset.rawValue { refuse(ports) }
            return
        }
        guard let connection = byPorts[ports] else {
            if operation == .request {
                try connect(ports, packet, host)
            } else if operation != .reset {
                refuse(ports)
            }
            return
        }
        connection.update(packet)
        switch operation {
        case .request: abort(connection)
        case .response:
            guard connection.state == .requested else { return abort(connection) }
            connection.state = .established
            connection.deadline = nil
            guard connection.say("OK \(ports.host)\n") else { return abort(connection) }
        case .reset: return remove(connection)
        case .shutdown: shutDown(connection, VsockPacket.Shutdown(rawValue: packet.flags))
        case .data:
            guard connection.state == .established, !connection.guestShutdown.contains(.send) else {
                return abort(connection)
            }
            guard connection.write(&reader) else {
                counted.failedWrites += 1
                return abort(connection)
            }
            if connection.owesCredit { connection.pending.insert(.creditUpdate) }
        case .creditUpdate: break
        case .creditRequest: connection.pending.insert(.creditUpdate)
        }
        enqueue(connection)
    }

    private func connect(
        _ ports: VsockPorts, _ packet: VsockPacket, _ host: DeviceHost
    ) throws(DeviceFault) {
        guard connections.count < Vsock.mostConnections, let socket = dial(ports.host) else { return refuse(ports) }
        let connection = try add(socket, ports, .established, host)
        byPorts[ports] = connection
        connection.update(packet)
        connection.pending.insert(.response)
        enqueue(connection)
    }

    private func shutDown(_ connection: VsockConnection, _ flags: VsockPacket.Shutdown) {
        guard connection.state == .established || connection.state == .closing else { return abort(connection) }
        connection.guestShutdown.formUnion(flags)
        if connection.guestShutdown.isSuperset(of: [.receive, .send]) {
            connection.state = .closing
            setDeadline(connection)
        }
        settle(connection)
    }

    // MARK: - To the guest

    /// Fills the guest's buffers with what waits for it.
    func send(_ host: DeviceHost) throws(DeviceFault) {
        let queue = host.queues[0]
        var left = 512
        while !resets.isEmpty || !line.isEmpty {
            guard left > 0 else {
                try queue.kickAgain()
                break
            }
            left -= 1
            guard try queue.take(chain) else {
                if try queue.unmute() { continue }
                break
            }
            guard chain.readableCount == 0, chain.writableCount >= VsockPacket.size else {
                throw .request(queue: 0, "a buffer that has no room for a packet's header")
            }
            var writer = chain.writer
            guard fill(&writer) else {
                queue.giveBack(chain)
                break
            }
            counted.received += 1
            counted.receivedBytes += UInt64(max(0, writer.written - VsockPacket.size))
            try queue.finish(chain, written: writer.written)
        }
        try host.signal(queue)
    }

    /// Writes the next packet into a buffer.
    ///
    /// - Returns: false where there is none after all.
    private func fill(_ writer: inout ChainWriter) -> Bool {
        if !resets.isEmpty {
            VsockPacket(.reset, to: cid, resets.removeFirst()).write(&writer)
            return true
        }
        while !line.isEmpty {
            let connection = line.removeFirst()
            connection.isQueued = false
            guard connections[connection.token] === connection else { continue }
            let isFilled = fill(&writer, connection)
            // Behind the others.
            if connections[connection.token] === connection { enqueue(connection) }
            if isFilled { return true }
        }
        return false
    }

    private func fill(_ writer: inout ChainWriter, _ connection: VsockConnection) -> Bool {
        for (pending, operation) in [
            (.reset, .reset), (.request, .request), (.response, .response), (.creditRequest, .creditRequest),
        ] as [(VsockConnection.Pending, VsockPacket.Operation)] where connection.pending.contains(pending) {
            connection.pending.remove(pending)
            connection.packet(operation, to: cid).write(&writer)
            if operation == .reset { remove(connection) }
            return true
        }
        if connection.canRead {
            if connection.credit == 0 {
                connection.askForCredit()
            } else {
                var body = writer
                body.skip(VsockPacket.size)
                let count = body.count > 0 ? connection.read(&body) : -1
                if count > 0 {
                    var packet = connection.packet(.data, to: cid)
                    packet.count = UInt32(count)
                    packet.write(&writer)
                    writer.skip(count)
                    return true
                }
                connection.mayRead = false
                if count == 0 {
                    connection.isOver = true
                    connection.pending.insert(.shutdown)
                }
            }
        }
        if connection.pending.contains(.shutdown) {
            connection.pending.remove(.shutdown)
            var packet = connection.packet(.shutdown, to: cid)
            // The program sends no more; whether it still reads is seen when something is sent to it.
            packet.flags = VsockPacket.Shutdown.send.rawValue
            packet.write(&writer)
            return true
        }
        for (pending, operation) in [(.creditRequest, .creditRequest), (.creditUpdate, .creditUpdate)]
            as [(VsockConnection.Pending, VsockPacket.Operation)] where connection.pending.contains(pending)
        {
            connection.pending.remove(pending)
            connection.packet(operation, to: cid).write(&writer)
            return true
        }
        return false
    }

    /// Tells the guest that its connections are gone, as after a snapshot; section 5.10.6.7.
    private func sendEvents(_ host: DeviceHost) throws(DeviceFault) {
        let queue = host.queues[2]
        guard owesTransportReset, try queue.take(chain) else { return }
        var writer = chain.writer
        // VIRTIO_VSOCK_EVENT_TRANSPORT_RESET is 0.
        guard writer.write(UInt32(0)) else { throw .request(queue: 2, "a buffer that has no room for an event") }
        owesTransportReset = false
        try queue.finish(chain, written: 4)
        try host.signal(queue)
    }
}
