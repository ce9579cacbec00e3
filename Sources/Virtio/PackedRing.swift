import GuestMemory

/// The packed layout: one ring of descriptors that both sides write, and an event suppression for each; section 2.8.
extension Virtqueue {
    /// The values of an event suppression's second half.
    private static let enable: UInt16 = 0
    private static let disable: UInt16 = 1
    private static let atDescriptor: UInt16 = 2

    func nextPacked(
        _ chain: DescriptorChain, _ rings: Rings, _ memory: GuestMemory
    ) throws(QueueError) -> Bool {
        guard try hasNextPacked(rings) else { return false }
        var walk = DescriptorWalk(
            ring: rings.descriptors, size: size, head: available.index, isPacked: true,
            allowsIndirect: allowsIndirect)
        while let descriptor = try walk.next(memory) { try chain.append(descriptor, memory) }
        chain.identifier = walk.identifier
        chain.entries = walk.ringEntries
        chain.position = available
        available.advance(by: chain.entries, size: size)
        return true
    }

    func hasNextPacked(_ rings: Rings) throws(QueueError) -> Bool {
        // Acquire: the rest of the chain is written before the first descriptor becomes available.
        let offset = Int(available.index) * RingDescriptor.size + 14
        let flags = RingDescriptor.Flags(rawValue: try rings.descriptors.ringLoadAcquire(UInt16.self, offset))
        return flags.contains(.available) == available.wrap && flags.contains(.used) != available.wrap
    }

    func publishPacked(
        _ rings: Rings, _ identifier: UInt16, _ entries: UInt16, _ written: UInt32
    ) throws(QueueError) {
        let offset = Int(used.index) * RingDescriptor.size
        try rings.descriptors.ringStore(written, offset + 8)
        try rings.descriptors.ringStore(identifier, offset + 12)
        var flags: RingDescriptor.Flags = used.wrap ? [.available, .used] : []
        if written > 0 { flags.insert(.write) }
        if isBatching && heldFlags == nil {
            // A driver reads the ring in its order: what lies behind the first is hidden with it.
            heldFlags = (offset + 14, flags.rawValue)
        } else {
            // Release: the flags hand the descriptor over, and with it the id, the length and the buffer's bytes.
            try rings.descriptors.ringStoreRelease(flags.rawValue, offset + 14)
        }
        used.advance(by: entries, size: size)
        usedSinceSignal = min(usedSinceSignal + UInt32(entries), 1 << 16)
    }

    func showPacked(_ rings: Rings) throws(QueueError) {
        guard let (offset, flags) = heldFlags else { return }
        heldFlags = nil
        try rings.descriptors.ringStoreRelease(flags, offset)
    }

    func needsInterruptPacked(_ rings: Rings) throws(QueueError) -> Bool {
        // One load: the position and what it means belong together.
        let wish = try rings.driver.ringLoadAcquire(UInt32.self, 0)
        switch UInt16(truncatingIfNeeded: wish >> 16) {
        case Virtqueue.disable: return false
        case Virtqueue.atDescriptor where hasEventIndex:
            var event = RingPosition()
            event.packed = UInt16(truncatingIfNeeded: wish)
            // An event of the round before lies one ring's length further back.
            let index = event.wrap == used.wrap ? event.index : event.index &- size
            return UInt32(used.index &- index &- 1) < usedSinceSignal
        default: return true
        }
    }

    func setNotificationsPacked(_ rings: Rings) throws(QueueError) {
        let flags =
            !wantsNotifications ? Virtqueue.disable : hasEventIndex ? Virtqueue.atDescriptor : Virtqueue.enable
        try rings.device.ringStoreRelease(UInt32(available.packed) | UInt32(flags) << 16, 0)
    }
}
