import Cgroups
import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// Limits, as the kernel keeps them.
    @Suite struct LimitTests {
        private func file(_ name: String, _ container: Container) throws -> String {
            let path = try container.withCgroup { cgroup in cgroup.path }
            return String(try readText("\(path)/\(name)").dropLast())
        }

        private func limited(_ arguments: [String], _ change: (inout Configuration.Resources) -> Void) throws -> TestBundle {
            let bundle = try TestBundle(arguments)
            bundle.configuration.linux.resources = .init()
            change(&bundle.configuration.linux.resources!)
            return bundle
        }

        private func script(_ text: String, _ change: (inout Configuration.Resources) -> Void) throws -> TestBundle {
            try limited(["sh", "-c", "exec >/out 2>&1\n\(text)"], change)
        }

        @Test(.needs(.root), .needs(.controller("memory"))) func tooMuchMemoryKills() throws {
            let bundle = try limited(["tail", "/dev/zero"]) {
                $0.memory = .init()
                $0.memory?.limit = 16 << 20
                $0.memory?.swap = 16 << 20
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            #expect(try creation.wait() == .signaled(SIGKILL))
            #expect(try file("memory.max", creation.container) == "\(16 << 20)")
            #expect(try file("memory.events", creation.container).contains("oom_kill 1"))
            try creation.container.delete()
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root), .needs(.controller("memory"))) func memoryIsUpdatedWhileInUse() throws {
            let bundle = try script("dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; echo filled; sleep 100") {
                $0.memory = .init()
                $0.memory?.limit = 64 << 20
                $0.memory?.reservation = 32 << 20
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            try bundle.waitForOutput("filled\n")
            #expect(try file("memory.low", creation.container) == "\(32 << 20)")
            var resources = Configuration.Resources()
            resources.memory = .init()
            resources.memory?.limit = 8 << 20
            resources.memory?.checkBeforeUpdate = true
            let error = #expect(throws: ContainerError.self) { try creation.container.update(resources) }
            #expect(error?.message.contains("memory.max") == true, "\(error?.message ?? "")")
            #expect(try file("memory.max", creation.container) == "\(64 << 20)")
            resources.memory?.limit = 48 << 20
            try creation.container.update(resources)
            #expect(try file("memory.max", creation.container) == "\(48 << 20)")
            #expect(try file("memory.low", creation.container) == "\(32 << 20)")
            #expect(try creation.container.state().status == .running)
        }

        @Test(.needs(.root), .needs(.controller("memory"))) func aTinyLimitIsAnErrorNotAHang() throws {
            let bundle = try limited(["true"]) {
                $0.memory = .init()
                $0.memory?.limit = 4096
            }
            _ = bundle.refusal()
            #expect(bundle.settledLeftovers() == [])
        }

        @Test(.needs(.root), .needs(.controller("pids"))) func tooManyProcessesAreRefused() throws {
            let bundle = try script("sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & echo all") { $0.pids = .init(limit: 4) }
            let lines = try bundle.linesOfRun()
            #expect(lines.contains { $0.contains("fork") }, "\(lines)")
            #expect(!lines.contains("all"))
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root), .needs(.controller("pids"))) func limitsChangeWhileItRuns() throws {
            let bundle = try script("sleep 100") { $0.pids = .init(limit: 40) }
            let creation = try bundle.start()
            defer { discard(creation) }
            #expect(try file("pids.max", creation.container) == "40")
            var resources = Configuration.Resources()
            resources.pids = .init(limit: 30)
            resources.unified = ["pids.max": "29"]
            try creation.container.update(resources)
            #expect(try file("pids.max", creation.container) == "29")
            resources.unified = [:]
            resources.pids = .init(limit: -1)
            try creation.container.update(resources)
            #expect(try file("pids.max", creation.container) == "max")
            // An exec counts as well.
            resources.pids = .init(limit: 2)
            try creation.container.update(resources)
            #expect(try bundle.execute("sleep 0 & sleep 0 & wait; echo all").output.contains("all") == false)
        }

        @Test(.needs(.root), .needs(.controller("cpu"))) func aQuotaThrottles() throws {
            let bundle = try script("i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; grep nr_throttled /sys/fs/cgroup/cpu.stat | cut -d' ' -f2") {
                $0.cpu = .init()
                $0.cpu?.quota = 5000
                $0.cpu?.period = 100_000
                $0.cpu?.shares = 1024
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            #expect(try file("cpu.max", creation.container) == "5000 100000")
            #expect(try file("cpu.weight", creation.container) == "100")
            var resources = Configuration.Resources()
            try waitUntil("a throttled period") {
                (try? file("cpu.stat", creation.container))?.contains("nr_throttled 0\n") == false
            }
            resources.cpu = .init()
            resources.cpu?.quota = -1
            try creation.container.update(resources)
            #expect(try file("cpu.max", creation.container).hasPrefix("max "))
            #expect(try creation.wait() == .exited(0))
            #expect(bundle.lines.first.flatMap { Int($0) }.map { $0 > 0 } == true)
        }

        @Test(.needs(.root), .needs(.controller("cpuset"))) func cpusAreTheGivenOnes() throws {
            let bundle = try script("grep Cpus_allowed_list /proc/self/status | cut -f2; nproc") {
                $0.cpu = .init()
                $0.cpu?.cpus = "1"
                $0.cpu?.mems = "0"
            }
            #expect(try bundle.linesOfRun() == ["1", "1"])
        }

        @Test(.needs(.root), .needs(.controller("io"))) func inputAndOutputAreLimited() throws {
            let bundle = try script("sleep 100") {
                $0.blockIO = .init()
                $0.blockIO?.throttleReadBpsDevice = [.init(major: 7, minor: 0, rate: 1 << 20)]
                $0.blockIO?.throttleWriteIOPSDevice = [.init(major: 7, minor: 0, rate: 50)]
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            #expect(try file("io.max", creation.container) == "7:0 rbps=1048576 wbps=max riops=max wiops=50")
        }

        @Test(.needs(.root)) func hugePagesAreLimited() throws {
            guard try CgroupHierarchy.find().controllers().contains(Controller(rawValue: "hugetlb")) else { return }
            let bundle = try script("sleep 100") {
                $0.hugepageLimits = [.init(pageSize: "2MB", limit: 4 << 20)]
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            #expect(try file("hugetlb.2MB.max", creation.container) == "\(4 << 20)")
            let wrong = try script("true") { $0.hugepageLimits = [.init(pageSize: "3MB", limit: 0)] }
            #expect(wrong.refusal() != nil)
            #expect(wrong.leftovers == [])
        }

        @Test(.needs(.root), .needs(.controller("memory"))) func rawKeysAreWritten() throws {
            let bundle = try script("sleep 100") {
                $0.unified = ["memory.high": "33554432", "pids.max": "17", "cgroup.max.depth": "3"]
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            #expect(try file("memory.high", creation.container) == "33554432")
            #expect(try file("pids.max", creation.container) == "17")
            #expect(try file("cgroup.max.depth", creation.container) == "3")
        }

        @Test(.needs(.root)) func badLimitsAreRefused() throws {
            for (change, text) in [
                ({ $0.unified = ["../cgroup.procs": "1"] }, "unified"),
                ({ $0.unified = ["no.such.key": "1"] }, "no.such.key"),
                ({ $0.network = .init(); $0.network?.classID = 1 }, "network"),
                ({ $0.cpu = .init(); $0.cpu?.cpus = "a-b" }, "cpus"),
                ({ $0.hugepageLimits = [.init(pageSize: "much", limit: 1)] }, "much"),
                ({ $0.devices = [.init(allow: true, access: "rwx")] }, "devices"),
            ] as [((inout Configuration.Resources) -> Void, String)] {
                let bundle = try limited(["true"], change)
                let message = bundle.refusal()?.message
                #expect(message?.contains(text) == true, "\(message ?? "ran")")
                #expect(message?.contains("\n") == false)
                #expect(bundle.leftovers == [])
            }
        }

        // Devices.

        private func withNodes(_ bundle: TestBundle) {
            bundle.configuration.mounts.append(
                .init(destination: "/nodes", type: "tmpfs", source: "tmpfs", options: ["mode=777"]))
            bundle.process.capabilities?.bounding.append("CAP_MKNOD")
            bundle.process.capabilities?.effective.append("CAP_MKNOD")
            bundle.process.capabilities?.permitted.append("CAP_MKNOD")
        }

        @Test(.needs(.root)) func devicesOutsideTheRulesAreRefused() throws {
            let text = """
                mknod /nodes/kmsg c 1 11 && echo made; mknod /nodes/zero c 1 5; mknod /nodes/loop b 7 0
                : >/nodes/kmsg && echo opened; head -c 2 /nodes/zero | wc -c; head -c 0 /nodes/loop; echo x >/dev/null && echo null
                """
            let refused = try script(text) { $0.devices = [.init(allow: false, access: "rwm")] }
            withNodes(refused)
            let lines = try refused.linesOfRun()
            #expect(lines.first == "made")
            #expect(lines.dropFirst().first?.contains("Operation not permitted") == true, "\(lines)")
            #expect(!lines.contains("opened"))
            #expect(lines.contains("2"))
            #expect(lines.contains { $0.contains("loop") && $0.contains("Operation not permitted") })
            #expect(lines.last == "null")

            let allowed = try script(text) {
                $0.devices = [
                    .init(allow: false, access: "rwm"), .init(allow: true, type: .character, major: 1, minor: 11, access: "w"),
                ]
            }
            withNodes(allowed)
            #expect(try allowed.linesOfRun().contains("opened"))
        }

        @Test(.needs(.root)) func deviceRulesChangeWhileItRuns() throws {
            let bundle = try script("mknod /nodes/kmsg c 1 11; echo up; sleep 100") { $0.devices = [.init(allow: false, access: "rwm")] }
            withNodes(bundle)
            let creation = try bundle.start()
            defer { discard(creation) }
            try bundle.waitForOutput("up\n")
            #expect(try bundle.execute(": >/nodes/kmsg && echo opened").output.contains("Operation not permitted"))
            var resources = Configuration.Resources()
            resources.devices = [
                .init(allow: false, access: "rwm"), .init(allow: true, type: .character, major: 1, minor: 11, access: "rw"),
            ]
            try creation.container.update(resources)
            #expect(try bundle.execute(": >/nodes/kmsg && echo opened").output == "opened\n")
            resources.devices = [.init(allow: false, access: "rwm")]
            try creation.container.update(resources)
            #expect(try bundle.execute(": >/nodes/kmsg && echo opened").output.contains("Operation not permitted"))
        }
    }
}
