import Linux

/// The status register's state machine: virtio 1.2, sections 2.1 and 3.1. Called with the device's lock held.
extension MMIOTransport {
    func writeStatus(_ value: UInt32) {
        if value == 0 {
            reset()
            return
        }
        // Only the eight bits exist, NEEDS_RESET is the device's own, and a bit is taken back by a reset alone.
        let wanted = DeviceStatus(rawValue: UInt8(truncatingIfNeeded: value)).subtracting(.needsReset).union(status)
        let new = wanted.subtracting(status)
        if new.contains(.failed) {
            status.insert(.failed)
            quiesce()
            return
        }
        guard !status.contains(.failed) else { return }
        status.formUnion(new.intersection([.acknowledge, .driver]))
        if new.contains(.featuresOK), status.contains([.acknowledge, .driver]) {
            // Without VERSION_1 a driver expects the legacy interface, which is not here.
            if negotiated.contains(.version1), offered.isSuperset(of: negotiated), device.accepts(negotiated) {
                status.insert(.featuresOK)
            }
        }
        if new.contains(.driverOK), status.contains(.featuresOK), !status.contains(.needsReset) { activate() }
    }

    private func activate() {
        status.insert(.driverOK)
        let faults = counted.faults
        attempt { () throws(DeviceFault) in
            for index in queues.indices where setups[index].isReady { try startQueue(index) }
            try begin()
        }
        guard counted.faults > faults else { return }
        counted.faults = faults
        counted.failedStarts += 1
    }

    func startQueue(_ index: Int) throws(DeviceFault) {
        do throws(QueueError) {
            try queues[index].start(setups[index].setup, features: negotiated, memory: memory)
        } catch { throw .queue(index: UInt16(index), error) }
    }

    /// Starts the device on queues that run.
    func begin() throws(DeviceFault) {
        attach()
        guard let registrar else { return }
        let host = DeviceHost(self, negotiated, registrar)
        self.host = host
        try device.start(host)
        try watchKicks()
    }

    func watchKicks() throws(DeviceFault) {
        guard let registrar, !device.isServedElsewhere else { return }
        for (index, queue) in queues.enumerated() where queue.isRunning {
            do throws(SystemError) {
                // By its edges: the counter is never read, which saves a system call for each notification.
                try registrar.add(queue.kick.descriptor, for: [.readable, .edgeTriggered], token: UInt32(index))
                // Watching reports a count that is there already: what came earlier is looked at.
                try queue.kick.add()
            } catch { throw .host(error) }
        }
    }

    func unwatchKicks() {
        guard let registrar else { return }
        for queue in queues { registrar.remove(queue.kick.descriptor) }
    }

    /// Stops the device's work, without telling it to forget its driver.
    func quiesce() {
        unwatchKicks()
        if host != nil, !isPaused { device.pause() }
        isPaused = true
    }

    /// As the driver's write of 0: nothing of it is left.
    func reset() {
        quiesce()
        // Also where it never started: it may have taken up a saved driver's state.
        device.stop()
        host = nil
        isPaused = false
        owesInterrupt = false
        detach()
        for queue in queues { queue.stop() }
        status = []
        negotiated = []
        setups = Array(repeating: QueueSlot(), count: queues.count)
        queueSelect = 0
        deviceFeaturesSelect = 0
        driverFeaturesSelect = 0
        lastFault = nil
        pendingCause = 0
    }

    func writeQueueReady(_ value: UInt32) {
        guard queueSelect < queues.count, status.contains(.featuresOK),
            status.isDisjoint(with: [.needsReset, .failed])
        else { return }
        let index = Int(queueSelect)
        if value == 1 {
            // A device at work has its queues; one more comes with the next start.
            guard !status.contains(.driverOK), setups[index].setup.size > 0 else { return }
            setups[index].isReady = true
        } else if value == 0, setups[index].isReady {
            setups[index].isReady = false
            guard host != nil else { return }
            // Whoever reads 0 back may reuse the memory: nothing may be under way in it.
            let wasPaused = isPaused
            quiesce()
            queues[index].stop()
            if !wasPaused { attempt { () throws(DeviceFault) in try carryOn() } }
        }
    }

    func carryOn() throws(DeviceFault) {
        isPaused = false
        if owesInterrupt {
            owesInterrupt = false
            raiseAgain()
        }
        try device.resume()
        try watchKicks()
    }

    /// Runs a part of the device's work; a fault asks the driver for a reset.
    func attempt(_ body: () throws(DeviceFault) -> Void) {
        do throws(DeviceFault) { try body() } catch {
            lastFault = error
            counted.faults += 1
            status.insert(.needsReset)
            quiesce()
            // The driver learns of it as of a change of configuration; section 2.1.2.
            interrupt(.configuration)
        }
    }
}
