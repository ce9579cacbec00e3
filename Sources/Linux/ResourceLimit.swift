import CLinux

/// Sets a resource limit of any process; `prlimit(2)`.
///
/// - Parameters:
///   - resource: `RLIMIT_*`.
///   - soft: what holds.
///   - hard: up to where the process may raise it.
///   - pid: 0 for the caller.
/// - Throws: `EPERM` for raising a hard limit without CAP_SYS_RESOURCE, `EINVAL` for a soft one above it.
public func setResourceLimit(_ resource: CInt, soft: UInt64, hard: UInt64, of pid: pid_t = 0) throws(SystemError) {
    try systemCall("set resource limit \(resource) of process \(pid)") { bh_prlimit(pid, resource, soft, hard) }
}

/// Raises how many descriptors this process may have, up to its hard limit; `getrlimit(2)`, `RLIMIT_NOFILE`.
///
/// - Returns: how many it may have now: `wanted`, or fewer where the hard limit is lower, or more where it had more.
public func raiseOpenFileLimit(to wanted: UInt64) -> UInt64 {
    var (soft, hard): (UInt64, UInt64) = (0, 0)
    guard unsafe bh_getrlimit(CInt(BH_RLIMIT_NOFILE), &soft, &hard) == 0 else { return 0 }
    guard soft < wanted, soft < hard else { return soft }
    let raised = min(wanted, hard)
    do throws(SystemError) {
        try setResourceLimit(CInt(BH_RLIMIT_NOFILE), soft: raised, hard: hard)
        return raised
    } catch { return soft }
}
