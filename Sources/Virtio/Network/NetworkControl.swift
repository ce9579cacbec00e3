import GuestMemory
import Linux

/// The driver's commands; virtio 1.2, section 5.1.6.5.
extension Network {
    /// Commands in a row before others have their turn.
    static let commandBudget = 16

    func serveControl(_ host: DeviceHost) throws(DeviceFault) {
        let index = host.features.contains(Features.Network.multiQueue) ? 2 * pairs.count : 2
        let queue = host.queues[index]
        // The driver agreed to no control queue where it is only another card's receive queue.
        guard host.features.contains(Features.Network.control) else { return }
        var isMore = true
        var left = Network.commandBudget
        while isMore {
            try queue.mute()
            while left > 0, try queue.take(controlChain) {
                left -= 1
                guard controlChain.writableCount >= 1 else {
                    throw .request(queue: queue.index, "a command without a place for its answer")
                }
                var writer = controlChain.writer
                let isDone = try execute(host)
                // VIRTIO_NET_OK is 0, VIRTIO_NET_ERR 1.
                writer.write(UInt8(isDone ? 0 : 1))
                try queue.finish(controlChain, written: 1)
            }
            guard left > 0 else {
                try queue.kickAgain()
                break
            }
            isMore = try queue.unmute()
        }
        try host.signal(queue)
    }

    private func execute(_ host: DeviceHost) throws(DeviceFault) -> Bool {
        var reader = controlChain.reader
        guard let kind = reader.read(UInt8.self), let number = reader.read(UInt8.self) else { return false }
        // The class VIRTIO_NET_CTRL_MQ is 4, VIRTIO_NET_CTRL_GUEST_OFFLOADS 5; each has one command.
        switch (kind, number) {
        case (4, 0) where host.features.contains(Features.Network.multiQueue):
            guard let wanted = reader.read(UInt16.self), wanted > 0, wanted <= pairs.count else { return false }
            return try setPairs(Int(wanted), host)
        case (5, 0) where host.features.contains(Features.Network.controlOffloads):
            guard let wanted = reader.read(UInt64.self) else { return false }
            let agreed = host.features.intersection(Features.Network.guestOffloads)
            guard agreed.isSuperset(of: Features(rawValue: wanted)) else { return false }
            let before = chosenOffloads
            chosenOffloads = Features(rawValue: wanted)
            do throws(SystemError) { try applyOffloads(host) } catch {
                chosenOffloads = before
                return false
            }
            return true
        default: return false
        }
    }

    private func setPairs(_ count: Int, _ host: DeviceHost) throws(DeviceFault) -> Bool {
        for pair in pairs {
            let isUsed = pair.index < count
            do throws(SystemError) { try pair.setAttached(isUsed) } catch { return false }
            if !isUsed { giveBack(pair, host) }
        }
        let before = activePairs
        activePairs = count
        for pair in pairs[min(before, count)..<count] {
            pair.mayRead = true
            try receive(pair, host)
            try transmit(pair, host)
        }
        return true
    }
}
