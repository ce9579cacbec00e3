import Linux
import Testing

@testable import Cgroups

/// Which writes limits turn into, and in which order; in a folder that stands for a cgroup.
@Suite struct SettingsTests {
    private func texts(_ limits: ResourceLimits, _ present: PresentLimits = PresentLimits()) -> [String] {
        limits.settings(replacing: present).map(\.description)
    }

    @Test func nothingIsNothing() {
        #expect(ResourceLimits().settings.isEmpty)
        #expect(ResourceLimits().requiredControllers.isEmpty)
    }

    @Test func everythingInOrder() throws {
        let limits = ResourceLimits(
            cpuset: CPUSetLimits(cpus: [0, 1], memoryNodes: [0], partition: .root),
            cpu: CPULimits(
                weight: 50, quota: 20_000, period: 50_000, burst: 1000, idle: false, clampMinimum: .hundredths(550),
                clampMaximum: .max),
            memory: MemoryLimits(max: 100, high: 90, low: 10, min: 5, swapMax: 20, killsTogether: true),
            io: IOLimits(
                weight: 200, deviceWeights: [IOWeight(device: DeviceNumber(major: 8, minor: 0), weight: 300)],
                throttles: [
                    IOThrottle(device: DeviceNumber(major: 8, minor: 16), readBytes: 1000, writeOperations: .max),
                    IOThrottle(device: DeviceNumber(major: 8, minor: 32)),
                ],
                latencyTargets: [IOLatencyTarget(device: DeviceNumber(major: 8, minor: 0), microseconds: 50)]),
            pids: PIDLimits(max: 7), hugePages: [HugePageLimit(size: HugePageSize(bytes: 2 << 20), max: .mebibytes(4))],
            rdma: [RDMALimit(device: "mlx5_0", handles: 2, objects: .max)],
            misc: [MiscLimit(resource: "sev", max: 3)], raw: [try RawSetting(file: "cgroup.max.depth", value: "4")])
        #expect(
            texts(limits) == [
                "cpuset.cpus = 0-1", "cpuset.mems = 0", "cpuset.cpus.partition = root",
                "cpu.idle = 0", "cpu.weight = 50", "cpu.max = 20000 50000", "cpu.max.burst = 1000",
                "cpu.uclamp.max = max", "cpu.uclamp.min = 5.50",
                "memory.swap.max = 20", "memory.high = 90", "memory.max = 100", "memory.low = 10", "memory.min = 5",
                "memory.oom.group = 1",
                "io.weight = default 200", "io.weight = 8:0 300", "io.max = 8:16 rbps=1000 wiops=max",
                "io.latency = 8:0 target=50",
                "pids.max = 7", "hugetlb.2MB.max = 4194304", "hugetlb.2MB.rsvd.max = 4194304",
                "rdma.max = mlx5_0 hca_handle=2 hca_object=max", "misc.max = sev 3", "cgroup.max.depth = 4",
            ])
        #expect(
            limits.requiredControllers == [.cpuset, .cpu, .memory, .io, .pids, .hugetlb, .rdma, .misc])
    }

    @Test func memoryGrowsBeforeSwapShrinks() {
        let limits = ResourceLimits(memory: MemoryLimits(max: 200, swapMax: 10))
        #expect(texts(limits, PresentLimits(memoryMax: 100)) == ["memory.max = 200", "memory.swap.max = 10"])
        #expect(texts(limits, PresentLimits(memoryMax: 300)) == ["memory.swap.max = 10", "memory.max = 200"])
        let unlimited = ResourceLimits(memory: MemoryLimits(max: .max, swapMax: 0))
        #expect(texts(unlimited, PresentLimits(memoryMax: 100)) == ["memory.max = max", "memory.swap.max = 0"])
    }

    @Test func burstNeverExceedsTheQuota() {
        let limits = ResourceLimits(cpu: CPULimits(quota: 10_000, burst: 5000))
        let shrinking = PresentLimits(bandwidth: CPUBandwidth(quota: 50_000, period: 40_000), burst: 20_000)
        #expect(texts(limits, shrinking) == ["cpu.max.burst = 5000", "cpu.max = 10000 40000"])
        let growing = PresentLimits(bandwidth: CPUBandwidth(quota: 2000), burst: 1000)
        #expect(texts(limits, growing) == ["cpu.max = 10000 100000", "cpu.max.burst = 5000"])
    }

    @Test func aPeriodKeepsTheQuota() throws {
        let fixture = try Fixture(["cpu.max": "20000 100000\n", "cpu.max.burst": "0\n"])
        let cgroup = try Cgroup(fixture: fixture.path)
        try cgroup.apply(ResourceLimits(cpu: CPULimits(period: 50_000)))
        #expect(try fixture.text("cpu.max") == "20000 100000\n20000 50000")
    }

    @Test func idleIsLeftBeforeAndEnteredAfterTheWeight() {
        #expect(texts(ResourceLimits(cpu: CPULimits(weight: 5, idle: true))) == ["cpu.weight = 5", "cpu.idle = 1"])
        #expect(texts(ResourceLimits(cpu: CPULimits(weight: 5, idle: false))) == ["cpu.idle = 0", "cpu.weight = 5"])
    }

    @Test func appliedToFiles() throws {
        let fixture = try Fixture(["memory.max": "", "memory.swap.max": "", "io.max": "", "pids.max": ""])
        let cgroup = try Cgroup(fixture: fixture.path)
        try cgroup.apply(
            ResourceLimits(
                memory: MemoryLimits(max: 100),
                io: IOLimits(throttles: [
                    IOThrottle(device: DeviceNumber(major: 8, minor: 0), readBytes: 1),
                    IOThrottle(device: DeviceNumber(major: 8, minor: 16), writeBytes: .max, readOperations: 3),
                ]), pids: PIDLimits(max: .max)))
        #expect(try fixture.text("memory.max") == "100")
        #expect(try fixture.text("memory.swap.max") == "")
        #expect(try fixture.text("io.max") == "8:0 rbps=1\n8:16 wbps=max riops=3\n")
        #expect(try fixture.text("pids.max") == "max")
    }

    @Test func missingSwapMattersOnlyForALimit() throws {
        let fixture = try Fixture(["memory.max": "max\n", "cgroup.controllers": "memory\n"])
        let cgroup = try Cgroup(fixture: fixture.path)
        try cgroup.apply(ResourceLimits(memory: MemoryLimits(max: 100, swapMax: .max)))
        try fixture.put("100\n", in: "memory.max")
        try cgroup.apply(ResourceLimits(memory: MemoryLimits(max: 100, swapMax: 0)))
        try fixture.put("100\n", in: "memory.max")
        let error = #expect(throws: CgroupError.self) {
            try cgroup.apply(ResourceLimits(memory: MemoryLimits(max: 100, swapMax: 50)))
        }
        #expect(error?.file == "memory.swap.max")
        #expect(error?.cause == .fileMissing(.memory))
        #expect(error?.hint?.contains("CONFIG_SWAP") == true)
    }

    @Test func weightGoesWhereTheKernelHasIt() throws {
        let limits = ResourceLimits(io: IOLimits(weight: 10_000))
        let both = try Fixture(["io.weight": "", "io.bfq.weight": ""])
        try Cgroup(fixture: both.path).apply(limits)
        #expect(try both.text("io.weight") == "default 10000\n")
        #expect(try both.text("io.bfq.weight") == "default 1000\n")

        let bfq = try Fixture(["io.bfq.weight": "", "cgroup.controllers": "io\n"])
        try Cgroup(fixture: bfq.path).apply(limits)
        #expect(try bfq.text("io.bfq.weight") == "default 1000\n")

        let neither = try Fixture(["cgroup.controllers": "io\n"])
        let error = #expect(throws: CgroupError.self) { try Cgroup(fixture: neither.path).apply(limits) }
        #expect(error?.file == "io.weight")
        #expect(error?.cause == .fileMissing(.io))
    }

    @Test func refusesBelowUsage() throws {
        let fixture = try Fixture([
            "memory.current": "5000\n", "memory.swap.current": "1000\n", "memory.max": "max\n",
            "memory.swap.max": "max\n",
        ])
        let cgroup = try Cgroup(fixture: fixture.path)
        func limits(_ max: Limit, _ swap: Limit? = nil, refuses: Bool = true) -> ResourceLimits {
            ResourceLimits(memory: MemoryLimits(max: max, swapMax: swap, refusesBelowUsage: refuses))
        }
        let error = #expect(throws: CgroupError.self) { try cgroup.apply(limits(4999)) }
        #expect(error?.cause == .belowUsage(limit: 4999, usage: 5000))
        #expect(
            error?.description == "write \"4999\" to memory.max of \"\(fixture.path)\": "
                + "the new limit, 4999 bytes, is below the usage, 5000 bytes")
        let sum = #expect(throws: CgroupError.self) { try cgroup.apply(limits(5500, 100)) }
        #expect(sum?.cause == .belowUsage(limit: 5600, usage: 6000))
        #expect(try fixture.text("memory.max") == "max\n")
        try cgroup.apply(limits(5500, 500))
        try cgroup.apply(limits(100, refuses: false))
        try cgroup.apply(limits(.max))
    }

    @Test func rawLinesAreSeparateWrites() throws {
        let setting = try RawSetting(file: "io.max", value: "8:0 rbps=1\n8:16 rbps=2\n")
        #expect(texts(ResourceLimits(raw: [setting])) == ["io.max = 8:0 rbps=1", "io.max = 8:16 rbps=2"])
        let empty = try RawSetting(file: "cpuset.cpus", value: "")
        #expect(ResourceLimits(raw: [empty]).settings == [Setting(file: "cpuset.cpus", value: "\n")])
    }
}
