import GuestMemory
import Linux

extension PersistentMemory {
    /// Flushes in a row before others have their turn: each may take as long as a disk does.
    static let budget = 4
    private static let throttleToken: UInt32 = 0
    /// The kind of request there is; section 5.19.6.
    private static let flush: UInt32 = 0

    /// Section 5.19.7.
    private enum Status {
        static let ok: UInt32 = 0
        static let ioError: UInt32 = 1
    }

    public func start(_ host: DeviceHost) throws(DeviceFault) {
        self.host = host
        try throttle.watch(host, token: PersistentMemory.throttleToken)
    }

    public func queueReady(_ index: Int) throws(DeviceFault) {
        counted.notifications += 1
        try serve()
    }

    public func eventReady(_ token: UInt32, _ readiness: Readiness) throws(DeviceFault) {
        throttle.wake()
        counted.throttleEvents += 1
        try serve()
    }

    public func pause() {
        if let host { throttle.unwatch(host) }
    }

    public func resume() throws(DeviceFault) {
        guard let host else { return }
        try throttle.watch(host, token: PersistentMemory.throttleToken)
        try serve()
    }

    public func stop() { host = nil }

    private func serve() throws(DeviceFault) {
        guard let host else { return }
        let queue = host.queues[0]
        var isMore = true
        var left = PersistentMemory.budget
        while isMore {
            try queue.mute()
            while !throttle.isWaiting, left > 0, try queue.take(chain) {
                left -= 1
                var reader = chain.reader
                guard let kind = reader.read(UInt32.self), reader.count == 0, chain.writableCount >= 4 else {
                    throw .request(queue: 0, "a request of persistent memory's that is no flush and room for a status")
                }
                guard throttle.admits(bytes: Int(clamping: file.fileSize)) else {
                    counted.throttles += 1
                    queue.giveBack(chain)
                    break
                }
                var writer = chain.writer
                writer.write(answer(kind))
                try queue.finish(chain, written: writer.written)
            }
            guard left > 0 else {
                try queue.kickAgain()
                break
            }
            // While it waits, the timer goes on, not the driver.
            isMore = throttle.isWaiting ? false : try host.signalAndUnmute(queue)
        }
        try host.signal(queue)
    }

    /// Each request has a flush of its own: one that came during the flush before may be about later writes.
    private func answer(_ kind: UInt32) -> UInt32 {
        guard kind == PersistentMemory.flush, (try? file.flush()) != nil else {
            counted.failures += 1
            return Status.ioError
        }
        counted.flushes += 1
        return Status.ok
    }
}
