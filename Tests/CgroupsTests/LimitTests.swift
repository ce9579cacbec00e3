import CLinux
import Linux
import TestSupport
import Testing

@testable import Cgroups

/// Limits really limit: for a machine whose controllers serve version 2.
@Suite struct LimitTests {
    @Test(.needs(.root), .needs(.controller("memory"))) func memoryKills() throws {
        try withCgroup(controllers: [.memory]) { cgroup in
            try cgroup.apply(ResourceLimits(memory: MemoryLimits(max: .mebibytes(16), swapMax: 0, killsTogether: true)))
            #expect(try cgroup.get(.memoryMax) == .mebibytes(16))
            let watch = try cgroup.watch("memory.events")
            #expect(try watch.read()["oom_kill"] == 0)
            // tail keeps a line without an end.
            let program = try Program(["/usr/bin/tail", "/dev/zero"], in: cgroup.path)
            #expect(try program.wait() == .signaled(SIGKILL))
            #expect(try watch.waitForChange(timeoutMilliseconds: 1000))
            #expect(try cgroup.memoryEvents().kills >= 1)
            let statistics = try cgroup.memoryStatistics()
            #expect(statistics.peak ?? 0 > 15 << 20)
            #expect(statistics.max == .mebibytes(16))
            #expect(statistics.detail["anon"] != nil)
        }
    }

