import Glibc
import Launch
import Linux
import OCI

extension PlanBuilder {
    mutating func addNamespaces() throws(ContainerError) {
        try refuseHostsOwn()
        try addJoins()
        for namespace in configuration.linux.namespaces where namespace.path == nil {
            // A cgroup namespace's root is the cgroup that its maker is in, and time offsets can be set only before
            // anyone is in: both are entered by the child itself.
            if namespace.type != .cgroup && namespace.type != .time { plan.newNamespaces.insert(namespace.type.flag) }
        }
        if isNew(.user) {
            plan.identityMaps = try identityMaps()
            becomeRootInside(configuration.linux.uidMappings, configuration.linux.gidMappings)
        } else if has(.user) {
            plan.append(.user(0, group: 0))
        }
        if isNew(.cgroup) { plan.append(.unshare(.cgroup)) }
        if isNew(.time) { addTimeNamespace() }
        if let hostname = configuration.hostname, !hostname.isEmpty { plan.append(.hostname(hostname)) }
        if let domainname = configuration.domainname, !domainname.isEmpty { plan.append(.domainname(domainname)) }
        if isNew(.network) { plan.append(.loopbackUp) }
        if !configuration.linux.netDevices.isEmpty {
            // Sysctls may name them, and hooks may look at them.
            plan.append(.synchronize(Self.networkPoint))
        }
        if configuration.linux.intelRdt != nil {
            throw ContainerError(.badDocument, "config.json: linux.intelRdt: not supported")
        }
        for (name, value) in configuration.linux.sysctl.sorted(by: { $0.key < $1.key }) {
            try addSysctl(name, value)
        }
    }

    /// What a document sets in a namespace has to be the container's own: it would be the host's otherwise.
    private func refuseHostsOwn() throws(ContainerError) {
        func require(
            _ kind: Configuration.Namespace.Kind, _ field: String, unless isEmpty: Bool
        ) throws(ContainerError) {
            if isEmpty || has(kind) { return }
            throw ContainerError(
                .badDocument, "config.json: \(field): needs a \(kind.rawValue) namespace of the container's own")
        }
        let linux = configuration.linux
        try require(.uts, "hostname", unless: (configuration.hostname ?? "").isEmpty)
        try require(.uts, "domainname", unless: (configuration.domainname ?? "").isEmpty)
        try require(.network, "linux.netDevices", unless: linux.netDevices.isEmpty)
        try require(.user, "linux.uidMappings", unless: linux.uidMappings.isEmpty)
        try require(.user, "linux.gidMappings", unless: linux.gidMappings.isEmpty)
        try require(.time, "linux.timeOffsets", unless: linux.timeOffsets == .init())
    }

    private mutating func addJoins() throws(ContainerError) {
        var joins: [LaunchPlan.Join] = []
        for namespace in configuration.linux.namespaces {
            guard let path = namespace.path else { continue }
            do throws(SystemError) {
                joins.append(.init(namespace.type.flag, held.hold(try .open(path, .readOnly))))
            } catch { throw ContainerError(error, during: "join the \(namespace.type.rawValue) namespace") }
        }
        if joins.isEmpty { return }
        let isPrivileged = geteuid() == 0
        // Root keeps its rights over what it joins until it joins a user namespace; everyone else gains them there.
        joins = joins.filter { $0.kinds != .user } + joins.filter { $0.kinds == .user }
        if !isPrivileged { joins = joins.filter { $0.kinds == .user } + joins.filter { $0.kinds != .user } }
        let isEarly = !isPrivileged || isNew(.user) || joins.contains { $0.kinds == .pid || $0.kinds == .user }
        for join in joins {
            // Only a process of its own memory may join a time namespace.
            if isEarly && join.kinds != .time {
                plan.joinsBeforeClone.append(join)
            } else {
                plan.append(.join(join.kinds, .inherited(join.descriptor)))
            }
        }
    }

