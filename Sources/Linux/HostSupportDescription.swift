extension HostSupport: CustomStringConvertible {
    /// A line for each part, `name: what was found`: facts alone, for a log or a bug report.
    public var description: String {
        let lines: [(String, String)] = [
            ("kernel", "\(kernel.name) \(kernel.release) \(kernel.machine)"),
            ("system calls", systemCalls.description),
            ("namespaces", namespaces.description),
            ("cgroups", cgroups.description),
            ("seccomp", seccomp.description),
            ("security modules", security.description),
            ("capabilities", capabilities.description),
            ("kvm", kvm.description),
        ]
        return lines.map { "\($0.0): \($0.1)" }.joined(separator: "\n")
    }
}

extension HostSupport.SystemCalls: CustomStringConvertible {
    /// The calls that can be used, then each that can't with the kernel's answer.
    public var description: String {
        let usable = Name.allCases.filter { self[$0].isAvailable }.map { $0.rawValue }
        let others = unavailable().map { "\($0.rawValue) \(self[$0])" }
        return (usable.isEmpty ? "none" : usable.joined(separator: " "))
            + (others.isEmpty ? "" : "; not: " + others.joined(separator: ", "))
    }
}

extension HostSupport.NamespaceSupport: CustomStringConvertible {
    /// The kinds this process can make, those it can't, and what an unprivileged one could.
    public var description: String {
        let made = Kind.allCases.filter { direct[$0]?.isAvailable == true }.map { $0.rawValue }
        let others = Kind.allCases.filter { direct[$0]?.isAvailable != true }
            .map { "\($0.rawValue) \(direct[$0] ?? .missing)" }
        return (made.isEmpty ? "none" : made.joined(separator: " "))
            + (others.isEmpty ? "" : "; not: " + others.joined(separator: ", "))
            + "; unprivileged user namespace: \(unprivileged[.user] ?? .missing)"
            + (userLimits.maximum.map { ", at most \($0)" } ?? "")
            + (isInInitialUserNamespace ? "" : "; inside a user namespace")
    }
}

extension HostSupport.CgroupSupport: CustomStringConvertible {
    /// The layout, the mount and each controller's state.
    public var description: String {
        var text = layout.rawValue
        if let mountPoint { text += ", version 2 on \(mountPoint)\(isWritable ? "" : " (not writable)")" }
        text += "; controllers: " + (available.isEmpty ? "none" : available.joined(separator: " "))
        for name in names(where: { $0 != .available }) {
            if let state = controllers[name] { text += ", \(name) \(state)" }
        }
        return text + "; pressure: \(measuresPressure ? "yes" : "no")"
    }
}

extension HostSupport.CgroupSupport.ControllerState: CustomStringConvertible {
    /// The reason, as in `bound to version 1 on /sys/fs/cgroup/cpu`.
    public var description: String {
        switch self {
        case .available: "available"
        case .boundToVersion1(let place): "bound to version 1" + (place.map { " on \($0)" } ?? "")
        case .disabledAtBoot: "disabled on the kernel's command line"
        case .notCompiled: "not in this kernel"
        case .notDelegated: "not delegated to the mount's root"
        case .notMounted: "not mounted"
        }
    }
}

extension HostSupport.SeccompSupport: CustomStringConvertible {
    /// Whether filters work, the actions and the flags.
    public var description: String {
        "filter \(filter); actions: \(actions.joined(separator: " ")); flags: \(flags.joined(separator: " "))"
            + "; user notification: \(userNotification ? "yes" : "no")" + (isFiltered ? "; filtered already" : "")
    }
}

extension HostSupport.SecuritySupport: CustomStringConvertible {
    /// The modules and Landlock's version.
    public var description: String {
        (modules.map { $0.isEmpty ? "none" : $0.joined(separator: " ") } ?? "unknown")
            + "; Landlock ABI: \(landlockVersion.map(String.init) ?? "none")"
    }
}

extension HostSupport.CapabilitySupport: CustomStringConvertible {
    /// How many there are, and which are missing.
    public var description: String {
        let missing = missing
        if missing.isEmpty { return "all \(last + 1)" }
        if missing.count > last { return "none of \(last + 1)" }
        return "\(last + 1 - missing.count) of \(last + 1); missing: \(missing.joined(separator: " "))"
    }
}

extension HostSupport.KVMSupport: CustomStringConvertible {
    /// What came of running a virtual machine.
    public var description: String {
        switch state {
        case .noDevice: return "no /dev/kvm"
        case .refused(let errno): return "open /dev/kvm: \(errno)"
        case .failed(let step, let errno): return "\(step): \(errno)"
        case .works(nil): return "works; ring 0 not measured"
        case .works(let time?):
            let kind = hasRealRing0 == true ? "real" : "emulated"
            let pace = time < 1 ? "less than 1" : "\(Int(time + 0.5))"
            return "works; ring 0 is \(kind), \(pace) ns an instruction"
        }
    }
}