    @Test(.needs(.root), .needs(.controller("memory"))) func memoryShrinksOnlyToWhatIsUsed() throws {
        try withCgroup(controllers: [.memory]) { cgroup in
            let program = try Program(shell: "x=$(head -c 8388608 /dev/zero | tr '\\0' a); sleep 1000", in: cgroup.path)
            #expect(try eventually(30_000) { try cgroup.get(.memoryCurrent) > 8 << 20 })
            let error = #expect(throws: CgroupError.self) {
                try cgroup.apply(ResourceLimits(memory: MemoryLimits(max: .mebibytes(1), refusesBelowUsage: true)))
            }
            guard case .belowUsage(1_048_576, let usage)? = error?.cause else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(usage > 8 << 20)
            #expect(try cgroup.get(.memoryMax) == .max)
            #expect(program.isRunning)
            try cgroup.apply(
                ResourceLimits(memory: MemoryLimits(max: .mebibytes(256), swapMax: 0, refusesBelowUsage: true)))
            #expect(try cgroup.get(.memoryMax) == .mebibytes(256))
            #expect(try cgroup.get(.swapMax) == 0)
        }
    }

    @Test(.needs(.root), .needs(.controller("memory"))) func memoryIsReclaimed() throws {
        try withCgroup(controllers: [.memory]) { cgroup in
            // A file's pages, written out, can always be taken back.
            let file = "/var/tmp/bulkhead-reclaim-\(getpid())"
            defer { unlink(file) }
            let line = "head -c 16777216 /dev/zero >\(file) && sync \(file) && cat \(file) >/dev/null"
            let status = try Program(shell: line, in: cgroup.path).wait()
            #expect(status == .exited(0))
            // Where files live in memory, there is nothing to take.
            let error = #expect(throws: CgroupError.self) { try cgroup.reclaimMemory(bytes: 1 << 40) }
            #expect(error?.errno == .wouldBlock)
            #expect(error?.hint == "less than that could be reclaimed")
        }
    }

    @Test(.needs(.root), .needs(.controller("pids"))) func pidsRefuse() throws {
        try withCgroup(controllers: [.pids]) { cgroup in
            try cgroup.apply(ResourceLimits(pids: PIDLimits(max: 3)))
            // Two live besides the shell; the third does not start.
            let program = try Program(shell: "sleep 1 & sleep 1 & sleep 1 & wait", in: cgroup.path)
            #expect(try program.wait() != .exited(0))
            let statistics = try cgroup.pidStatistics()
            #expect(statistics.max == 3)
            #expect(statistics.refusals >= 1)
        }
    }

    @Test(.needs(.root), .needs(.controller("cpu"))) func quotaThrottles() throws {
        try withCgroup(controllers: [.cpu]) { cgroup in
            try cgroup.apply(ResourceLimits(cpu: CPULimits(weight: 50, quota: 5000, period: 50_000, burst: 1000)))
            #expect(try cgroup.get(.cpuMax) == CPUBandwidth(quota: 5000, period: 50_000))
            #expect(try cgroup.get(.cpuWeight) == 50)
            #expect(try cgroup.get(.cpuBurst) == 1000)
            let program = try Program(shell: "while :; do :; done", in: cgroup.path)
            #expect(try eventually { try cgroup.cpuStatistics().throttledPeriods ?? 0 > 3 })
            let statistics = try cgroup.cpuStatistics()
            #expect(statistics.throttledTime ?? 0 > 0)
            #expect(statistics.usage > 0)
            #expect(program.isRunning)
        }
    }

    /// The kernel refuses the wrong order of each of these: the order is not a matter of taste.
    @Test(.needs(.root), .needs(.controller("cpu"))) func quotaAndBurstPassEachOther() throws {
        try withCgroup(controllers: [.cpu]) { cgroup in
            for (quota, burst) in [(50_000, 40_000), (10_000, 5000), (80_000, 70_000), (5000, 0)] as [(UInt64, UInt64)]
            {
                try cgroup.apply(ResourceLimits(cpu: CPULimits(quota: .value(quota), burst: burst)))
                #expect(try cgroup.get(.cpuMax).quota == .value(quota))
                #expect(try cgroup.get(.cpuBurst) == burst)
            }
            try cgroup.apply(ResourceLimits(cpu: CPULimits(period: 20_000)))
            #expect(try cgroup.get(.cpuMax) == CPUBandwidth(quota: 5000, period: 20_000))
            try cgroup.apply(ResourceLimits(cpu: CPULimits(quota: .max)))
            #expect(try cgroup.get(.cpuMax) == CPUBandwidth(quota: .max, period: 20_000))
        }
    }

    @Test(.needs(.root), .needs(.controller("cpu"))) func weightsAndIdleness() throws {
        try withCgroup(controllers: [.cpu]) { cgroup in
            try cgroup.apply(ResourceLimits(cpu: CPULimits(weight: 300, idle: true)))
            #expect(try cgroup.get(.cpuIdle))
            #expect(throws: CgroupError.self) { try cgroup.set(.cpuWeight, to: 5) }
            try cgroup.apply(ResourceLimits(cpu: CPULimits(weight: 5, idle: false)))
            #expect(try cgroup.get(.cpuWeight) == 5)
            try cgroup.apply(ResourceLimits(cpu: CPULimits(weightNice: -3)))
            #expect(try cgroup.get(.cpuWeightNice) == -3)
            let error = #expect(throws: CgroupError.self) { try cgroup.set(.cpuWeight, to: 10_001) }
            #expect(error?.hint == "1 to 10000")
        }
    }

    @Test(.needs(.root), .needs(.controller("cpuset"))) func cpusetsConfine() throws {
        try withCgroup(controllers: [.cpuset]) { cgroup in
            try cgroup.apply(ResourceLimits(cpuset: CPUSetLimits(cpus: [0], memoryNodes: [0])))
            #expect(try cgroup.get(.effectiveCPUs) == [0])
            #expect(try cgroup.get(.effectiveMemoryNodes) == [0])
            let line = "grep -q '^Cpus_allowed_list:.0$' /proc/self/status"
            #expect(try Program(shell: line, in: cgroup.path).wait() == .exited(0))
            #expect(try cgroup.get(.cpuPartition) == .member)
            try cgroup.apply(ResourceLimits(cpuset: CPUSetLimits(cpus: [])))
            #expect(try cgroup.get(.cpus) == [])
            #expect(try cgroup.get(.effectiveCPUs).count > 1)
            #expect(throws: CgroupError.self) { try cgroup.set(.cpus, to: [4000]) }
        }
    }

    /// The test machine's own disk.
    @Test(.needs(.testVM), .needs(.controller("io"))) func devicesAreThrottled() throws {
        try withCgroup(controllers: [.io]) { cgroup in
            let disk = DeviceNumber(try Descriptor.open("/dev/vda", .path).status().representedDevice)
            try cgroup.apply(
                ResourceLimits(
                    io: IOLimits(
                        weight: 250,
                        throttles: [IOThrottle(device: disk, readBytes: .mebibytes(2), writeOperations: 50)])))
            #expect(
                try cgroup.ioThrottles() == [
                    IOThrottle(
                        device: disk, readBytes: .mebibytes(2), writeBytes: .max, readOperations: .max,
                        writeOperations: 50)
                ])
            #expect(try cgroup.ioDefaultWeight() == 250)
            let started = milliseconds()
            let program = try Program(
                ["/bin/dd", "if=/dev/vda", "of=/dev/null", "bs=1M", "count=4", "iflag=direct", "status=none"],
                in: cgroup.path)
            #expect(try program.wait() == .exited(0))
            // 4 MiB at 2 MiB a second take about two seconds, and a fraction of one unthrottled.
            #expect(milliseconds() - started > 1000)
            #expect(try cgroup.ioStatistics().first { $0.device == disk }?.readBytes == 4 << 20)

            try cgroup.apply(
                ResourceLimits(
                    io: IOLimits(throttles: [IOThrottle(device: disk, readBytes: .max, writeOperations: .max)])))
            #expect(try cgroup.ioThrottles() == [])
            let none = #expect(throws: CgroupError.self) {
                try cgroup.apply(
                    ResourceLimits(
                        io: IOLimits(throttles: [
                            IOThrottle(device: DeviceNumber(major: 4000, minor: 1), readBytes: 1)
                        ])))
            }
            #expect(none?.hint == "no such block device")
        }
    }

    /// Changes the machine's number of huge pages.
    @Test(.needs(.testVM), .needs(.controller("hugetlb"))) func hugePagesAreLimited() throws {
        try withCgroup(controllers: [.hugetlb]) { cgroup in
            let size = HugePageSize(bytes: 2 << 20)
            #expect(HugePageSize.available().contains(size))
            try writeText("8", to: "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
            defer { try? writeText("0", to: "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") }
            try cgroup.apply(ResourceLimits(hugePages: [HugePageLimit(size: size, max: .mebibytes(4))]))
            let file = "/dev/hugepages/bulkhead-\(getpid())"
            defer { unlink(file) }
            let path = cgroup.path
            func allocates(_ bytes: Int) throws -> Bool {
                try Program(shell: "fallocate -l \(bytes) \(file) 2>/dev/null", in: path).wait() == .exited(0)
            }
            #expect(try allocates(4 << 20))
            let used = try #require(try cgroup.hugePageStatistics().first { $0.size == size })
            #expect(used.current == 4 << 20)
            #expect(used.max == .mebibytes(4))
            #expect(try !allocates(8 << 20))
            #expect(try cgroup.hugePageStatistics(sizes: [size])[0].refusals >= 1)
        }
    }

    @Test(.needs(.root), .needs(.controller("rdma")), .needs(.controller("misc"))) func unknownDevicesAreRefused()
        throws
    {
        try withCgroup(controllers: [.rdma, .misc]) { cgroup in
            let rdma = #expect(throws: CgroupError.self) {
                try cgroup.apply(ResourceLimits(rdma: [RDMALimit(device: "mlx9_9", handles: 2)]))
            }
            #expect(rdma?.file == "rdma.max")
            #expect(rdma?.hint != nil)
            let misc = #expect(throws: CgroupError.self) {
                try cgroup.apply(ResourceLimits(misc: [MiscLimit(resource: "warp", max: 2)]))
            }
            #expect(misc?.file == "misc.max")
            #expect(misc?.errno == .invalidArgument)
        }
    }

    @Test(.needs(.root), .needs(.controller("cpu"))) func shortageWakesATrigger() throws {
        try withCgroup(controllers: [.cpu]) { cgroup in
            let trigger = try cgroup.pressureTrigger(
                .cpu, thresholdMicroseconds: 100_000, windowMicroseconds: 1_000_000)
            #expect(try !trigger.wait(timeoutMilliseconds: 100))
            // Who is throttled waits for a CPU.
            try cgroup.apply(ResourceLimits(cpu: CPULimits(quota: 2000, period: 100_000)))
            let program = try Program(shell: "while :; do :; done", in: cgroup.path)
            #expect(try trigger.wait(timeoutMilliseconds: 20_000))
            #expect(try cgroup.pressure(.cpu).some?.totalMicroseconds ?? 0 > 0)
            #expect(program.isRunning)
        }
    }

    @Test(.needs(.root), .needs(.controller("memory")), .needs(.controller("pids"))) func controllersComeWithTheLimits()
        throws
    {
        let hierarchy = try CgroupHierarchy.find()
        let base = uniquePath()
        defer { try? hierarchy.open(base).remove(killing: true) }
        let limits = ResourceLimits(
            memory: MemoryLimits(max: .mebibytes(32)), pids: PIDLimits(max: 9),
            raw: [try RawSetting(file: "memory.low", value: "4096")])
        let cgroup = try hierarchy.create(base + "/a/b", applying: limits)
        #expect(Set(try cgroup.availableControllers()) == [.memory, .pids])
        #expect(try cgroup.get(.memoryMax) == .mebibytes(32))
        #expect(try cgroup.get(.memoryLow) == 4096)
        let all = try cgroup.statistics()
        #expect(all.pids?.max == 9)
        #expect(all.memory?.max == .mebibytes(32))
        #expect(all.io == nil)
        #expect(all.cpu != nil)

        // A process in the middle, where controllers go on downwards, is refused.
        let program = try Program(["/bin/sleep", "1000"])
        guard let parent = try cgroup.parent() else {
            Issue.record("a leaf has a parent")
            return
        }
        let error = #expect(throws: CgroupError.self) { try parent.add(process: program.pid) }
        #expect(error?.errno == .busy)
        #expect(error?.hint?.contains("leaf") == true)
    }

    private func milliseconds() -> Int {
        let loop = timespecNow()
        return Int(loop.tv_sec) * 1000 + Int(loop.tv_nsec) / 1_000_000
    }
}

private func timespecNow() -> timespec {
    var time = timespec()
    _ = withUnsafeMutablePointer(to: &time) { bh_syscall3(CLong(SYS_clock_gettime), 1, CLong(bitPattern: $0), 0) }
    return time
}