    private func identityMaps() throws(ContainerError) -> IdentityMaps {
        func ranges(_ mappings: [Configuration.IDMapping]) -> [IdentityMaps.Range] {
            mappings.map { .init(inside: $0.containerID, outside: $0.hostID, count: $0.size) }
        }
        let (users, groups) = (configuration.linux.uidMappings, configuration.linux.gidMappings)
        guard !users.isEmpty, !groups.isEmpty else {
            throw ContainerError(
                .badDocument, "config.json: linux.uidMappings and linux.gidMappings: required with a new user namespace"
            )
        }
        if geteuid() == 0 { return IdentityMaps(users: ranges(users), groups: ranges(groups)) }
        let isOwnAlone =
            users.count == 1 && groups.count == 1 && users[0].size == 1 && groups[0].size == 1
            && users[0].hostID == geteuid() && groups[0].hostID == getegid()
        if isOwnAlone {
            return IdentityMaps(users: ranges(users), groups: ranges(groups), deniesSetgroups: true)
        }
        return IdentityMaps(
            users: ranges(users), groups: ranges(groups),
            writer: .helpers(newuidmap: "/usr/bin/newuidmap", newgidmap: "/usr/bin/newgidmap"))
    }

    /// A new user namespace gives all capabilities, yet its first process is still nobody in it.
    private mutating func becomeRootInside(
        _ users: [Configuration.IDMapping], _ groups: [Configuration.IDMapping]
    ) {
        func first(_ mappings: [Configuration.IDMapping]) -> UInt32 {
            mappings.contains { $0.containerID == 0 } ? 0 : mappings.first?.containerID ?? 0
        }
        if plan.identityMaps?.deniesSetgroups == false { plan.append(.groups([])) }
        plan.append(.user(first(users), group: first(groups)))
    }

    private mutating func addTimeNamespace() {
        plan.append(.unshare(.time))
        let offsets = configuration.linux.timeOffsets
        for (name, offset) in [("monotonic", offsets.monotonic), ("boottime", offsets.boottime)] {
            guard let offset else { continue }
            plan.append(
                .writeFile(
                    root: proc, path: "self/timens_offsets", text: "\(name) \(offset.secs) \(offset.nanosecs)\n",
                    asOwner: true))
        }
        // Before Linux 6.3 execve leaves the process itself in the old one, and with it whoever joins the container.
        let slot = plan.makeSlot()
        plan.append(
            .open(path: "self/ns/time_for_children", from: proc, flags: .readOnly, resolve: [], into: slot))
        plan.append(.join(.time, .slot(slot)))
    }

    /// Only what a namespace of the container's own holds may be set: the rest is the host's.
    private mutating func addSysctl(_ name: String, _ value: String) throws(ContainerError) {
        // The first of the two tells which separates; the other one then stands for itself, or for a dot (sysctl(8)).
        let isPath = name.first { $0 == "." || $0 == "/" } == "/"
        let path = name.split(separator: isPath ? "/" : ".", omittingEmptySubsequences: false)
            .map { isPath ? String($0) : String($0.map { $0 == "/" ? "." : $0 }) }
        guard !path.isEmpty, !path.contains(where: { $0.isEmpty || $0 == ".." || $0 == "." }) else {
            throw ContainerError(.badDocument, "config.json: linux.sysctl: \(quoted(name)) is not the name of a sysctl")
        }
        let dotted = path.joined(separator: ".")
        let ipcNames: Set<String> = [
            "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
            "kernel.shmmni", "kernel.shm_rmid_forced",
        ]
        let needed: Configuration.Namespace.Kind
        switch dotted {
        case _ where ipcNames.contains(dotted) || dotted.hasPrefix("fs.mqueue."): needed = .ipc
        case _ where dotted.hasPrefix("net."): needed = .network
        case "kernel.hostname", "kernel.domainname": needed = .uts
        case _ where dotted.hasPrefix("user.") && isMapped: needed = .user
        default:
            throw ContainerError(
                .badDocument,
                "config.json: linux.sysctl: \(quoted(name)) is not in a separate kernel namespace")
        }
        guard has(needed) else {
            throw ContainerError(
                .badDocument,
                "config.json: linux.sysctl: \(quoted(name)) needs a \(needed.rawValue) namespace of the container's own"
            )
        }
        plan.append(.writeFile(root: proc, path: "sys/" + path.joined(separator: "/"), text: value))
    }
}
