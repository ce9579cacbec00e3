import CVirtio
import GuestMemory
import Linux

extension Entropy {
    /// The most bytes given for one buffer: a guest that asks for more gets fewer, as the standard allows, and a large
    /// buffer does not keep the loop busy.
    static let largestAnswer = 64 << 10
    /// Buffers in a row before others have their turn.
    static let budget = 64
    private static let throttleToken: UInt32 = 0

    public func start(_ host: DeviceHost) throws(DeviceFault) {
        self.host = host
        try throttle.watch(host, token: Entropy.throttleToken)
    }

    public func queueReady(_ index: Int) throws(DeviceFault) { try serve() }

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
        try throttle.watch(host, token: Entropy.throttleToken)
        try serve()
    }

    public func stop() { host = nil }

    private func serve() throws(DeviceFault) {
        guard let host else { return }
        let queue = host.queues[0]
        var isMore = true
        var left = Entropy.budget
        while isMore {
            try queue.mute()
            while !throttle.isWaiting, left > 0, try queue.take(chain) {
                left -= 1
                guard chain.readableCount == 0 else {
                    throw .request(queue: 0, "a request for random bytes that has bytes of its own")
                }
                let count = min(chain.writableCount, Entropy.largestAnswer)
                guard throttle.admits(bytes: count) else {
                    counted.throttles += 1
                    queue.giveBack(chain)
                    break
                }
                let written = fill(count)
                counted.requests += 1
                counted.bytes += UInt64(written)
                if written < count { counted.failures += 1 }
                try queue.finish(chain, written: written)
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

    private func fill(_ count: Int) -> Int {
        var writer = chain.writer
        writer.limit(to: count)
        while let slice = writer.take(upTo: count) {
            var done = 0
            while done < slice.count, let rest = try? slice.slice(at: done, count: slice.count - done) {
                let vector = unsafe rest.vector
                let got = unsafe getrandom(vector.iov_base, vector.iov_len, 0)
                if got > 0 {
                    rest.markWritten(count: got)
                    done += got
                } else if Errno.current != .interrupted {
                    return writer.written - slice.count + done
                }
            }
        }
        return writer.written
    }
}
