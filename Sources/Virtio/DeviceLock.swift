import Linux
import Synchronization

/// A device's lock. It is held for as long as one event or one register access takes.
public final class DeviceLock: Sendable {
    private let mutex = Mutex(())

    public init() {}

    /// Runs `body` alone. It is not recursive: `body` must not take the lock again.
    public func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        mutex._unsafeLock()
        defer { mutex._unsafeUnlock() }
        return try body()
    }
}
