import CLinux
import Linux

extension Cgroup {
    /// Sends SIGKILL to every process in this cgroup and below it, those being forked as well; `cgroup.kill`.
    ///
    /// It returns before they are gone: see ``waitUntilEmpty(timeoutMilliseconds:)``. On kernels before 5.14, which
    /// have no such file, it freezes the cgroup so that nothing escapes by forking, signals each process, and thaws it.
    ///
    /// - Throws: `EOPNOTSUPP` for a threaded cgroup: kill at its threaded root; `EBUSY` for the mounted root, which
    ///   holds every process of the machine or of the cgroup namespace.
    public func kill() throws(CgroupError) {
        try refuseRoot(.kill)
        guard let errno = tryWrite("1", to: "cgroup.kill") else { return }
        if errno == .noSuchFileOrDirectory, has("cgroup.procs") { return try killEach() }
        let error = explained(.kill, "cgroup.kill", errno)
        throw CgroupError(.kill, path: path, cause: error.cause, hint: error.hint)
    }

    /// The way without `cgroup.kill`.
    func killEach() throws(CgroupError) {
        try refuseRoot(.kill)
        // The kernel's own root lacks this file as it lacks cgroup.kill, whatever name it was opened by.
        if !has("cgroup.type") { throw refusalOfRoot(.kill) }
        // Kernels before 5.2 can't freeze either; then the loop below outruns the forking, or gives up.
        let frozen = (try? freeze(timeoutMilliseconds: 1000)) != nil
        defer { if frozen { try? requestFreeze(false) } }
        for _ in 0..<100 {
            var signalled = false
            for pid in try processesOfSubtree() where pid > 0 {
                if CLinux.kill(pid, SIGKILL) == 0 {
                    signalled = true
                } else if Errno.current != .noSuchProcess {
                    throw CgroupError(
                        .kill, path: path, cause: .kernel(.current), hint: "process \(pid) may not be signalled")
                }
            }
            // One round reaches all that a frozen cgroup holds: they die without being thawed.
            if !signalled || frozen { return }
        }
        throw CgroupError(
            .kill, path: path, cause: .kernel(.busy), hint: "its processes fork faster than they can be signalled")
    }
}
