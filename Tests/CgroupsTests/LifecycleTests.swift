import CLinux
import Linux
import TestSupport
import Testing

@testable import Cgroups

/// Making, removing, killing, freezing: what every cgroup2 file system can do, whatever its controllers.
@Suite struct LifecycleTests {
    @Test(.needsSomeCgroup2) func findsTheHierarchy() throws {
        let hierarchy = try CgroupHierarchy.find()
        #expect(try CgroupHierarchy(mountPoint: hierarchy.mountPoint + "/") == hierarchy)
        let root = try hierarchy.root()
        let isRoot = root.isRoot
        #expect(isRoot)
        #expect(root.relativePath == "/")
        #expect(try root.type() == .domain)
        #expect(try root.parent() == nil)
        #expect(try Cgroup(opening: hierarchy.mountPoint + "/").relativePath == "/")
        let own = try hierarchy.ownPath()
        #expect(hierarchy.contains(own))
        #expect(try hierarchy.path(ofProcess: getpid()) == own)
    }

    @Test func otherFileSystemsAreRefused() {
        let proc = #expect(throws: CgroupError.self) { try CgroupHierarchy(mountPoint: "/proc") }
        #expect(proc?.description.contains("another file system") == true)
        let nowhere = #expect(throws: CgroupError.self) { try CgroupHierarchy(mountPoint: "/nowhere") }
        #expect(nowhere?.errno == .noSuchFileOrDirectory)
        #expect(throws: CgroupError.self) { _ = try Cgroup(opening: "/proc") }
        #expect(throws: CgroupError.self) { _ = try Cgroup(opening: "/etc/passwd") }
        #expect(throws: CgroupError.self) { _ = try Cgroup(opening: "sys/fs/cgroup") }
    }

    @Test(.needsSomeCgroup2, arguments: ["../x", "a/../b", "./a"]) func pathsStayInside(
        _ path: String
    ) throws {
        let hierarchy = try CgroupHierarchy.find()
        #expect(throws: CgroupError.self) { _ = try hierarchy.create(path) }
        #expect(throws: CgroupError.self) { _ = try hierarchy.open(path) }
        #expect(!hierarchy.contains(path))
        #expect(throws: CgroupError.self) { _ = try hierarchy.open("a\u{0}b") }
    }

    @Test(.needsSomeCgroup2) func opensByFullPath() throws {
        try withCgroup { cgroup in
            let inner = try cgroup.createChild("inner")
            let opened = try Cgroup(opening: inner.path + "//")
            #expect(opened.path == inner.path)
            #expect(opened.hierarchy == cgroup.hierarchy)
            #expect(opened.relativePath == cgroup.relativePath + "/inner")
            #expect(throws: CgroupError.self) { _ = try cgroup.createChild("a/b") }
        }
    }

    @Test(.needsSomeCgroup2) func makesWhatIsMissingAndRemovesJustThat() throws {
        let hierarchy = try CgroupHierarchy.find()
        let base = uniquePath()
        let top = try hierarchy.create(base)
        defer { try? top.remove(killing: true) }
        #expect(top.createdLevels == 1)

        let leaf = try hierarchy.create(base + "/a/b/c")
        #expect(leaf.createdLevels == 3)
        #expect(leaf.relativePath == base + "/a/b/c")
        #expect(leaf.name == "c")
        #expect(leaf.parentPath == hierarchy.mountPoint + base + "/a/b")
        #expect(try top.children() == ["a"])

        let again = try hierarchy.create(base + "/a/b/c")
        #expect(again.createdLevels == 0)
        try again.removeCreated()
        #expect(hierarchy.contains(base + "/a/b/c"))

        try leaf.removeCreated()
        #expect(!hierarchy.contains(base + "/a"))
        #expect(hierarchy.contains(base))
    }

    @Test(.needsSomeCgroup2) func levelsInUseByOthersStay() throws {
        try withCgroup { top in
            let leaf = try top.hierarchy.create(top.relativePath + "/a/b")
            _ = try top.hierarchy.create(top.relativePath + "/a/other")
            try leaf.removeCreated()
            #expect(try top.child("a").children() == ["other"])
        }
    }

