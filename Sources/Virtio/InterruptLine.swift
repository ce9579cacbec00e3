import Linux

/// The wire from a device to its guest's interrupt controller.
public protocol InterruptLine: AnyObject, Sendable {
    /// Raises an edge.
    func raise()
    /// Hands on the driver's acknowledgements (writes of ``MMIORegister/interruptAcknowledge``) that the hypervisor has
    /// taken from it and kept. Called before a cause is added or looked at.
    func handOnAcknowledgements()
    /// By what another process can raise it; nil where that is not possible.
    var event: EventInterrupt? { get }
}

extension InterruptLine {
    /// None is kept.
    public func handOnAcknowledgements() {}
    public var event: EventInterrupt? { nil }
}

/// An interrupt as a write to an eventfd, which a hypervisor turns into one: `KVM_IRQFD`.
public final class EventInterrupt: InterruptLine {
    /// Readable after ``raise()``.
    public let counter: EventCounter

    public init() throws(SystemError) { counter = try EventCounter() }

    public var event: EventInterrupt? { self }

    public func raise() {
        // The counter is full only when nobody has taken 2^64 interrupts; then one is pending anyway.
        try? counter.add()
    }
}
