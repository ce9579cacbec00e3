import CKVM
import Linux

/// The signal that gets a vCPU's thread out of the guest.
///
/// It has a handler that does nothing, for the whole process: its arrival is all that matters. The signal's other uses
/// are the caller's to keep apart, and the threads that run vCPUs must not hold it back (``unblock()``).
public struct KickSignal: Sendable {
    /// The signal.
    public let signal: Signal

    /// Gives the signal its handler; again, if it has it already.
    ///
    /// - Parameter signal: the first real-time signal when nil.
    /// - Throws: `EBUSY` when the process handles or ignores it otherwise, `EINVAL` for a signal that can't be handled.
    public init(_ signal: Signal? = nil) throws(SystemError) {
        let chosen = signal ?? Signal(rawValue: bh_kvm_first_real_time_signal())
        let error = bh_kvm_install_handler(chosen.rawValue)
        guard error == 0 else {
            throw SystemError("handle \(chosen) for kicks", Errno(rawValue: error))
        }
        self.signal = chosen
    }

    /// Lets the signal reach the calling thread; what a thread does before it runs a vCPU, if it may have inherited a
    /// mask.
    public func unblock() throws(SystemError) {
        let error = bh_kvm_unblock(signal.rawValue)
        guard error == 0 else { throw SystemError("unblock \(signal)", Errno(rawValue: error)) }
    }
}

/// Stops a vCPU's run from any thread. It may outlive the vCPU; then it does nothing.
///
/// The protocol, by which no kick is lost:
/// 1. The kicker writes down what it wants, where the vCPU's thread will look (an atomic, or under a lock), and then
///    calls ``kick()``.
/// 2. The run that goes on, or if none does, the next one, comes back with ``Exit/interrupted``.
/// 3. The vCPU's thread looks at what is wanted *after* it got ``Exit/interrupted``, not before.
///
/// Several kicks may come as one exit, and ``Exit/interrupted`` may come without a kick: other signals end a run, too.
public struct VCPUKicker: Sendable {
    let runPage: RunPage
    let signal: CInt

    /// Makes the vCPU's run end. It does not fail, waits only while the user's limit of queued signals
    /// (`RLIMIT_SIGPENDING`) is used up, and is safe in a signal handler. Kicks that come faster than the vCPU's thread
    /// takes them up send one signal.
    public func kick() {
        unsafe bh_kvm_kick(runPage.page, runPage.state, signal)
    }
}

extension VCPU {
    /// What stops this vCPU from other threads.
    public func kicker(_ signal: KickSignal) -> VCPUKicker {
        VCPUKicker(runPage: runPage, signal: signal.signal.rawValue)
    }
}