    @Test(.needsSomeCgroup2) func failureLeavesNothing() throws {
        let hierarchy = try CgroupHierarchy.find()
        let base = uniquePath()
        let bad = ResourceLimits(raw: [try RawSetting(file: "cgroup.max.depth", value: "many")])
        let error = #expect(throws: CgroupError.self) { _ = try hierarchy.create(base + "/a/b", applying: bad) }
        #expect(error?.errno == .invalidArgument)
        #expect(error?.file == "cgroup.max.depth")
        #expect(!hierarchy.contains(base))

        let unknown = Controller(rawValue: "warp")
        let missing = #expect(throws: CgroupError.self) {
            _ = try hierarchy.create(base + "/a", controllers: [unknown])
        }
        #expect(missing?.cause == .controllerMissing(ControllerAbsence(controller: unknown, reason: .notInKernel)))
        #expect(!hierarchy.contains(base))

        // The last of several directories is refused: those made for it go again.
        let top = try hierarchy.create(base)
        defer { try? top.remove() }
        try top.set(.maximumDepth, to: 2)
        let deep = #expect(throws: CgroupError.self) { _ = try hierarchy.create(base + "/a/b/c") }
        #expect(deep?.errno == .wouldBlock)
        #expect(deep?.hint?.contains("cgroup.max.depth") == true)
        #expect(try top.children() == [])
    }

    @Test(.needsSomeCgroup2) func controllersAreEnabledDownwards() throws {
        let hierarchy = try CgroupHierarchy.find()
        let root = try hierarchy.root()
        let controller = try #require(try hierarchy.controllers().first { $0 == .hugetlb })
        let wasEnabled = try root.enabledControllers().contains(controller)
        let base = uniquePath()
        let leaf = try hierarchy.create(base + "/a/b", controllers: [controller])
        defer {
            try? hierarchy.open(base).remove(killing: true)
            // A guest leaves the machine's root as it was.
            if !wasEnabled { try? root.enable([], disable: [controller]) }
        }
        #expect(try root.enabledControllers().contains(controller))
        #expect(try leaf.availableControllers() == [controller])
        #expect(try leaf.absence(of: controller) == nil)

        guard let parent = try leaf.parent() else {
            Issue.record("a leaf has a parent")
            return
        }
        try parent.enable([], disable: [controller])
        #expect(
            try leaf.absence(of: controller)
                == ControllerAbsence(controller: controller, reason: .notEnabled(in: parent.path)))
        let size = try #require(HugePageSize.available().first)
        let refused = #expect(throws: CgroupError.self) { try leaf.set(.hugePagesMax(size), to: 0) }
        #expect(refused?.description.contains("write \"+hugetlb\" to cgroup.subtree_control of") == true)

        // Limits that need it bring it back.
        let limits = ResourceLimits(hugePages: [HugePageLimit(size: size, max: 0)])
        let second = try hierarchy.create(base + "/a/c", applying: limits)
        #expect(try second.get(.hugePagesMax(size)) == 0)
    }

    @Test(.needsSomeCgroup2) func processesAreAddedListedAndWaitedFor() throws {
        try withCgroup { cgroup in
            #expect(try !cgroup.events().isPopulated)
            let program = try Program(["/bin/sleep", "1000"])
            try cgroup.add(process: program.pid)
            #expect(try cgroup.processes() == [program.pid])
            #expect(try cgroup.threads() == [program.pid])
            #expect(try cgroup.events().isPopulated)
            #expect(try cgroup.hierarchy.path(ofProcess: program.pid) == cgroup.relativePath)
            let inner = try cgroup.createChild("inner")
            let second = try Program(["/bin/sleep", "1000"])
            try inner.add(process: second.pid)
            #expect(try cgroup.processesOfSubtree().sorted() == [program.pid, second.pid].sorted())
            #expect(try !cgroup.waitUntilEmpty(timeoutMilliseconds: 20))
            try cgroup.kill()
            #expect(try cgroup.waitUntilEmpty(timeoutMilliseconds: 10_000))
            #expect(try program.wait() == .signaled(SIGKILL))
            #expect(try second.wait() == .signaled(SIGKILL))

            let gone = #expect(throws: CgroupError.self) { try cgroup.add(process: program.pid) }
            #expect(gone?.errno == .noSuchProcess)
        }
    }

    @Test(.needsSomeCgroup2) func processesKeepItFromBeingRemoved() throws {
        let hierarchy = try CgroupHierarchy.find()
        let cgroup = try hierarchy.create(uniquePath())
        _ = try hierarchy.create(cgroup.relativePath + "/empty")
        let program = try Program(["/bin/sleep", "1000"])
        try cgroup.add(process: program.pid)
        let error = #expect(throws: CgroupError.self) { try cgroup.remove() }
        #expect(error?.errno == .busy)
        #expect(error?.hint == "processes are in it: \(program.pid)")
        // Refused before anything was touched.
        #expect(try cgroup.children() == ["empty"])
        #expect(program.isRunning)
        try cgroup.remove(killing: true)
        #expect(try program.wait() == .signaled(SIGKILL))
        #expect(!hierarchy.contains(cgroup.relativePath))
        try cgroup.remove()
    }

    @Test(.needsSomeCgroup2) func aGoneCgroupSaysSo() throws {
        let hierarchy = try CgroupHierarchy.find()
        let cgroup = try hierarchy.create(uniquePath())
        let watch = try cgroup.watch()
        _ = try watch.read()
        try cgroup.remove()
        for error in [
            #expect(throws: CgroupError.self) { _ = try cgroup.events() },
            #expect(throws: CgroupError.self) { try cgroup.add(process: 0) },
            #expect(throws: CgroupError.self) { _ = try watch.read() },
        ] { #expect(error?.hint == "the cgroup was removed") }
        #expect(throws: CgroupError.self) { _ = try hierarchy.open(cgroup.relativePath) }
    }

    /// A shell that forks as fast as it can: `cgroup.kill`, and the way without it, end it.
    @Test(.needsSomeCgroup2, arguments: [false, true]) func killingOutrunsForking(byHand: Bool) throws {
        try withCgroup { cgroup in
            let forking = "while :; do (while :; do sleep 0.01 & wait; done) & sleep 0.05; done"
            let program = try Program(shell: forking, in: cgroup.path)
            #expect(try eventually { try cgroup.processes().count > 5 })
            if byHand { try cgroup.killEach() } else { try cgroup.kill() }
            #expect(try cgroup.waitUntilEmpty(timeoutMilliseconds: 10_000))
            #expect(try program.wait() == .signaled(SIGKILL))
            #expect(try eventually { try !cgroup.events().isFrozen })
        }
    }

    /// A delegate may nest cgroups deeper than a path or a descriptor table goes.
    @Test(.needsSomeCgroup2) func removesADeepTree() throws {
        try withCgroup { top in
            var place = try top.directory.duplicate()
            for _ in 0..<1100 {
                try #require(mkdirat(place.rawValue, "level", 0o755) == 0)
                try #require(mkdirat(place.rawValue, "beside", 0o755) == 0)
                place = try place.open("level", [.readOnly, .directory])
            }
            #expect(try top.descendantCounts().alive == 2200)
            try top.remove()
            let isLeft = top.hierarchy.contains(top.relativePath)
            #expect(!isLeft)
        }
    }

    @Test(.needsSomeCgroup2) func freezesAndThaws() throws {
        try withCgroup { cgroup in
            let program = try Program(shell: "while :; do :; done", in: cgroup.path)
            #expect(try eventually { try cgroup.processes().contains(program.pid) })
            try cgroup.freeze()
            #expect(try cgroup.events() == CgroupEvents(isPopulated: true, isFrozen: true))
            #expect(try cgroup.get(.freezeRequested))
            let before = try cgroup.cpuStatistics().usage
            poll(nil, 0, 100)
            #expect(try cgroup.cpuStatistics().usage == before)
            try cgroup.thaw()
            #expect(try !cgroup.events().isFrozen)
            #expect(try eventually { try cgroup.cpuStatistics().usage > before })
            // Frozen, it still dies.
            try cgroup.freeze()
            try cgroup.kill()
            #expect(try program.wait() == .signaled(SIGKILL))
        }
    }

    /// In a fixture: where the refusal was missing, every process of the machine would be hit.
    @Test func theRootIsNeitherKilledNorFrozenNorRemoved() throws {
        let program = try Program(["/bin/sleep", "1000"])
        let folder = try Fixture(["cgroup.procs": "\(program.pid)\n", "cgroup.freeze": ""])
        for isMountPoint in [true, false] {
            // The kernel's own root has neither cgroup.type nor cgroup.kill, by whatever name it was opened.
            let root = Cgroup(
                directory: try Descriptor.open(folder.path, [.readOnly, .directory]), path: folder.path,
                hierarchy: CgroupHierarchy(unchecked: isMountPoint ? folder.path : "/elsewhere"), isFixture: true)
            let kill = #expect(throws: CgroupError.self) { try root.kill() }
            #expect(kill?.description.hasPrefix("kill every process of cgroup") == true)
            #expect(kill?.description.hasSuffix("(EBUSY): it is the mounted root") == true)
        }
        let root = Cgroup(
            directory: try Descriptor.open(folder.path, [.readOnly, .directory]), path: folder.path,
            hierarchy: CgroupHierarchy(unchecked: folder.path), isFixture: true)
        for error in [
            #expect(throws: CgroupError.self) { try root.killEach() },
            #expect(throws: CgroupError.self) { try root.freeze() },
            #expect(throws: CgroupError.self) { try root.thaw() },
            #expect(throws: CgroupError.self) { try root.remove(killing: true) },
        ] { #expect(error?.hint == "it is the mounted root") }
        #expect(try folder.text("cgroup.freeze") == "")
        #expect(program.isRunning)
    }

    @Test(.needsSomeCgroup2) func whatIsFrozenAboveStaysFrozen() throws {
        try withCgroup { cgroup in
            let inner = try cgroup.createChild("inner")
            try cgroup.freeze()
            let error = #expect(throws: CgroupError.self) { try inner.thaw(timeoutMilliseconds: 50) }
            #expect(error?.cause == .timedOut(milliseconds: 50))
            #expect(error?.description.hasSuffix("not done after 50 ms: a cgroup above it is frozen") == true)
            try cgroup.thaw()
            try inner.thaw()
        }
    }

    @Test(.needsSomeCgroup2) func changesWakeAnEventLoop() throws {
        try withCgroup { cgroup in
            let watch = try cgroup.watch()
            #expect(try watch.read()["populated"] == 0)
            #expect(try !watch.waitForChange(timeoutMilliseconds: 10))
            let loop = try EventLoop()
            try loop.add(watch.descriptor, for: .priority, token: 7)
            let program = try Program(["/bin/sleep", "1000"])
            try cgroup.add(process: program.pid)
            var seen: [UInt64] = []
            try loop.wait(timeoutMilliseconds: 5000) { token, _ in seen.append(token) }
            #expect(seen == [7])
            #expect(try watch.read()["populated"] == 1)
        }
    }

    @Test(.needsSomeCgroup2) func threadedCgroupsHoldThreads() throws {
        try withCgroup { domain in
            let threaded = try domain.createChild("threaded")
            let sibling = try domain.createChild("sibling")
            #expect(try threaded.type() == .domain)
            try threaded.makeThreaded()
            #expect(try threaded.type() == .threaded)
            #expect(try domain.type() == .domainThreaded)
            #expect(try sibling.type() == .domainInvalid)

            let program = try Program(["/bin/sleep", "1000"])
            let refused = #expect(throws: CgroupError.self) { try sibling.add(process: program.pid) }
            #expect(refused?.errno == .notSupported)
            #expect(refused?.hint?.contains("cgroup.type") == true)
            try domain.add(process: program.pid)
            try threaded.add(thread: program.pid)
            #expect(try threaded.threads() == [program.pid])
            let listed = #expect(throws: CgroupError.self) { _ = try threaded.processes() }
            #expect(listed?.errno == .notSupported)
            #expect(throws: CgroupError.self) { try threaded.kill() }
            try domain.kill()
            #expect(try program.wait() == .signaled(SIGKILL))
        }
    }

    @Test(.needsSomeCgroup2) func aDelegateMayDoWhatItsFilesAllow() throws {
        try withCgroup { cgroup in
            let user: uid_t = 61_000
            try cgroup.delegate(to: user, group: user)
            #expect(try cgroup.directory.status().owner == user)
            for (file, owner) in [
                ("cgroup.procs", user), ("cgroup.threads", user), ("cgroup.subtree_control", user),
                ("cgroup.max.depth", 0), ("cgroup.freeze", 0),
            ] {
                #expect(try cgroup.directory.open(file, .readOnly).status().owner == owner, "\(file)")
            }
            // It may make cgroups below and move within; it may not change this one's limits or leave it.
            let script = """
                set -e
                mkdir "$0/inner"
                echo $$ >"$0/inner/cgroup.procs"
                ! (echo 3 >"$0/cgroup.max.depth") 2>/dev/null
                ! (echo $$ >"$0/../cgroup.procs") 2>/dev/null
                """
            let status = try Program(
                [
                    "/usr/bin/setpriv", "--reuid=61000", "--regid=61000", "--clear-groups", "/bin/sh", "-c", script,
                    cgroup.path,
                ], in: cgroup.path
            ).wait()
            #expect(status == .exited(0))
            #expect(try cgroup.children() == ["inner"])
        }
    }

    @Test(.needsSomeCgroup2) func noDescriptorIsLeftOpen() throws {
        let hierarchy = try CgroupHierarchy.find()
        let base = uniquePath()
        do {
            let cgroup = try hierarchy.create(base + "/a/b", applying: ResourceLimits(devices: [.deny()]))
            let program = try Program(["/bin/sleep", "1000"])
            try cgroup.add(process: program.pid)
            try cgroup.freeze()
            try cgroup.thaw()
            _ = try cgroup.statistics()
            _ = try? cgroup.write("x", to: "cgroup.max.depth")
            _ = try? cgroup.read("memory.nonsense")
            #expect(openDescriptors(of: base) == 1)
            try cgroup.removeCreated(killing: true)
        }
        #expect(openDescriptors(of: base) == 0)
        #expect(!hierarchy.contains(base))
    }

    @Test(.needsSomeCgroup2) func refusalsExplainThemselves() throws {
        try withCgroup { cgroup in
            let value = #expect(throws: CgroupError.self) { try cgroup.write("x", to: "cgroup.freeze") }
            #expect(value?.errno == .invalidArgument)
            let unknown = #expect(throws: CgroupError.self) { try cgroup.write("x", to: "cgroup.nonsense") }
            #expect(unknown?.hint == "this kernel has no such file")
            let pressure = #expect(throws: CgroupError.self) {
                _ = try cgroup.pressureTrigger(.cpu, thresholdMicroseconds: 10, windowMicroseconds: 1)
            }
            #expect(pressure?.hint != nil)
            for name in ["", ".", "..", "a/b"] {
                #expect(throws: CgroupError.self) { _ = try cgroup.child(name) }
            }
        }
    }

    /// Where a controller serves version 1, the refusal says so.
    @Test(.needsSomeCgroup2) func aControllerElsewhereIsNamed() throws {
        let hierarchy = try CgroupHierarchy.find()
        for controller in [Controller.memory, .pids, .cpu] {
            guard let absence = try hierarchy.absence(of: controller) else { continue }
            let limits = ResourceLimits(raw: [try RawSetting(file: "\(controller).max", value: "max")])
            let base = uniquePath()
            let error = #expect(throws: CgroupError.self) { _ = try hierarchy.create(base, applying: limits) }
            #expect(error?.cause == .controllerMissing(absence))
            #expect(!hierarchy.contains(base))
        }
    }
}
