import Linux

extension VhostUserBlock {
    private static let connectionToken: UInt32 = 0

    public func start(_ host: DeviceHost) throws(DeviceFault) {
        self.host = host
        try begin()
    }

    /// The loop is not told of queues.
    public func queueReady(_ index: Int) throws(DeviceFault) {}

    /// The backend has gone.
    public func eventReady(_ token: UInt32, _ readiness: Readiness) throws(DeviceFault) {
        throw .backend(VhostUserError(nil, .closed))
    }

    public func pause() {
        guard let host else { return }
        frontend.withSocket { host.unwatch($0) }
        let running = host.queues.filter { $0.isRunning }
        // Where that is refused the backend has gone, or is left alone, and going on will tell.
        guard let ended = try? frontend.end(running.map { UInt32($0.index) }) else { return }
        for (queue, base) in zip(running, ended) { bases[Int(queue.index)] = base }
    }

    public func resume() throws(DeviceFault) { try begin() }

    public func memoryGrew() throws(DeviceFault) {
        // A table is changed while nothing is under way in it.
        pause()
        try begin()
    }

    public func stop() {
        host = nil
        bases = Array(repeating: 0, count: bases.count)
    }

    private func begin() throws(DeviceFault) {
        guard let host else { return }
        let begin = Timer.now
        let running = host.queues.filter { $0.isRunning }
        let queues = running.map { queue in
            VhostUserFrontend.Queue(
                index: UInt32(queue.index), setup: queue.setup, base: bases[Int(queue.index)],
                kick: queue.kick.descriptor.rawValue)
        }
        do throws(VhostUserError) {
            guard let event = host.interruptEvent else {
                throw VhostUserError(nil, .lacking("the interrupt is none that another process can raise"))
            }
            try frontend.begin(host.features, host.memory, queues, call: event.counter.descriptor.rawValue)
        } catch {
            counted.activationFailures += 1
            throw .backend(error)
        }
        try frontend.withSocket { (socket) throws(DeviceFault) in
            try host.watch(socket, for: .peerClosed, token: Self.connectionToken)
        }
        // What came earlier is looked at.
        for queue in running {
            do throws(SystemError) { try queue.kick.add() } catch { throw .host(error) }
        }
        counted.activationTime = Timer.now - begin
    }
}
