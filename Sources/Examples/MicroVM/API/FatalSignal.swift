import Glibc
import Linux

/// A signal that Firecracker ends of with a status and a count of its own, and a line of the log.
///
/// That is so for those that somebody sends. A fault of this program's own raises them in the thread that makes it, which the
/// kernel ends at once, held back or not, with the whole process.
struct FatalSignal {
    let signal: Signal
    /// What the metrics call it.
    let name: String
    let status: ExitStatus

    static let all = [
        FatalSignal(SIGHUP, "sighup", 156), FatalSignal(SIGBUS, "sigbus", 149), FatalSignal(SIGSEGV, "sigsegv", 150),
        FatalSignal(SIGXFSZ, "sigxfsz", 151), FatalSignal(SIGXCPU, "sigxcpu", 154), FatalSignal(SIGILL, "sigill", 157),
    ]

    private init(_ number: CInt, _ name: String, _ status: CInt) {
        signal = Signal(rawValue: number)
        self.name = name
        self.status = ExitStatus(rawValue: status)
    }
}
