import Containers
import Linux

extension Log {
    /// Waits, where a service manager waits for this program, until the container's is ready or has ended.
    func waitFor(_ readiness: ReadyNotification?) throws(Failure) {
        guard let readiness else { return }
        try attemptCall(try readiness.wait())
        warnOf(readiness)
    }

    /// A manager that can't be told is no reason to end a program that runs.
    func warnOf(_ readiness: ReadyNotification?) {
        if let failure = readiness?.failure { warning("NOTIFY_SOCKET: \(failure)") }
    }
}
