import CLinux
import CVirtio
import GuestMemory
import Linux

/// Frames to the guest: read from a tap straight into its buffers; virtio 1.2, section 5.1.6.3.
extension Network {
    /// The largest frame a tap gives where segmentation is left to the guest, with its header.
    static let largestFrame = 65550
    private static let largest = largestFrame + Network.headerSize
    /// Frames in a row before others have their turn.
    static let budget = 128

    func receive(_ pair: NetworkPair, _ host: DeviceHost) throws(DeviceFault) {
        let queue = host.queues[2 * pair.index]
        guard queue.isRunning, pair.mayRead || !pair.waiting.isEmpty || filter != nil else { return }
        defer { filter?.setTimer() }
        try queue.mute()
        for _ in 0..<Network.budget {
            let isStarved = try !collect(pair, queue, host)
            guard !receiveThrottle.isWaiting, !(isStarved && pair.held.isEmpty) else {
                if isStarved, pair.held.isEmpty { counted.missingBuffers += 1 }
                return try starve(pair, queue, host)
            }
            if pair.waiting.isEmpty, let frame = filter?.filter.next(now: Timer.now) {
                // A header that says nothing: all is done already.
                pair.waiting = [UInt8](repeating: 0, count: Network.headerSize) + frame
            }
            if !pair.waiting.isEmpty {
                guard try deliverWaiting(pair, queue, isStarved) else { return try starve(pair, queue, host) }
                continue
            }
            guard pair.mayRead else { return try starve(pair, queue, host) }
            guard receiveThrottle.admits(bytes: 1) else {
                counted.receiveThrottles += 1
                return try starve(pair, queue, host)
            }
            let count = read(pair, isStarved)
            if count <= 0 {
                if count < 0, Errno.current != .wouldBlock { counted.failedReads += 1 }
                receiveThrottle.giveBack(bytes: 1)
                pair.mayRead = false
                return try starve(pair, queue, host)
            }
            receiveThrottle.charge(bytes: count - 1)
            counted.received += 1
            counted.receivedBytes += UInt64(count)
            if count > pair.heldBytes {
                keep(pair, count)
            } else if count >= Network.headerSize {
                try deliver(pair, queue, count)
            }
        }
        try host.signal(queue)
        try comeBack(pair, host)
    }

    /// Ends a turn for want of frames, of buffers or of tokens; the next event of either brings another.
    private func starve(_ pair: NetworkPair, _ queue: Virtqueue, _ host: DeviceHost) throws(DeviceFault) {
        // Notifications are wanted only while a frame waits for buffers.
        let wantsBuffers = pair.held.isEmpty || !pair.waiting.isEmpty
        if wantsBuffers, !receiveThrottle.isWaiting, try queue.unmute() { try comeBack(pair, host) }
        try host.signal(queue)
    }

    /// Takes buffers until the largest frame fits.
    ///
    /// - Returns: false where the driver has no more.
    private func collect(_ pair: NetworkPair, _ queue: Virtqueue, _ host: DeviceHost) throws(DeviceFault) -> Bool {
        let isMergeable = host.features.contains(Features.Network.mergeableBuffers)
        while isMergeable ? pair.heldBytes < Network.largest : pair.held.isEmpty {
            let chain = pair.spare.popLast() ?? DescriptorChain()
            guard try queue.take(chain) else {
                pair.spare.append(chain)
                return false
            }
            guard chain.readableCount == 0, chain.writableCount >= Network.headerSize else {
                throw .request(queue: queue.index, "a buffer for frames that has no room for a header")
            }
            pair.held.append(chain)
            for segment in chain.segments { pair.heldVectors.append(segment) }
            pair.heldBytes += chain.writableCount
        }
        return true
    }

