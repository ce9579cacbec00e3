import CLinux
import Linux

extension Cgroup {
    /// Stops every process in this cgroup and below it, and waits until all stand still; `cgroup.freeze`.
    ///
    /// A frozen process still dies of SIGKILL. When the time runs out, as for a process that sleeps
    /// uninterruptibly in the kernel, the cgroup is thawed again.
    ///
    /// - Parameter timeoutMilliseconds: -1 waits for ever.
    /// - Throws: ``CgroupError/Cause-swift.enum/timedOut(milliseconds:)``, `EBUSY` for the mounted
    ///   root, or what the kernel refused.
    public func freeze(timeoutMilliseconds: CInt = 10_000) throws(CgroupError) {
        try requestFreeze(true)
        if try wait(Deadline(milliseconds: timeoutMilliseconds), until: { $0.isFrozen }) { return }
        try? requestFreeze(false)
        throw CgroupError(
            .freeze, path: path, cause: .timedOut(milliseconds: timeoutMilliseconds),
            hint: "a process sleeps uninterruptibly in the kernel; the cgroup was thawed again")
    }

    /// Lets the processes go on.
    ///
    /// - Throws: ``CgroupError/Cause-swift.enum/timedOut(milliseconds:)`` when the cgroup stays frozen because one
    ///   above it is.
    public func thaw(timeoutMilliseconds: CInt = 10_000) throws(CgroupError) {
        try requestFreeze(false)
        if try wait(Deadline(milliseconds: timeoutMilliseconds), until: { !$0.isFrozen }) { return }
        throw CgroupError(
            .thaw, path: path, cause: .timedOut(milliseconds: timeoutMilliseconds),
            hint: "a cgroup above it is frozen")
    }

    func requestFreeze(_ frozen: Bool) throws(CgroupError) {
        try refuseRoot(frozen ? .freeze : .thaw)
        if let errno = tryWrite(frozen ? "1" : "0", to: "cgroup.freeze") {
            let error = explained(.write("1"), "cgroup.freeze", errno)
            throw CgroupError(frozen ? .freeze : .thaw, path: path, cause: error.cause, hint: error.hint)
        }
    }
}
