import Glibc
import TestSupport
import Testing

@testable import Linux

@Suite struct HostSupportTests {
    let host = HostSupport.probe()

    @Test("asking changes nothing in the process that asks")
    func leavesNoTrace() throws {
        func state() throws -> [String] {
            let kinds = HostSupport.NamespaceSupport.Kind.allCases.map(\.rawValue) + ["pid_for_children"]
            let namespaces = try kinds.map { try Descriptor.open("/proc/self/ns/\($0)", .readOnly).status().inode }
            let wanted = ["Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp", "NStgid:", "SigBlk:", "SigIgn:"]
            let status = try readText("/proc/thread-self/status").split(separator: "\n")
                .filter { line in wanted.contains { line.hasPrefix($0) } }
            return namespaces.map { "\($0)" } + status.map(String.init) + [try readText("/proc/self/mountinfo")]
        }
        let before = try state()
        _ = HostSupport.probe()
        #expect(try state() == before)
    }

    @Test("no descriptor of a probe stays open")
    func leavesNoDescriptor() async {
        // In a process of its own: other tests have descriptors.
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            // By kind, and of several probes: the process's own run-time library opens and closes timers meanwhile.
            func kinds() -> [String: Int] {
                openFiles().values.reduce(into: [:]) { $0[$1.filter { !$0.isNumber }, default: 0] += 1 }
            }
            let rounds = 5
            let before = kinds()
            for _ in 0..<rounds { _ = HostSupport.probe() }
            var lines = "\n\(before.count) kinds\n"
            for (kind, count) in kinds() where count - before[kind, default: 0] >= rounds {
                lines += "\(count - before[kind, default: 0]) more of \(kind)\n"
            }
            _ = write(2, lines, lines.utf8.count)
            exit(0)
        }
        // What the child says is between bytes of the testing library's own.
        let lines = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self).split(separator: "\n")
        #expect(lines.contains { $0.hasSuffix(" kinds") })
        #expect(lines.filter { $0.contains(" more of ") } == [])
    }

    @Test("no child of a probe is left, running or dead")
    func leavesNoChild() async {
        // In a process of its own: other tests have children.
        await #expect(processExitsWith: .success) {
            _ = HostSupport.probe()
            // ECHILD, not 0: there is no child at all, not even one that clone's flags hide from waitpid.
            let answer = waitpid(-1, nil, WNOHANG | 0x4000_0000)
            exit(answer == -1 && errno == ECHILD ? 0 : 1)
        }
    }

    @Test("a probe raises no SIGCHLD")
    func raisesNoSignal() async {
        await #expect(processExitsWith: .success) {
            signal(SIGCHLD) { _ in _exit(9) }
            _ = HostSupport.probe()
            exit(0)
        }
    }

    @Test func kernelNames() throws {
        #expect(try host.kernel.release == readText("/proc/sys/kernel/osrelease").split(separator: "\n")[0])
        #expect(host.kernel.name == "Linux" && !host.kernel.machine.isEmpty)
    }

    @Test("the answers agree with what happens when the calls are made")
    func systemCalls() throws {
        #expect(host.systemCalls[.openat2].isAvailable == ((try? folderOpens()) != nil))
        #expect(host.systemCalls[.pidfdOpen].isAvailable == ((try? ProcessDescriptor(pid: getpid())) != nil))
    }

    private func folderOpens() throws -> Bool {
        _ = try Descriptor.open("/", [.path]).open("proc", [.path], resolve: .inRoot)
        return true
    }

    @Test("testvm has what the package builds on", .needs(.testVM))
    func testVM() {
        let notIn61: [HostSupport.SystemCalls.Name] = [.idMappedTmpfs]
        #expect(host.systemCalls.unavailable().filter { !notIn61.contains($0) } == [])
        #expect(host.namespaces.kinds.count == 8)
        #expect(host.namespaces.direct.values.allSatisfy { $0 == .available })
        #expect(host.cgroups.layout == .unified)
        #expect(host.cgroups.mountPoint == "/sys/fs/cgroup" && host.cgroups.isWritable)
        #expect(host.cgroups.names { $0 != .available } == [])
        #expect(host.seccomp.userNotification && host.seccomp.actions == HostSupport.SeccompSupport.knownActions)
        #expect((host.security.landlockVersion ?? 0) >= 2)
        #expect(host.capabilities.missing == [])
        #expect(host.kvm.apiVersion == 12)
        #expect(host.kvm.hasRealRing0 == true)
    }

    @Test func namespaces() throws {
        for kind in HostSupport.NamespaceSupport.Kind.allCases {
            let exists = names(in: "/proc/self/ns").contains(kind.rawValue)
            #expect(exists == host.namespaces.kinds.contains(kind))
        }
        if geteuid() == 0, host.capabilities.missing.contains("CAP_SYS_ADMIN") == false {
            #expect(host.namespaces.direct[.mount] == .available)
        }
    }

    @Test("an unprivileged process makes namespaces inside its user namespace alone", .needs(.root))
    func unprivileged() async {
        await #expect(processExitsWith: .success) {
            setgroups(0, nil)
            setgid(65534)
            setuid(65534)
            let host = HostSupport.probe()
            let support = host.namespaces
            guard support.direct[.mount] == .refused(.notPermitted),
                host.capabilities.missing.count == host.capabilities.last + 1,
                host.systemCalls[.fsopen] == .refused(.notPermitted),
                support.canMake(.mount) == (support.unprivileged[.mount] == .available)
            else { exit(1) }
            exit(0)
        }
    }

    @Test func seccomp() throws {
        let listed = try readText("/proc/sys/kernel/seccomp/actions_avail").split(whereSeparator: \.isWhitespace)
        #expect(Set(host.seccomp.actions) == Set(listed.map(String.init)))
        #expect(host.seccomp.filter == .available)
    }

    @Test(arguments: [
        (0 as CInt, Availability.available), (EBADF, .available), (ENOSYS, .missing), (EINVAL, .missing),
        (EOPNOTSUPP, .missing), (EPERM, .refused(.notPermitted)), (EACCES, .refused(.permissionDenied)),
    ])
    func availability(answer: CInt, expected: Availability) {
        #expect(Availability(answer: answer, known: [.badDescriptor]) == expected)
    }

    @Test func capabilityNames() {
        let support = HostSupport.CapabilitySupport(
            last: 41, effective: ~0 ^ (1 << 24 | 1 << 41), bounding: ~0 ^ (1 << 21))
        #expect(support.missing == ["CAP_SYS_RESOURCE", "capability 41"])
        #expect(support.missingFromBounding == ["CAP_SYS_ADMIN"])
        #expect(support.description == "40 of 42; missing: CAP_SYS_RESOURCE capability 41")
        #expect(HostSupport.CapabilitySupport(last: 40, effective: 0, bounding: 0).description == "none of 41")
        #expect(HostSupport.CapabilitySupport(last: 40, effective: ~0, bounding: ~0).description == "all 41")
    }

    @Test(arguments: [(0.3, true), (12, true), (640, false), (3000, false)])
    func ring0(time: Double, real: Bool) {
        let support = HostSupport.KVMSupport(state: .works(nanosecondsPerInstruction: time), apiVersion: 12)
        #expect(support.hasRealRing0 == real)
        #expect(support.description.contains(real ? "real" : "emulated"))
    }

    @Test func noRing0() {
        #expect(HostSupport.KVMSupport(state: .noDevice).hasRealRing0 == nil)
        #expect(HostSupport.KVMSupport(state: .noDevice).description == "no /dev/kvm")
        #expect(
            HostSupport.KVMSupport(state: .failed(step: "KVM_CREATE_VM", .busy)).description
                == "KVM_CREATE_VM: device or resource busy (EBUSY)")
        #expect(HostSupport.KVMSupport(state: .works(nanosecondsPerInstruction: nil)).hasRealRing0 == nil)
    }

    @Test("a host prints, a line for each part")
    func prints() {
        let lines = host.description.split(separator: "\n")
        #expect(
            lines.map { String($0.prefix { $0 != ":" }) } == [
                "kernel", "system calls", "namespaces", "cgroups", "seccomp", "security modules", "capabilities", "kvm",
            ])
        var calls = HostSupport.SystemCalls([.openat2: .available, .fsopen: .refused(.notPermitted)])
        #expect(calls.description.hasPrefix("openat2; not: clone3 no, "))
        #expect(calls.description.contains("fsopen refused: operation not permitted (EPERM)"))
        calls[.clone3] = .available
        #expect(calls.description.hasPrefix("clone3 openat2; not: "))
    }
}
