import GuestMemory

/// A transport and its device at rest, to be saved with their machine.
public struct TransportState: Hashable, Sendable {
    public var device: DeviceType
    public var status: DeviceStatus
    public var features: Features
    public var interruptCause: InterruptCause
    public var configurationGeneration: UInt32
    /// What the driver selected: device features, driver features, queue.
    public var selections: [UInt32]
    public var queues: [QueueState]
    /// The device's own state.
    public var deviceState: [UInt8]

    /// The format's number.
    private static let version: UInt32 = 0x564d_0001

    /// The state as bytes.
    public func encoded() -> [UInt8] {
        var encoder = StateEncoder(version: TransportState.version)
        encoder.write(device.rawValue)
        encoder.write(status.rawValue)
        encoder.write(features.rawValue)
        encoder.write(interruptCause.rawValue)
        encoder.write(configurationGeneration)
        for value in selections { encoder.write(value) }
        encoder.write(UInt16(queues.count))
        for queue in queues { queue.encode(&encoder) }
        encoder.write(deviceState)
        return encoder.bytes
    }

    /// Reads what ``encoded()`` gave.
    public init(_ bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: TransportState.version)
        device = DeviceType(rawValue: try decoder.read())
        status = DeviceStatus(rawValue: try decoder.read())
        features = Features(rawValue: try decoder.read())
        interruptCause = InterruptCause(rawValue: try decoder.read())
        configurationGeneration = try decoder.read()
        selections = [try decoder.read(), try decoder.read(), try decoder.read()]
        let count: UInt16 = try decoder.read()
        queues = []
        for _ in 0..<count { queues.append(try QueueState(&decoder)) }
        deviceState = try decoder.readBlock()
        try decoder.finish()
    }

    init(_ transport: MMIOTransport) {
        device = transport.device.type
        status = transport.status
        features = transport.negotiated
        interruptCause = InterruptCause(rawValue: transport.pendingCause)
        configurationGeneration = transport.generation
        selections = [transport.deviceFeaturesSelect, transport.driverFeaturesSelect, transport.queueSelect]
        queues = zip(transport.queues, transport.setups).map { queue, slot in
            var state = QueueState()
            state.setup = slot.setup
            state.isReady = slot.isReady
            // After a fault a buffer may still be out; the driver's reset comes before any other.
            if !transport.status.contains(.needsReset) { queue.save(into: &state) }
            return state
        }
        deviceState = transport.device.save()
    }
}

extension MMIOTransport {
    /// Ends the device's work for a while: afterwards it touches neither guest memory nor the interrupt line.
    public func pause() {
        device.lock.locked {
            if !isPaused { quiesce() }
        }
    }

    /// Goes on after ``pause()``.
    public func resume() {
        device.lock.locked {
            guard isPaused, status.isDisjoint(with: [.needsReset, .failed]) else { return }
            guard host != nil else {
                // The driver was not ready when the device was paused, and may become so.
                isPaused = false
                return
            }
            attempt { () throws(DeviceFault) in try carryOn() }
        }
    }

    /// The state of a paused device, or of one whose driver is not ready.
    ///
    /// - Precondition: paused, where the driver is ready.
    public func save() -> TransportState {
        device.lock.locked {
            precondition(isPaused || host == nil, "a device is paused before it is saved")
            return TransportState(self)
        }
    }

    /// Takes up a saved state, in a transport that no driver has touched; guest memory holds the rings already. The
    /// device starts as soon as it can; an interrupt that was pending is raised again.
    ///
    /// - Throws: ``StateError``; the transport is as after a reset then.
    public func restore(_ state: TransportState) throws(StateError) {
        try device.lock.locked { () throws(StateError) in
            defer { showConfiguration() }
            do throws(StateError) { try takeUp(state) } catch {
                reset()
                throw error
            }
        }
    }

    private func takeUp(_ state: TransportState) throws(StateError) {
        guard state.device == device.type else {
            throw .version(found: state.device.rawValue, expected: device.type.rawValue)
        }
        guard state.queues.count == queues.count, state.selections.count == 3 else {
            throw .mismatch("\(state.queues.count) queues instead of \(queues.count)")
        }
        // What a driver is still choosing among is looked at when it has chosen.
        guard offered.isSuperset(of: state.features),
            !state.status.contains(.featuresOK) || device.accepts(state.features)
        else { throw .mismatch("features that are not offered") }
        guard !state.status.contains(.driverOK) || state.status.contains(.featuresOK) else {
            throw .malformed("a driver that is ready without features")
        }
        reset()
        try device.restore(state.deviceState)
        (deviceFeaturesSelect, driverFeaturesSelect) = (state.selections[0], state.selections[1])
        queueSelect = state.selections[2]
        generation = state.configurationGeneration
        negotiated = state.features
        status = state.status
        for (index, saved) in state.queues.enumerated() {
            setups[index] = QueueSlot(setup: saved.setup, isReady: saved.isReady)
        }
        pendingCause = state.interruptCause.rawValue
        defer { if pendingCause != 0, status.contains(.driverOK) { raiseAgain() } }
        guard status.contains(.driverOK), status.isDisjoint(with: [.needsReset, .failed]) else { return }
        for (index, saved) in state.queues.enumerated() where saved.isReady {
            do throws(QueueError) {
                try queues[index].start(saved.setup, features: negotiated, memory: memory)
                try queues[index].restore(saved)
            } catch { throw .queue(index: UInt16(index), error) }
        }
        do throws(DeviceFault) { try begin() } catch { throw .refused(error.description) }
    }
}
