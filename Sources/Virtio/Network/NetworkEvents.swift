import GuestMemory
import Linux

extension Network {
    private static let receiveToken: UInt32 = 0
    private static let transmitToken: UInt32 = 1
    private static let filterToken: UInt32 = 2
    private static let cableTokens: UInt32 = 16

    /// The control queue follows the pairs that the driver knows of; section 5.1.2.
    private func controlIndex(_ host: DeviceHost) -> Int {
        host.features.contains(Features.Network.multiQueue) ? 2 * pairs.count : 2
    }

    public func start(_ host: DeviceHost) throws(DeviceFault) {
        self.host = host
        do throws(SystemError) {
            for pair in pairs { try pair.setAttached(pair.index < activePairs) }
            try applyOffloads(host)
        } catch { throw .host(error) }
        try watch(host)
    }

    /// Lets the host's stack leave undone what the guest can do itself.
    func applyOffloads(_ host: DeviceHost) throws(SystemError) {
        typealias Bits = Features.Network
        let chosen = chosenOffloads ?? host.features
        var offload: Tap.Offload = []
        if chosen.contains(Bits.guestChecksum) {
            offload.insert(.checksum)
            if chosen.contains(Bits.guestSegmentationV4) { offload.insert(.segmentationV4) }
            if chosen.contains(Bits.guestSegmentationV6) { offload.insert(.segmentationV6) }
            if chosen.contains(Bits.guestCongestion) { offload.insert(.congestion) }
            if chosen.contains(Bits.guestUDPFragmentation) { offload.insert(.udpFragmentation) }
        }
        for pair in pairs { try pair.cable.setOffload(offload) }
    }

    private func watch(_ host: DeviceHost) throws(DeviceFault) {
        try receiveThrottle.watch(host, token: Network.receiveToken)
        try transmitThrottle.watch(host, token: Network.transmitToken)
        try watchFilter(host)
        for pair in pairs {
            pair.mayRead = true
            pair.isBlocked = false
            try pair.cable.watch(host, token: Network.cableTokens + UInt32(pair.index))
        }
    }

    func watchFilter(_ host: DeviceHost) throws(DeviceFault) {
        guard let filter else { return }
        try host.watch(filter.timer.descriptor, for: .readable, token: Network.filterToken)
    }

    public func queueReady(_ index: Int) throws(DeviceFault) {
        guard let host else { return }
        if index == controlIndex(host) {
            try serveControl(host)
        } else if index / 2 < activePairs {
            if index % 2 == 0 {
                counted.receiveNotifications += 1
                try receive(pairs[index / 2], host)
            } else {
                counted.transmitNotifications += 1
                try transmit(pairs[index / 2], host)
            }
        }
        try noteConnection(host)
    }

    public func eventReady(_ token: UInt32, _ readiness: Readiness) throws(DeviceFault) {
        guard let host else { return }
        switch token {
        case Network.receiveToken:
            receiveThrottle.wake()
            counted.receiveThrottleEvents += 1
            for pair in pairs.prefix(activePairs) { try receive(pair, host) }
        case Network.transmitToken:
            transmitThrottle.wake()
            counted.transmitThrottleEvents += 1
            for pair in pairs.prefix(activePairs) { try transmit(pair, host) }
        case Network.filterToken:
            filter?.wake()
            if let first = pairs.first { try receive(first, host) }
        default:
            let index = Int(token - Network.cableTokens)
            guard index < activePairs else { return }
            let pair = pairs[index]
            counted.cableEvents += 1
            try pair.cable.wake()
            pair.mayRead = true
            try receive(pair, host)
            if readiness.contains(.writable), pair.cable.flush(), pair.isBlocked {
                pair.isBlocked = false
                try transmit(pair, host)
            }
        }
        try noteConnection(host)
    }

    /// Tells the driver when the far end came or went. What waits to be sent to nobody is lost.
    private func noteConnection(_ host: DeviceHost) throws(DeviceFault) {
        let pair = pairs[0]
        guard pair.cable.isConnected != wasConnected else { return }
        wasConnected.toggle()
        if isLinkUp { host.configurationChanged() }
        if pair.isBlocked {
            pair.isBlocked = false
            try transmit(pair, host)
        }
    }

    /// Wakes the loop for what a pair has left undone, after everyone else had their turn.
    func comeBack(_ pair: NetworkPair, _ host: DeviceHost) throws(DeviceFault) {
        try host.queues[2 * pair.index].kickAgain()
    }

    public func pause() {
        guard let host else { return }
        receiveThrottle.unwatch(host)
        transmitThrottle.unwatch(host)
        if let filter { host.unwatch(filter.timer.descriptor) }
        for pair in pairs {
            pair.cable.unwatch(host)
            giveBack(pair, host)
        }
    }

    public func resume() throws(DeviceFault) {
        guard let host else { return }
        try watch(host)
        for pair in pairs.prefix(activePairs) {
            try receive(pair, host)
            try transmit(pair, host)
        }
        try noteConnection(host)
    }

    public func stop() {
        host = nil
        activePairs = 1
        chosenOffloads = nil
        for pair in pairs { pair.waiting = [] }
        filter?.filter.reset()
    }
}
