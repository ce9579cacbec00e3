import Linux
import Synchronization

/// A thread's loop over the events of one or more devices.
///
/// The caller brings the thread: it calls ``run()``, which returns after ``stop()``. Devices attach and detach from any
/// thread.
public final class DeviceLoop: Sendable {
    /// Receives the events of the descriptors it registered.
    protocol Handler: AnyObject, Sendable {
        func handle(_ token: UInt32, _ readiness: Readiness)
    }

    private let loop: EventLoop
    private let wake: EventCounter
    private let handlers = Mutex<[UInt32: any Handler]>([:])
    private let next = Atomic<UInt32>(1)
    private let isStopped = Atomic<Bool>(false)

    public init() throws(SystemError) {
        loop = try EventLoop()
        wake = try EventCounter()
        try loop.add(wake.descriptor, for: .readable, token: 0)
    }

    /// Handles events until ``stop()``.
    public func run() throws(SystemError) {
        while !isStopped.load(ordering: .acquiring) { try poll(timeoutMilliseconds: -1) }
    }

    /// Handles the events that are there, or come within the time.
    ///
    /// - Parameter timeoutMilliseconds: -1 waits for ever.
    /// - Returns: how many there were.
    @discardableResult
    public func poll(timeoutMilliseconds: CInt) throws(SystemError) -> Int {
        try loop.wait(timeoutMilliseconds: timeoutMilliseconds) { token, readiness in
            if token == 0 {
                _ = try? wake.take()
                return
            }
            // Absent: detached by an earlier event of the same wait.
            let handler = handlers.withLock { $0[UInt32(token >> 32)] }
            handler?.handle(UInt32(truncatingIfNeeded: token), readiness)
        }
    }

    /// Makes ``run()`` return after the event at hand.
    public func stop() {
        isStopped.store(true, ordering: .releasing)
        try? wake.add()
    }

    func attach(_ handler: any Handler) -> Registrar {
        let slot = next.wrappingAdd(1, ordering: .relaxed).oldValue
        handlers.withLock { $0[slot] = handler }
        return Registrar(loop: self, slot: slot)
    }

    func detach(_ registrar: Registrar) {
        handlers.withLock { _ = $0.removeValue(forKey: registrar.slot) }
    }

    /// What one handler may do with the loop: register descriptors of its own.
    struct Registrar: Sendable {
        fileprivate let loop: DeviceLoop
        fileprivate let slot: UInt32

        func add(
            _ descriptor: borrowing Descriptor, for readiness: Readiness, token: UInt32
        ) throws(SystemError) {
            try loop.loop.add(descriptor, for: readiness, token: UInt64(slot) << 32 | UInt64(token))
        }

        func modify(
            _ descriptor: borrowing Descriptor, for readiness: Readiness, token: UInt32
        ) throws(SystemError) {
            try loop.loop.modify(descriptor, for: readiness, token: UInt64(slot) << 32 | UInt64(token))
        }

        /// Removing what is not there is no error: pausing twice is allowed.
        func remove(_ descriptor: borrowing Descriptor) { try? loop.loop.remove(descriptor) }
    }
}
