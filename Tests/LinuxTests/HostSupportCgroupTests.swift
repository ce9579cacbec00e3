import Testing

@testable import Linux

/// Machines of several kinds, by what their files say.
@Suite struct HostSupportCgroupTests {
    typealias Support = HostSupport.CgroupSupport

    private func support(
        mountinfo: String, subsystems: String = all, membership: String = "0::/\n", commandLine: String = "quiet",
        offered: String?, isRealRoot: Bool = true
    ) -> Support {
        Support(
            mounts: CgroupMounts(mountinfo: mountinfo), subsystems: subsystems, membership: membership,
            commandLine: commandLine, offered: offered, isRealRoot: isRealRoot)
    }

    /// `/proc/cgroups` with everything, nothing of it bound.
    private static let all = """
        #subsys_name\thierarchy\tnum_cgroups\tenabled
        cpuset\t0\t1\t1
        cpu\t0\t1\t1
        blkio\t0\t1\t1
        memory\t0\t1\t1
        hugetlb\t0\t1\t1
        pids\t0\t1\t1
        rdma\t0\t1\t1
        misc\t0\t1\t1
        """

    private let unified = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"

    @Test func pureVersion2() {
        let host = support(
            mountinfo: unified, membership: "0::/user.slice/a.scope\n",
            offered: "cpuset cpu io memory hugetlb pids rdma misc")
        #expect(host.layout == .unified)
        #expect(host.mountPoint == "/sys/fs/cgroup")
        #expect(host.ownPath == "/user.slice/a.scope")
        #expect(host.available == Support.controllerNames)
    }

    @Test("controllers on version 1 are found by their mounts, blkio as io")
    func hybrid() {
        let mounts = """
            31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:4 - cgroup cgroup rw,cpu,cpuacct
            33 31 0:30 / /sys/fs/cgroup/block\\040io rw,relatime - cgroup cgroup rw,blkio
            40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
            """
        let host = support(mountinfo: mounts, offered: "cpuset memory hugetlb pids rdma misc")
        #expect(host.layout == .hybrid)
        #expect(host.mountPoint == "/sys/fs/cgroup/unified")
        #expect(host.controllers["cpu"] == .boundToVersion1(at: "/sys/fs/cgroup/cpu,cpuacct"))
        #expect(host.controllers["io"] == .boundToVersion1(at: "/sys/fs/cgroup/block io"))
        #expect(host.available == ["cpuset", "memory", "pids", "hugetlb", "rdma", "misc"])
    }

    @Test("a version 1 hierarchy that is mounted elsewhere shows in the process's own cgroups, or in the kernel's list")
    func boundOutOfSight() {
        let host = support(
            mountinfo: unified, subsystems: Self.all.replacing("memory\t0", with: "memory\t4"),
            membership: "9:pids,blkio:/x\n0::/\n", offered: "cpu cpuset")
        #expect(host.controllers["memory"] == .boundToVersion1(at: nil))
        #expect(host.controllers["pids"] == .boundToVersion1(at: nil))
        #expect(host.controllers["io"] == .boundToVersion1(at: nil))
        #expect(host.controllers["rdma"] == .notDelegated)
    }

    @Test func disabledAtBoot() {
        let byList = support(
            mountinfo: unified, subsystems: Self.all.replacing("memory\t0\t1\t1", with: "memory\t0\t1\t0"),
            offered: "cpu cpuset io pids hugetlb rdma misc")
        #expect(byList.names { $0 == .disabledAtBoot } == ["memory"])
        let byCommandLine = support(
            mountinfo: unified, subsystems: "", commandLine: "quiet cgroup_disable=blkio,pids x=1", offered: "cpu")
        #expect(byCommandLine.names { $0 == .disabledAtBoot } == ["io", "pids"])
    }

    @Test("what a kernel lacks and what a container was not given are told apart")
    func lacking() {
        let withoutRDMA = Self.all.replacing("rdma\t0\t1\t1\n", with: "")
        let host = support(
            mountinfo: unified, subsystems: withoutRDMA, offered: "cpu cpuset io memory hugetlb pids misc")
        #expect(host.names { $0 == .notCompiled } == ["rdma"])
        let container = support(
            mountinfo: unified, subsystems: withoutRDMA, offered: "cpu memory pids", isRealRoot: false)
        #expect(container.names { $0 == .notDelegated } == ["cpuset", "io", "hugetlb", "rdma", "misc"])
    }

    @Test func unmounted() {
        let host = support(mountinfo: "22 27 0:21 / /proc rw - proc proc rw\n", offered: nil)
        #expect(host.layout == .none && host.mountPoint == nil)
        #expect(host.names { $0 == .notMounted } == Support.controllerNames)
    }

    @Test func legacy() {
        let host = support(mountinfo: "35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory\n", offered: nil)
        #expect(host.layout == .legacy)
        #expect(host.controllers["memory"] == .boundToVersion1(at: "/cg/memory"))
        #expect(host.controllers["cpu"] == .notMounted)
    }

    @Test("a controller newer than this library is kept")
    func newController() {
        let host = support(mountinfo: unified, offered: "cpu cpuset io memory hugetlb pids rdma misc dmem")
        #expect(host.available == Support.controllerNames + ["dmem"])
    }

    @Test("of several version 2 mounts the usual place wins")
    func severalMounts() {
        let other = "50 23 0:38 / /mnt/c rw - cgroup2 none rw\n"
        #expect(CgroupMounts(mountinfo: other + unified).version2 == "/sys/fs/cgroup")
        #expect(CgroupMounts(mountinfo: unified + other).version2 == "/sys/fs/cgroup")
        #expect(CgroupMounts(mountinfo: other).version2 == "/mnt/c")
    }

    @Test(
        "broken files are survived",
        arguments: [
            "", "-", " - ", "1 2 3 4 5 - cgroup2", "a b c d e - cgroup2 x", "\\", "1 2 3 4 /\\04 x - cgroup2 a b",
        ])
    func broken(text: String) {
        let host = support(mountinfo: text, subsystems: text, membership: text, commandLine: text, offered: text)
        #expect(host.controllers.keys.contains("cpu"))
    }

    @Test func prints() {
        let host = support(
            mountinfo: unified, subsystems: Self.all.replacing("rdma\t0\t1\t1\n", with: ""),
            offered: "cpu cpuset io memory pids misc")
        #expect(
            host.description
                == "unified, version 2 on /sys/fs/cgroup (not writable); controllers: cpu cpuset memory io pids misc, "
                + "hugetlb not delegated to the mount's root, rdma not in this kernel; pressure: no")
    }
}
