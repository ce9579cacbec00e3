import CLinux
import CVirtio
import GuestMemory
import Linux

/// Frames from the guest: written straight from its buffers; virtio 1.2, section 5.1.6.2.
extension Network {
    func transmit(_ pair: NetworkPair, _ host: DeviceHost) throws(DeviceFault) {
        let queue = host.queues[2 * pair.index + 1]
        guard queue.isRunning else { return }
        var left = Network.budget * 2
        var isMore = true
        while isMore {
            try queue.mute()
            while !pair.isBlocked, !transmitThrottle.isWaiting, left > 0, try queue.take(pair.transmitChain) {
                left -= 1
                try send(pair, queue)
            }
            guard left > 0 else {
                try queue.kickAgain()
                break
            }
            // A full cable or an empty bucket goes on by an event of its own.
            isMore = pair.isBlocked || transmitThrottle.isWaiting ? false : try queue.unmute()
        }
        try host.signal(queue)
    }

    private func send(_ pair: NetworkPair, _ queue: Virtqueue) throws(DeviceFault) {
        let chain = pair.transmitChain
        guard chain.readableCount >= Network.headerSize else {
            throw .request(queue: queue.index, "a frame without its header")
        }
        guard transmitThrottle.admits(bytes: chain.readableCount) else {
            queue.giveBack(chain)
            return
        }
        pair.transmitVectors.clear()
        for segment in chain.segments.prefix(chain.readableSegments) { pair.transmitVectors.append(segment) }
        if case .blocked = pair.cable.send(pair.transmitVectors, chain.readableCount) {
            transmitThrottle.giveBack(bytes: chain.readableCount)
            pair.isBlocked = true
            queue.giveBack(chain)
            return
        }
        try queue.finish(chain, written: 0)
    }
}

extension Virtqueue {
    /// Comes back to the queue after everyone else had their turn.
    func kickAgain() throws(DeviceFault) {
        do throws(SystemError) { try kick.add() } catch { throw .host(error) }
    }
}
