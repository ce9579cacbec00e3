import Linux

extension HostSupport {
    /// What a process can be held to.
    var cgroupSection: Section {
        Section(
            title: "Cgroups",
            checks: [versionCheck, controllerCheck] + lackingControllers + [deviceCheck, pressureCheck])
    }

    private var versionCheck: Check {
        let name = "cgroup2 mount"
        guard let mountPoint = cgroups.mountPoint else {
            return Check(
                name: name, status: .no, found: cgroups.layout == .legacy ? "version 1 alone" : "not mounted",
                advice: cgroups.layout == .legacy
                    ? "boot with systemd.unified_cgroup_hierarchy=1" : "mount -t cgroup2 none /sys/fs/cgroup",
                isEssential: true)
        }
        if mountPoint != "/sys/fs/cgroup" {
            return Check(
                name: name, status: .partly, found: "on \(mountPoint), beside version 1",
                advice:
                    "boot with systemd.unified_cgroup_hierarchy=1, or mount it there after unshare -m",
                isEssential: true)
        }
        if !cgroups.isWritable {
            return Check(
                name: name, status: .partly, found: "on \(mountPoint), not writable",
                advice: "run as root, or in a delegated cgroup: systemd-run --user --scope -p Delegate=yes …",
                isEssential: true)
        }
        return .yes(name, "on \(mountPoint)")
    }

    private var controllerCheck: Check {
        let name = "cgroup controllers"
        let able = cgroups.available.isEmpty ? "none" : cgroups.available.joined(separator: " ")
        let lacking = ["cpu", "memory", "pids"].filter { cgroups.controllers[$0] != .available }
        if lacking.isEmpty { return .yes(name, able) }
        return Check(
            name: name, status: .no, found: able, advice: "limits of \(lacking.joined(separator: ", ")) can't be set",
            isEssential: true)
    }

    /// A line for each reason, with the controllers that share it.
    private var lackingControllers: [Check] {
        let reasons: [(found: String, advice: String, holds: (CgroupSupport.ControllerState) -> Bool)] = [
            (
                "bound to version 1", "boot with systemd.unified_cgroup_hierarchy=1, or cgroup_no_v1=all",
                { if case .boundToVersion1 = $0 { true } else { false } }
            ),
            (
                "disabled at boot", "take it out of cgroup_disable= on the kernel's command line",
                { $0 == .disabledAtBoot }
            ),
            ("not in this kernel", "a kernel built with it, if a document asks for it", { $0 == .notCompiled }),
            (
                "not delegated to this root",
                "outside, write it to cgroup.subtree_control of the cgroup above", { $0 == .notDelegated }
            ),
            ("in a version 2 that is not mounted", "mount -t cgroup2 none /sys/fs/cgroup", { $0 == .notMounted }),
        ]
        return reasons.compactMap { reason in
            let names = cgroups.names(where: reason.holds)
            if names.isEmpty { return nil }
            return Check(
                name: "", status: .no, found: "\(names.joined(separator: " ")): \(reason.found)", advice: reason.advice)
        }
    }

    private var deviceCheck: Check {
        let name = "device rules"
        switch systemCalls[.deviceProgram] {
        case .available: return .yes(name, "an eBPF program can be loaded")
        case .missing:
            return Check(
                name: name, status: .no, found: "no", advice: "a kernel with CONFIG_CGROUP_BPF", isEssential: true)
        case .refused(let errno):
            return Check(
                name: name, status: .no, found: "\(errno)",
                advice: "needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN; rootless containers go without",
                isEssential: true)
        }
    }

    private var pressureCheck: Check {
        cgroups.measuresPressure
            ? .yes("pressure (PSI)", "yes")
            : Check(name: "pressure (PSI)", status: .no, found: "no", advice: "boot with psi=1")
    }
}
