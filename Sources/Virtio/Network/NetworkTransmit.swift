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
        var isFiltered = false
        while isMore {
            try queue.mute()
            while !pair.isBlocked, !transmitThrottle.isWaiting, left > 0, try queue.take(pair.transmitChain) {
                left -= 1
                if try send(pair, queue) { isFiltered = true }
            }
            guard left > 0 else {
                try queue.kickAgain()
                break
            }
            // A full cable or an empty bucket goes on by an event of its own.
            isMore = pair.isBlocked || transmitThrottle.isWaiting ? false : try queue.unmute()
        }
        if left == Network.budget * 2 { counted.missingFrames += 1 }
        try host.signal(queue)
        // Whoever took a frame may answer it.
        if isFiltered { try receive(pair, host) }
    }

    /// - Returns: whether the filter took the frame.
    private func send(_ pair: NetworkPair, _ queue: Virtqueue) throws(DeviceFault) -> Bool {
        let chain = pair.transmitChain
        guard chain.readableCount >= Network.headerSize else {
            counted.malformed += 1
            throw .request(queue: queue.index, "a frame without its header")
        }
        guard transmitThrottle.admits(bytes: chain.readableCount) else {
            counted.transmitThrottles += 1
            queue.giveBack(chain)
            return false
        }
        pair.transmitVectors.clear()
        if let filter {
            if divert(pair, filter.filter) {
                transmitThrottle.giveBack(bytes: chain.readableCount)
                try queue.finish(chain, written: 0)
                return true
            }
        } else {
            for segment in chain.segments.prefix(chain.readableSegments) { pair.transmitVectors.append(segment) }
        }
        switch pair.cable.send(pair.transmitVectors, chain.readableCount) {
        case .blocked:
            transmitThrottle.giveBack(bytes: chain.readableCount)
            pair.isBlocked = true
            queue.giveBack(chain)
            return false
        case .refused: counted.failedWrites += 1
        case .sent:
            counted.sent += 1
            counted.sentBytes += UInt64(chain.readableCount)
        }
        try queue.finish(chain, written: 0)
        return false
    }

    /// Gives a frame to the filter, where it is for it; else makes it ready for the tap.
    private func divert(_ pair: NetworkPair, _ filter: any FrameFilter) -> Bool {
        var reader = pair.transmitChain.reader
        pair.head.fill(from: &reader)
        guard pair.head.isWanted(by: filter) else {
            // What was looked at is what goes out: the guest may write to its memory all the time.
            unsafe pair.transmitVectors.append(pair.head.vector)
            while let piece = reader.take(upTo: reader.count) { pair.transmitVectors.append(piece) }
            return false
        }
        // Larger than any packet: what is behind would be for nobody.
        let frame = pair.head.frameBytes + reader.read(upTo: Network.largestFrame)
        filter.take(frame, hasChecksum: !pair.head.needsChecksum, now: Timer.now)
        return true
    }
}

extension Virtqueue {
    /// Comes back to the queue after everyone else had their turn.
    func kickAgain() throws(DeviceFault) {
        do throws(SystemError) { try kick.add() } catch { throw .host(error) }
    }
}
