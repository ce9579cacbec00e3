import Glibc
import Launch
import Linux
import TestSupport
import Testing

/// Where a process is born: namespaces of others', and cgroups.
@Suite struct JoinTests {
    /// A process that only keeps its namespaces.
    private func holder(_ kinds: NamespaceFlags, cgroup: CInt? = nil, unsharing: NamespaceFlags = []) throws -> LaunchedProcess {
        var plan = LaunchPlan()
        plan.newNamespaces = kinds
        plan.cgroup = cgroup
        if kinds.contains(.user) {
            plan.identityMaps = IdentityMaps(
                users: [.init(inside: 0, outside: 100_000, count: 65536)],
                groups: [.init(inside: 0, outside: 100_000, count: 65536)])
        }
        if !unsharing.isEmpty { plan.append(.unshare(unsharing)) }
        if kinds.contains(.uts) { plan.append(.hostname("held")) }
        plan.append(.synchronize(SyncPoint(rawValue: 1)))
        let process = try plan.launch()
        try process.next()
        return process
    }

    private func report(_ plan: inout LaunchPlan, _ script: String) throws -> [String] {
        let pipe = try Pipe()
        plan.append(.duplicate(.inherited(pipe.writeEnd.rawValue), to: 1))
        plan.append(.closeDescriptors(from: 3, keeping: []))
        plan.append(.findExecutable("/bin/sh", searchPath: []))
        plan.append(.execute(arguments: ["sh", "-c", script], environment: ["PATH=/bin:/usr/bin"]))
        let process = try plan.launch()
        try process.waitUntilExecuted()
        #expect(try process.wait() == .exited(0))
        return String(decoding: try pipe.takeReadEnd().readToEnd(), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test(.needs(.root)) func namespacesAreJoinedBeforeTheClone() throws {
        let holder = try holder([.uts, .pid, .network])
        var plan = LaunchPlan()
        plan.joinsBeforeClone = [.init([.uts, .pid, .network], holder.process.descriptor.rawValue)]
        let own = link("/proc/self/ns/uts")
        let lines = try report(&plan, "uname -n; echo $$; readlink /proc/self/ns/net")
        #expect(lines.first == "held")
        #expect(lines.dropFirst().first == "2")
        // The host's /proc still shows: its own link is of the host's numbering, so it is the shell's that counts.
        #expect(link("/proc/self/ns/uts") == own)
        try holder.proceed()
        _ = try holder.wait()
    }

    @Test(.needs(.root)) func namespacesAreJoinedByTheChild() throws {
        let holder = try holder(.uts)
        let path = try Descriptor.open("/proc/\(holder.pid)/ns/uts", .readOnly)
        var plan = LaunchPlan()
        plan.append(.join(.uts, .inherited(path.rawValue)))
        #expect(try report(&plan, "uname -n") == ["held"])
        try holder.proceed()
        _ = try holder.wait()
    }

    @Test(.needs(.root)) func aUserNamespaceIsJoinedFirst() throws {
        let holder = try holder([.user, .uts])
        var plan = LaunchPlan()
        plan.joinsBeforeClone = [.init([.user, .uts], holder.process.descriptor.rawValue)]
        plan.append(.user(0, group: 0))
        let lines = try report(&plan, "id -u; uname -n; cat /proc/self/uid_map")
        #expect(lines.prefix(2) == ["0", "held"])
        #expect(lines.last?.split(whereSeparator: \.isWhitespace) == ["0", "100000", "65536"])
        try holder.proceed()
        _ = try holder.wait()
    }

    /// A cgroup of the test's own.
    private func withCgroup(_ body: (borrowing Descriptor, String) throws -> Void) throws {
        let mount = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified"
        let name = "bulkhead-launch-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        #expect(mkdir("\(mount)/\(name)", 0o755) == 0)
        defer { #expect(rmdir("\(mount)/\(name)") == 0) }
        try body(try .open("\(mount)/\(name)", [.readOnly, .directory]), "/\(name)")
    }

    @Test(.needs(.root)) func aProcessIsBornInItsCgroup() throws {
        try withCgroup { cgroup, path in
            var plan = LaunchPlan()
            plan.cgroup = cgroup.rawValue
            let lines = try report(&plan, "grep ^0: /proc/self/cgroup")
            #expect(lines == ["0::\(path)"])
        }
    }

    @Test(.needs(.root)) func whereTheKernelRefusesTheParentMovesIt() throws {
        try withCgroup { cgroup, path in
            // One that holds the cgroup's own namespace: where namespaces are borders of delegation, nobody is born
            // into the cgroup from outside who has joined that namespace.
            let holder = try holder([], cgroup: cgroup.rawValue, unsharing: .cgroup)
            var plan = LaunchPlan()
            plan.cgroup = cgroup.rawValue
            plan.joinsBeforeClone = [.init(.cgroup, holder.process.descriptor.rawValue)]
            plan.append(.synchronize(SyncPoint(rawValue: 1)))
            let process = try plan.launch()
            #expect(try process.next() == .reached(SyncPoint(rawValue: 1)))
            #expect(try readText("/proc/\(process.pid)/cgroup").contains("0::\(path)\n"))
            if insideTestVM { #expect(process.cgroupRefusal == .noSuchFileOrDirectory) }
            try process.proceed()
            _ = try process.wait()
            try holder.proceed()
            _ = try holder.wait()
        }
    }
}
