import Glibc
import Linux
import Synchronization

/// How a machine ended.
public enum Ending: Hashable, Sendable {
    /// The guest switched its machine off.
    case powerOff
    /// The guest asked for a reset: by ACPI's register or the keyboard's controller.
    case reset
    /// The guest's kernel said that it panicked.
    case panic
    /// A vCPU met a fault while it handled one while it handled one: kernels reset themselves so, too, as a last resort.
    case tripleFault
    /// ``Machine/stop()`` ended it.
    case stopped
    /// It could not go on: KVM, or the monitor itself.
    case failed(MachineError)
}

/// The machine's one ending: the first counts. Any thread may end it, and all hear of it.
final class Lifecycle: Sendable {
    private let ending = Mutex<Ending?>(nil)
    private let hasEnded = Atomic<Bool>(false)
    /// Readable when it is over.
    let event: EventCounter

    init() throws(SystemError) { event = try EventCounter() }

    /// Whether it is over: what a vCPU's thread looks at after each exit.
    var isOver: Bool { hasEnded.load(ordering: .acquiring) }

    /// How it ended; nil while it has not.
    var result: Ending? { ending.withLock { $0 } }

    func end(_ how: Ending) {
        let isFirst = ending.withLock { ending in
            guard ending == nil else { return false }
            ending = how
            return true
        }
        guard isFirst else { return }
        hasEnded.store(true, ordering: .releasing)
        try? event.add()
    }
}

extension Lifecycle {
    /// Waits until it is over. The event stays readable, for whoever else waits.
    func wait() {
        while !isOver {
            var polled = pollfd(fd: event.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            _ = poll(&polled, 1, -1)
        }
    }
}
