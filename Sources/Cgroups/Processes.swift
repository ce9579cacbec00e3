import CLinux
import Linux

extension Cgroup {
    /// The processes in this cgroup, in no order. 0 stands for one that the caller's pid namespace does not know.
    ///
    /// - Throws: `EOPNOTSUPP` for a threaded cgroup, whose processes are listed at its threaded root.
    public func processes() throws(CgroupError) -> [pid_t] { Self.numbers(try readBytes("cgroup.procs")) }

    /// The threads in this cgroup; `cgroup.threads`.
    public func threads() throws(CgroupError) -> [pid_t] { Self.numbers(try readBytes("cgroup.threads")) }

    /// The processes in this cgroup and in every one below it.
    public func processesOfSubtree() throws(CgroupError) -> [pid_t] {
        var all = try processes()
        for name in try children() {
            // A cgroup may go while its parent is being listed.
            let below = try ifPresent { () throws(CgroupError) in try child(name).processesOfSubtree() }
            all += below ?? []
        }
        return all
    }

    /// Moves a process here, with all its threads; 0 is the caller.
    ///
    /// A process started with `CLONE_INTO_CGROUP` and ``directory`` is born here and need not be moved.
    ///
    /// - Throws: `EBUSY` when this cgroup gives its children controllers, `ESRCH` when there is no such process,
    ///   `EOPNOTSUPP` when the cgroup is threaded or invalid.
    public func add(process pid: pid_t) throws(CgroupError) { try write(String(pid), to: "cgroup.procs") }

    /// Moves one thread here; 0 is the calling thread. Both cgroups must be of one threaded subtree.
    public func add(thread id: pid_t) throws(CgroupError) { try write(String(id), to: "cgroup.threads") }

    private static func numbers(_ text: [UInt8]) -> [pid_t] {
        var result: [pid_t] = []
        var value: pid_t = 0
        for byte in text {
            if byte == 0x0a {
                result.append(value)
                value = 0
            } else {
                value = value &* 10 &+ pid_t(byte &- 0x30)
            }
        }
        return result
    }
}
