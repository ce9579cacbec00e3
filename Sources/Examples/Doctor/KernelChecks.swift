import Linux

extension HostSupport {
    /// Starting a process in its place, finding files safely, mounting.
    var kernelSection: Section {
        Section(title: "Kernel", checks: [startCheck, pathCheck, mountCheck, idMapCheck, otherCallsCheck])
    }

    private var startCheck: Check {
        let name = "process start"
        let needed: [SystemCalls.Name] = [.clone3, .cloneIntoCgroup, .pidfdOpen, .pidfdGetfd]
        let lacking = systemCalls.unavailable(of: needed)
        if lacking.isEmpty { return .yes(name, "clone3 into a cgroup, pidfd") }
        return Check(
            name: name, status: lacking.contains(.pidfdOpen) ? .no : .partly, found: say(lacking),
            advice: blame(lacking, since: "5.7"), isEssential: true)
    }

    private var pathCheck: Check {
        let name = "safe paths"
        let lacking = systemCalls.unavailable(of: [.openat2, .closeRange])
        if lacking.isEmpty { return .yes(name, "openat2 (RESOLVE_IN_ROOT), close_range") }
        return Check(
            name: name, status: .no, found: say(lacking), advice: blame(lacking, since: "5.9"), isEssential: true)
    }

    private var mountCheck: Check {
        let name = "mounts"
        let lacking = systemCalls.unavailable(of: SystemCalls.mountInterface)
        if lacking.isEmpty { return .yes(name, "fsopen, fsmount, move_mount, open_tree, mount_setattr") }
        let missing = lacking.filter { systemCalls[$0] == .missing }
        if missing.isEmpty, namespaces.canMake(.mount) {
            return .yes(name, "the descriptor interface, inside a user namespace")
        }
        return Check(
            name: name, status: .no, found: say(lacking), advice: blame(lacking, since: "5.12"), isEssential: true)
    }

    private var idMapCheck: Check {
        let name = "id-mapped mounts"
        switch (systemCalls[.idMappedMounts], systemCalls[.idMappedTmpfs]) {
        case (.available, .available): return .yes(name, "tmpfs included")
        case (.available, _):
            return Check(
                name: name, status: .partly, found: "yes, but not of a tmpfs",
                advice: "map disk file systems only, or run Linux 6.3 or newer")
        case (let answer, _):
            return Check(
                name: name, status: .no, found: "\(answer)", advice: blame([.idMappedMounts], since: "5.12"))
        }
    }

    private var otherCallsCheck: Check {
        let name = "io_uring, faults"
        var found: [String] = []
        var advice: [String] = []
        if systemCalls[.ioUring].isAvailable {
            found.append("io_uring")
        } else {
            found.append("no io_uring")
            advice.append("sysctl kernel.io_uring_disabled=0")
        }
        if systemCalls[.userfaultfd].isAvailable {
            found.append("userfaultfd")
        } else if systemCalls[.userfaultfdUserMode].isAvailable {
            found.append("userfaultfd for user mode only")
            advice.append("sysctl vm.unprivileged_userfaultfd=1")
        } else {
            found.append("no userfaultfd")
            advice.append("a kernel with CONFIG_USERFAULTFD")
        }
        if advice.isEmpty { return .yes(name, found.joined(separator: ", ")) }
        return Check(
            name: name, status: advice.count == 2 && !systemCalls[.userfaultfdUserMode].isAvailable ? .no : .partly,
            found: found.joined(separator: ", "),
            advice: "only virtual machines want them: " + advice.joined(separator: "; "))
    }

    private func say(_ lacking: [SystemCalls.Name]) -> String {
        "no " + lacking.map(\.rawValue).joined(separator: ", ")
    }

    /// Who refuses the calls decides what helps.
    private func blame(_ lacking: [SystemCalls.Name], since version: String) -> String {
        let refused = lacking.contains { systemCalls[$0] != .missing }
        if refused {
            if capabilities.missing.contains("CAP_SYS_ADMIN") { return "run as root, or inside a user namespace" }
            return namespaces.isInInitialUserNamespace
                ? "a seccomp filter or security module around this process refuses it: relax it there"
                : "run as root outside this user namespace, or make a mount namespace in it"
        }
        return "run Linux \(version) or newer"
            + (seccomp.isFiltered ? ", or relax the seccomp filter that surrounds this process" : "")
    }
}
