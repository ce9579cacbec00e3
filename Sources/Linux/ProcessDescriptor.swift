import CLinux

/// How a process ended; `wait(2)`.
public enum ExitStatus: Hashable, Sendable {
    /// It exited with this code, 0 to 255.
    case exited(CInt)
    /// A signal ended it.
    case signaled(CInt)

    /// A shell's one number for both: the code, or 128 + the signal.
    public var shellCode: CInt {
        switch self {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    }
}

/// A process held by a pidfd: its number may be reused, the handle never means another process; `pidfd_open(2)`.
public struct ProcessDescriptor: ~Copyable, Sendable {
    /// The pidfd. Readable, for poll and epoll, once the process has ended.
    public let descriptor: Descriptor

    /// Takes over a pidfd made elsewhere, as by `clone3(2)`.
    public init(owning descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Holds the process that has this id now.
    ///
    /// - Throws: `ESRCH` when there is none.
    public init(pid: pid_t) throws(SystemError) {
        descriptor = Descriptor(
            owning: try systemCall("pidfd_open \(pid)") { bh_pidfd_open(pid, 0) })
    }

    /// Sends a signal; `pidfd_send_signal(2)`. Signal 0 asks only whether the process is there and may be signalled.
    ///
    /// - Throws: `ESRCH` when the process has ended and was waited for.
    public func send(signal: CInt) throws(SystemError) {
        let number = descriptor.rawValue
        try systemCall("send signal \(signal)") { bh_pidfd_send_signal(number, signal) }
    }

    /// Whether the process has ended (a zombie counts as ended).
    public func hasExited() throws(SystemError) -> Bool {
        try waitForExit(timeoutMilliseconds: 0)
    }

    /// Waits until the process has ended, child or not, without reaping it.
    ///
    /// - Parameter timeoutMilliseconds: -1 waits for ever.
    /// - Returns: whether it has ended.
    public func waitForExit(timeoutMilliseconds: CInt) throws(SystemError) -> Bool {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return try systemCall("poll pidfd") { unsafe poll(&entry, 1, timeoutMilliseconds) } == 1
    }

    /// Waits for a child of this process to end, reaps it, and says how it ended; `waitid(2)`, `P_PIDFD`.
    ///
    /// - Throws: `ECHILD` when the process is not a child of the caller or was reaped already.
    public func wait() throws(SystemError) -> ExitStatus {
        let number = descriptor.rawValue
        var info = unsafe siginfo_t()
        try systemCall("waitid") { unsafe bh_waitid_pidfd(number, &info, WEXITED) }
        let status = unsafe bh_siginfo_status(&info)
        return unsafe bh_siginfo_code(&info) == CInt(CLD_EXITED) ? .exited(status) : .signaled(status)
    }

    /// A copy of a descriptor that the process has open; `pidfd_getfd(2)`. Needs ptrace access to it.
    public func descriptor(copying target: CInt) throws(SystemError) -> Descriptor {
        let number = descriptor.rawValue
        return Descriptor(owning: try systemCall("pidfd_getfd \(target)") { bh_pidfd_getfd(number, target) })
    }
}
