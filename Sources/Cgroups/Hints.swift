import CLinux
import Linux

/// What a refusal of this value usually means.
func refusalHint(_ operation: CgroupError.Operation, _ file: String, _ errno: Errno) -> String? {
    switch (file, errno) {
    case ("cgroup.procs", .busy), ("cgroup.threads", .busy):
        return "a cgroup that gives its children controllers holds no processes itself; use a leaf"
    case ("cgroup.procs", .notSupported), ("cgroup.threads", .notSupported):
        return "the cgroup is threaded or invalid: move threads through cgroup.threads, or see cgroup.type"
    case ("cgroup.procs", .noSuchProcess), ("cgroup.threads", .noSuchProcess): return "no such process or thread"
    case ("cgroup.procs", .permissionDenied), ("cgroup.threads", .permissionDenied):
        return "the caller needs write access to cgroup.procs of the common ancestor too"
    case ("cgroup.subtree_control", .busy):
        return "the cgroup holds processes of its own, or a child still uses the controller"
    case ("cgroup.subtree_control", .notSupported): return "only threaded controllers work in a threaded subtree"
    case ("cgroup.subtree_control", .invalidArgument):
        return "the cpu controller is refused while realtime processes are outside of the root"
    case ("cgroup.type", .notSupported):
        return "a cgroup becomes threaded only without processes or domain controllers in its way, below a domain"
    case ("memory.reclaim", .wouldBlock): return "less than that could be reclaimed"
    case ("memory.max", .busy): return "the usage could not be brought below it"
    case ("io.max", .noSuchDevice), ("io.latency", .noSuchDevice), ("io.weight", .noSuchDevice):
        return "no such block device"
    case (_, .notSupported) where file.hasSuffix(".pressure"): return "pressure accounting is off: boot with psi=1"
    case (_, .invalidArgument) where file.hasSuffix(".pressure"):
        return "a window of 500 ms to 10 s, for unprivileged users in steps of 2 s, and a threshold below it"
    case (_, .invalidArgument), (_, .outOfRange), (_, .noSuchDevice):
        if case .write = operation { return acceptedValues(file) }
        return nil
    case (_, .permissionDenied), (_, .notPermitted), (_, .readOnlyFileSystem):
        if case .write = operation { return "the cgroup is not delegated to the caller" }
        return nil
    default: return nil
    }
}

/// What a file accepts; `Documentation/admin-guide/cgroup-v2.rst`.
private func acceptedValues(_ file: String) -> String? {
    switch file {
    case "cpu.weight", "io.weight": "1 to 10000"
    case "io.bfq.weight": "1 to 1000"
    case "cpu.weight.nice": "-20 to 19"
    case "cpu.max": "a quota of 1000 µs or more, or \"max\", and a period of 1000 to 1000000 µs"
    case "cpu.max.burst": "microseconds, no more than the quota"
    case "cpu.uclamp.min", "cpu.uclamp.max": "a percentage, 0 to 100, with two decimals, or \"max\""
    case "cpuset.cpus", "cpuset.mems": "a list such as 0-3,7 of what the machine has online"
    case "cpuset.cpus.partition": "member, root or isolated"
    case "pids.max": "0 or more, or \"max\""
    case "memory.max", "memory.high", "memory.low", "memory.min", "memory.swap.max", "memory.zswap.max",
        "memory.reclaim":
        "bytes, or \"max\""
    case "io.max": "MAJOR:MINOR and rbps, wbps, riops, wiops, each above 0 or \"max\""
    case "misc.max": "a resource of misc.capacity of the root and a number or \"max\""
    case "rdma.max": "a device and hca_handle, hca_object, each a number or \"max\""
    case _ where file.hasPrefix("hugetlb."): "bytes, in whole pages, or \"max\""
    default: nil
    }
}

/// What a kernel needs to have a file at all.
func fileHint(_ file: String) -> String? {
    switch file {
    case "memory.swap.max", "memory.swap.high", "memory.swap.current", "memory.swap.events", "memory.swap.peak":
        "needs CONFIG_SWAP, and no swapaccount=0 at boot"
    case "memory.zswap.max", "memory.zswap.current", "memory.zswap.writeback": "needs CONFIG_ZSWAP"
    case "memory.reclaim": "since Linux 5.19"
    case "memory.peak": "since Linux 5.19"
    case "cpu.max.burst": "since Linux 5.14"
    case "cpu.idle": "since Linux 5.15"
    case "cpu.uclamp.min", "cpu.uclamp.max": "needs CONFIG_UCLAMP_TASK_GROUP"
    case "io.weight": "needs CONFIG_BLK_CGROUP_IOCOST, or the scheduler bfq for io.bfq.weight"
    case "io.latency": "needs CONFIG_BLK_CGROUP_IOLATENCY"
    case "pids.peak": "since Linux 6.1"
    case "cgroup.kill": "since Linux 5.14"
    case "cgroup.freeze": "since Linux 5.2"
    case _ where file.hasPrefix("hugetlb."): "the machine has no huge pages of this size"
    case _ where file.hasSuffix(".pressure"): "needs CONFIG_PSI, and psi=1 at boot"
    default: nil
    }
}
