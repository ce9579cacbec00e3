import GuestMemory
import Linux

/// What a started device has of its machine: memory, queues, the agreed features, a way to interrupt, and a loop to
/// register its own descriptors with.
public final class DeviceHost {
    /// The guest's memory.
    public let memory: GuestMemory
    /// All queues of the device; those that the driver did not enable are not running.
    public let queues: [Virtqueue]
    /// What both sides agreed on.
    public let features: Features
    private let registrar: DeviceLoop.Registrar
    #if hasFeature(Embedded)
        // Embedded Swift does not count those who do not own. A transport stops its device before it goes, and a device
        // that is stopped has no host.
        private unowned(unsafe) let transport: MMIOTransport
    #else
        private unowned let transport: MMIOTransport
    #endif

    /// Tokens of a device's own descriptors start here; those below are its queues.
    static let deviceTokens: UInt32 = 1 << 16

    init(_ transport: MMIOTransport, _ features: Features, _ registrar: DeviceLoop.Registrar) {
        self.transport = transport
        self.features = features
        self.registrar = registrar
        memory = transport.memory
        queues = transport.queues
    }

    /// By what another process can interrupt the driver; nil where that is not possible.
    public var interruptEvent: EventInterrupt? { transport.line.event }

    /// Interrupts the driver for the buffers given back in a queue, where it wants that.
    public func signal(_ queue: Virtqueue) throws(DeviceFault) {
        do throws(QueueError) {
            if try queue.needsInterrupt() { transport.interrupt(.usedBuffer) }
        } catch { throw .queue(index: queue.index, error) }
    }

    /// Interrupts the driver for what is done, and only then lets it notify again: what it adds meanwhile is seen without
    /// that, which spares it an exit.
    ///
    /// - Returns: true where more came in between.
    func signalAndUnmute(_ queue: Virtqueue) throws(DeviceFault) -> Bool {
        try signal(queue)
        return try queue.unmute()
    }

    /// Does what was not asked for by the driver, as a function that the device's user called: a fault is the driver's
    /// all the same, who is asked for a reset.
    public func attempt(_ body: () throws(DeviceFault) -> Void) {
        if !transport.isPaused { transport.attempt(body) }
    }

    /// Tells the driver that the configuration space changed.
    public func configurationChanged() { transport.configurationChanged() }

    /// Shows the driver the configuration space as it is now, where it changed by what the driver asked for: it is not
    /// told.
    public func configurationFollowed() { transport.showConfiguration() }

    /// Watches a descriptor of the device's own; ``Device/eventReady(_:_:)`` gets the token.
    public func watch(
        _ descriptor: borrowing Descriptor, for readiness: Readiness, token: UInt32
    ) throws(DeviceFault) {
        do throws(SystemError) {
            try registrar.add(descriptor, for: readiness, token: DeviceHost.deviceTokens + token)
        } catch { throw .host(error) }
    }

    /// Changes what a descriptor is watched for.
    public func rewatch(
        _ descriptor: borrowing Descriptor, for readiness: Readiness, token: UInt32
    ) throws(DeviceFault) {
        do throws(SystemError) {
            try registrar.modify(descriptor, for: readiness, token: DeviceHost.deviceTokens + token)
        } catch { throw .host(error) }
    }

    /// Stops watching; no error where it was not watched.
    public func unwatch(_ descriptor: borrowing Descriptor) { registrar.remove(descriptor) }
}
