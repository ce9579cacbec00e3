import GuestMemory

/// The split layout: a table of descriptors, a ring the driver writes and a ring the device writes; section 2.7.
extension Virtqueue {
    private static let noNotify: UInt16 = 1
    private static let noInterrupt: UInt16 = 1

    func nextSplit(
        _ chain: DescriptorChain, _ rings: Rings, _ memory: GuestMemory
    ) throws(QueueError) -> Bool {
        if available.index == seenAvailable {
            guard try hasNextSplit(rings) else { return false }
        }
        let head = try rings.driver.ringLoad(UInt16.self, 4 + 2 * Int(available.index % size))
        var walk = DescriptorWalk(
            ring: rings.descriptors, size: size, head: head, isPacked: false, allowsIndirect: allowsIndirect)
        while let descriptor = try walk.next(memory) { try chain.append(descriptor, memory) }
        chain.identifier = head
        chain.entries = 1
        chain.position = available
        available.index &+= 1
        return true
    }

    func hasNextSplit(_ rings: Rings) throws(QueueError) -> Bool {
        // Acquire: the entries below the index, and the descriptors they name, are read after it.
        let driver = try rings.driver.ringLoadAcquire(UInt16.self, 2)
        guard driver &- available.index <= size else {
            throw .availableIndexJump(from: available.index, to: driver)
        }
        seenAvailable = driver
        return driver != available.index
    }

    func publishSplit(_ rings: Rings, _ identifier: UInt16, _ written: UInt32) throws(QueueError) {
        let entry = 4 + 8 * Int(used.index % size)
        try rings.device.ringStore(UInt32(identifier), entry)
        try rings.device.ringStore(written, entry + 4)
        used.index &+= 1
        usedSinceSignal = min(usedSinceSignal + 1, 1 << 16)
        if !isBatching { try showSplit(rings) }
    }

    func showSplit(_ rings: Rings) throws(QueueError) {
        // Release: a driver that sees the index sees the entries and the buffers' bytes.
        try rings.device.ringStoreRelease(used.index, 2)
    }

    func needsInterruptSplit(_ rings: Rings) throws(QueueError) -> Bool {
        guard hasEventIndex else {
            return try rings.driver.ringLoad(UInt16.self, 0) & Virtqueue.noInterrupt == 0
        }
        let event = try rings.driver.ringLoad(UInt16.self, 4 + 2 * Int(size))
        return UInt32(used.index &- event &- 1) < usedSinceSignal
    }

    func setNotificationsSplit(_ rings: Rings) throws(QueueError) {
        if hasEventIndex {
            // An index that lies behind asks for nothing; only the wish to hear has to be written.
            if wantsNotifications { try rings.device.ringStore(available.index, 4 + 8 * Int(size)) }
        } else {
            try rings.device.ringStore(wantsNotifications ? 0 : Virtqueue.noNotify, 0)
        }
    }
}
