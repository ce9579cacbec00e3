import CLinux

/// Sets a resource limit of any process; `prlimit(2)`.
///
/// - Parameters:
///   - resource: `RLIMIT_*`.
///   - pid: 0 for the caller.
/// - Throws: `EPERM` for raising a hard limit without CAP_SYS_RESOURCE, `EINVAL` for a soft one above it.
public func setResourceLimit(_ resource: CInt, soft: UInt64, hard: UInt64, of pid: pid_t = 0) throws(SystemError) {
    try systemCall("set resource limit \(resource) of process \(pid)") { bh_prlimit(pid, resource, soft, hard) }
}