    /// Reads one frame into the buffers held, and what does not fit into a place of our own.
    private func read(_ pair: NetworkPair, _ isStarved: Bool) -> Int {
        let vectors = pair.heldVectors
        // With more pieces than one call takes there is no room for another.
        guard vectors.count < VectorList.most else { return 0 }
        guard pair.heldBytes < Network.largest else { return pair.cable.receive(into: vectors) }
        if pair.spill.isEmpty { pair.spill = [UInt8](repeating: 0, count: Network.largest) }
        return unsafe pair.spill.withUnsafeMutableBytes { spill in
            unsafe vectors.append(iovec(iov_base: spill.baseAddress, iov_len: spill.count))
            defer { vectors.removeLast() }
            return pair.cable.receive(into: vectors)
        }
    }

    /// Moves a frame that did not fit out of the guest's buffers, to wait for more of them.
    private func keep(_ pair: NetworkPair, _ count: Int) {
        var frame: [UInt8] = []
        frame.reserveCapacity(count)
        for chain in pair.held {
            for segment in chain.segments {
                segment.markWritten(count: segment.count)
                frame += (try? segment.bytes(count: segment.count)) ?? []
            }
        }
        frame += pair.spill.prefix(count - frame.count)
        pair.waiting = frame
    }

    /// Gives a frame that waited to the guest.
    ///
    /// - Returns: false where it goes on waiting.
    private func deliverWaiting(
        _ pair: NetworkPair, _ queue: Virtqueue, _ isStarved: Bool
    ) throws(DeviceFault) -> Bool {
        guard pair.waiting.count <= pair.heldBytes else {
            // One buffer is all a frame gets without merging, and a full ring is all there will ever be.
            guard !isStarved || UInt32(queue.inFlight) == UInt32(queue.size) else { return false }
            pair.waiting = []
            return true
        }
        var left = pair.waiting[...]
        for chain in pair.held where !left.isEmpty {
            var writer = chain.writer
            left = left.dropFirst(writer.write(Array(left.prefix(chain.writableCount))))
        }
        let count = pair.waiting.count
        pair.waiting = []
        try deliver(pair, queue, count)
        return true
    }

    /// Gives the buffers that a frame of `count` bytes filled back to the guest.
    private func deliver(_ pair: NetworkPair, _ queue: Virtqueue, _ count: Int) throws(DeviceFault) {
        var buffers = 0
        var room = 0
        while room < count {
            room += pair.held[buffers].writableCount
            buffers += 1
        }
        // The header's last field: into how many buffers the frame was cut; 1 without merging.
        var header = pair.held[0].writer
        if hidesFlags {
            header.write(UInt8(0))
            header.skip(Network.headerSize - 3)
        } else {
            header.skip(Network.headerSize - 2)
        }
        header.write(UInt16(buffers))
        var left = count
        // A driver that saw a part of them would take the frame for broken; section 5.1.6.4.
        queue.beginBatch()
        for chain in pair.held[..<buffers] {
            let length = min(left, chain.writableCount)
            mark(chain, length)
            try queue.finish(chain, written: length)
            left -= length
            pair.heldVectors.removeFirst(chain.segments.count)
            pair.heldBytes -= chain.writableCount
            pair.spare.append(chain)
        }
        try queue.show()
        pair.held.removeFirst(buffers)
    }

    /// The host's stack says of frames that it checked that their checksums are sound; a driver that did not agree to
    /// checksums must not see that.
    private var hidesFlags: Bool { host?.features.contains(Features.Network.guestChecksum) == false }

    private func mark(_ chain: DescriptorChain, _ count: Int) {
        var left = count
        for segment in chain.segments where left > 0 {
            segment.markWritten(count: left)
            left -= segment.count
        }
    }

    /// Puts the buffers back that are held, the last one first.
    func giveBack(_ pair: NetworkPair, _ host: DeviceHost) {
        while let chain = pair.held.popLast() {
            host.queues[2 * pair.index].giveBack(chain)
            pair.spare.append(chain)
        }
        pair.heldVectors.clear()
        pair.heldBytes = 0
    }
}
