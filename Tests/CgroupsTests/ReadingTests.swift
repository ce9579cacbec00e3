import Linux
import Testing

@testable import Cgroups

/// What the kernel's files say, in a folder that stands for a cgroup.
@Suite struct ReadingTests {
    @Test func typedFiles() throws {
        let fixture = try Fixture([
            "memory.max": "max\n", "cpu.weight": "100\n", "cpu.weight.nice": "-5\n", "cpu.max": "max 100000\n",
            "cpu.idle": "0\n", "cpuset.cpus.effective": "0-1\n", "cpuset.cpus": "\n", "memory.high": "nonsense\n",
        ])
        let cgroup = try Cgroup(fixture: fixture.path)
        #expect(try cgroup.get(.memoryMax) == .max)
        #expect(try cgroup.get(.cpuWeight) == 100)
        #expect(try cgroup.get(.cpuWeightNice) == -5)
        #expect(try cgroup.get(.cpuMax).quota == .max)
        #expect(try cgroup.get(.cpuIdle) == false)
        #expect(try cgroup.get(.effectiveCPUs) == [0, 1])
        #expect(try cgroup.get(.cpus) == [])
        #expect(try cgroup.getIfPresent(.memoryLow) == nil)
        let error = #expect(throws: CgroupError.self) { try cgroup.get(.memoryHigh) }
        #expect(error?.cause == .malformed("nonsense"))
        #expect(
            error?.description
                == "read memory.high of \"\(fixture.path)\": the kernel's text \"nonsense\" is not understood")
    }

    @Test func statistics() throws {
        let fixture = try Fixture([
            "cgroup.controllers": "cpu io memory pids rdma misc hugetlb\n",
            "cpu.stat":
                "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 2\nthrottled_usec 99\n",
            "memory.current": "4096\n", "memory.peak": "8192\n", "memory.max": "max\n",
            "memory.stat": "anon 1\nfile 2\nkernel 3\npgfault 4\npgmajfault 5\n",
            "memory.events": "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\n",
            "io.stat":
                "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=1\n8:0 rbytes=9\n254:0 \nbad\n",
            "pids.current": "3\n", "pids.max": "10\n", "pids.events": "max 6\n",
            "rdma.current": "mlx5_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=3 hca_object=max\n",
            "misc.current": "sev 1\n",
            "cpu.pressure":
                "some avg10=1.50 avg60=0.25 avg300=0.00 total=12345\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
            "memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n",
            "io.pressure": "",
        ])
        let cgroup = try Cgroup(fixture: fixture.path)
        let all = try cgroup.statistics(StatisticsParts.all.subtracting(.hugePages))
        #expect(all.cpu?.usage == 30)
        #expect(all.cpu?.throttledPeriods == 2)
        #expect(all.cpu?.throttledTime == 99)
        #expect(all.cpu?.bursts == nil)
        #expect(all.memory?.current == 4096)
        #expect(all.memory?.peak == 8192)
        #expect(all.memory?.swapCurrent == nil)
        #expect(all.memory?.anonymous == 1)
        #expect(all.memory?.majorPageFaults == 5)
        #expect(all.memory?.events.kills == 4)
        #expect(all.memory?.events.outOfMemory == 3)
        #expect(all.io?.count == 3)
        #expect(all.io?[0].device == DeviceNumber(major: 8, minor: 16))
        #expect(all.io?[0].writtenBytes == 314_773_504)
        #expect(all.io?[0].discards == 1)
        #expect(all.pids?.current == 3)
        #expect(all.pids?.peak == nil)
        #expect(all.pids?.refusals == 6)
        #expect(all.rdma?[1] == RDMALimit(device: "ocrdma1", handles: 3, objects: .max))
        #expect(all.misc?["sev"] == 1)
        #expect(all.cpuPressure?.some?.average10 == 1.5)
        #expect(all.cpuPressure?.some?.totalMicroseconds == 12345)
        #expect(all.cpuPressure?.full?.totalMicroseconds == 7)
        #expect(all.memoryPressure?.full == nil)
        #expect(all.ioPressure?.some == nil)

        let part = try cgroup.statistics(.pids)
        #expect(part.cpu == nil)
        #expect(part.pids?.max == 10)
    }

    @Test func hugePages() throws {
        let fixture = try Fixture([
            "hugetlb.2MB.current": "4194304\n", "hugetlb.2MB.max": "max\n", "hugetlb.2MB.events": "max 2\n",
        ])
        let cgroup = try Cgroup(fixture: fixture.path)
        let found = try cgroup.hugePageStatistics(sizes: [HugePageSize(bytes: 2 << 20)])
        #expect(found.count == 1)
        #expect(found.first?.current == 4_194_304)
        #expect(found.first?.reserved == nil)
        #expect(found.first?.refusals == 2)
    }

    @Test func limitsReadBack() throws {
        let fixture = try Fixture([
            "io.max": "8:16 rbps=2097152 wbps=max riops=max wiops=120\n", "io.weight": "default 100\n8:16 200\n",
            "misc.max": "res_a max\nres_b 4\n", "rdma.max": "mlx4_0 hca_handle=2 hca_object=max\n",
            "cgroup.stat": "nr_descendants 3\nnr_dying_descendants 1\n", "cgroup.procs": "1\n22\n0\n",
        ])
        let cgroup = try Cgroup(fixture: fixture.path)
        #expect(
            try cgroup.ioThrottles() == [
                IOThrottle(
                    device: DeviceNumber(major: 8, minor: 16), readBytes: 2_097_152, writeBytes: .max,
                    readOperations: .max, writeOperations: 120)
            ])
        #expect(try cgroup.ioDefaultWeight() == 100)
        #expect(
            try cgroup.miscLimits() == [MiscLimit(resource: "res_a", max: .max), MiscLimit(resource: "res_b", max: 4)])
        #expect(try cgroup.rdmaLimits() == [RDMALimit(device: "mlx4_0", handles: 2, objects: .max)])
        #expect(try cgroup.descendantCounts() == DescendantCounts(alive: 3, dying: 1))
        #expect(try cgroup.processes() == [1, 22, 0])
    }

    @Test func whyAControllerIsMissing() {
        let host = HostControllers(
            table: """
                #subsys_name\thierarchy\tnum_cgroups\tenabled
                memory\t4\t12\t1
                blkio\t7\t1\t1
                pids\t0\t5\t1
                cpuset\t0\t1\t0
                """,
            mounts: """
                35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
                38 31 0:35 / /sys/fs/cgroup/blk\\040io rw,relatime shared:9 - cgroup cgroup rw,blkio
                41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
                """)
        func reason(_ controller: Controller) -> ControllerAbsence.Reason {
            host.reason(for: controller, missingAt: "/sys/fs/cgroup/unified")
        }
        #expect(reason(.memory) == .boundToVersion1(mountPoint: "/sys/fs/cgroup/memory"))
        #expect(reason(.io) == .boundToVersion1(mountPoint: "/sys/fs/cgroup/blk io"))
        #expect(reason(.pids) == .notDelegated(to: "/sys/fs/cgroup/unified"))
        #expect(reason(.cpuset) == .disabledAtBoot)
        #expect(reason(.rdma) == .notInKernel)
        #expect(
            ControllerAbsence(controller: .memory, reason: reason(.memory)).description
                == "the controller memory is missing: on this machine it is bound to a cgroup v1 hierarchy mounted at "
                + "\"/sys/fs/cgroup/memory\"; boot with cgroup_no_v1=memory, or unmount \"/sys/fs/cgroup/memory\" "
                + "once it has no cgroups")
    }

    @Test func errorsReadAsSentences() {
        let error = CgroupError(
            .write("1K"), path: "/sys/fs/cgroup/x", file: "memory.max", cause: .kernel(.invalidArgument),
            hint: "bytes, or \"max\"")
        #expect(
            error.description
                == "write \"1K\" to memory.max of \"/sys/fs/cgroup/x\": invalid argument (EINVAL): bytes, or \"max\"")
        #expect(error.value == "1K")
        #expect(error.errno == .invalidArgument)
        #expect(
            CgroupError(.create, path: "/a", cause: .kernel(.permissionDenied)).description
                == "create cgroup \"/a\": permission denied (EACCES)")
    }
}
