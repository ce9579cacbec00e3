import CLinux
import CSeccomp
import Linux

/// What an installation has brought.
public struct InstallationStatus: Hashable, Sendable {
    /// Whether every thread of the process has the filter, or the calling one alone.
    public let coversAllThreads: Bool
    /// Whether `no_new_privs` was in force: without it a program may still gain privileges by `execve(2)`, under the
    /// filter.
    public let noNewPrivileges: Bool
    /// The flags that the kernel took.
    public let flags: SeccompFlags
}

extension SeccompProgram {
    /// Puts the calling thread, and what it makes from now on, under this filter. There is no way back; `seccomp(2)`.
    ///
    /// - Parameters:
    ///   - flags: how; ``SeccompFlags/newListener`` is for ``installWithListener(flags:noNewPrivileges:)``.
    ///   - noNewPrivileges: true sets `no_new_privs` first, as a thread without `CAP_SYS_ADMIN` must; false leaves it.
    /// - Throws: ``SeccompError/system(_:)`` with `EACCES` when neither holds, `EINVAL` for a flag newer than the
    ///   kernel; ``SeccompError/threadNotSynchronized(_:)``.
    @discardableResult
    public func install(
        flags: SeccompFlags = [], noNewPrivileges: Bool
    ) throws(SeccompError) -> InstallationStatus {
        if flags.contains(.newListener) {
            throw .system(SystemError("install a filter", .invalidArgument, hint: "it has no listener to return"))
        }
        return try set(flags, noNewPrivileges).status
    }

    /// As ``install(flags:noNewPrivileges:)``, and returns the listener that ``SeccompAction/notify`` asks.
    ///
    /// A call that asks waits until the listener answers, this thread's own calls included: hand the listener to
    /// another thread or process before making one. With ``SeccompFlags/synchronizeThreads``,
    /// ``SeccompFlags/synchronizeThreadsOrFail`` is added, as the kernel demands.
    ///
    /// - Throws: as ``install(flags:noNewPrivileges:)``, and ``SeccompError/system(_:)`` with `EBUSY` when the thread
    ///   has a filter with a listener already.
    public func installWithListener(
        flags: SeccompFlags = [], noNewPrivileges: Bool
    ) throws(SeccompError) -> NotificationListener {
        var flags = flags.union(.newListener)
        if flags.contains(.synchronizeThreads) { flags.insert(.synchronizeThreadsOrFail) }
        // Asked before the filter might forbid asking.
        let sizes = try NotificationListener.sizes()
        let number = try set(flags, noNewPrivileges).result
        return NotificationListener(owning: Descriptor(owning: number), sizes)
    }

    private func set(
        _ flags: SeccompFlags, _ noNewPrivileges: Bool
    ) throws(SeccompError) -> (result: CInt, status: InstallationStatus) {
        if noNewPrivileges {
            try system { () throws(SystemError) in
                _ = try systemCall("set no_new_privs") { bh_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }
            }
        }
        // Afterwards the filter might forbid asking.
        let inForce = bh_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
        let result: CInt
        do throws(SystemError) {
            result = CInt(
                try systemCall("install a filter of \(instructions.count) instructions") {
                    // An instruction is laid out as the kernel's is, which reads it only.
                    unsafe instructions.withUnsafeBytes { bytes in
                        var program = unsafe sock_fprog(
                            len: UInt16(instructions.count),
                            filter: UnsafeMutableRawPointer(mutating: bytes.baseAddress!)
                                .assumingMemoryBound(to: sock_filter.self))
                        return unsafe withUnsafeMutablePointer(to: &program) {
                            bh_syscall3(
                                CLong(SYS_seccomp), CLong(SECCOMP_SET_MODE_FILTER), CLong(flags.rawValue),
                                CLong(Int(bitPattern: $0)))
                        }
                    }
                })
        } catch {
            var error = error
            switch error.errno {
            case .permissionDenied: error.hint = "needs no_new_privs or CAP_SYS_ADMIN"
            case .invalidArgument where !flags.isEmpty:
                error.hint = "does this kernel know \(flags.names.joined(separator: ", "))?"
            default: break
            }
            throw .system(error)
        }
        let isSynchronized = flags.contains(.synchronizeThreads)
        if isSynchronized, !flags.contains(.newListener), result > 0 { throw .threadNotSynchronized(result) }
        return (
            result,
            InstallationStatus(coversAllThreads: isSynchronized, noNewPrivileges: inForce, flags: flags)
        )
    }
}
