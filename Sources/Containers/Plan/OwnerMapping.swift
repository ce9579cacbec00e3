import Glibc
import Launch
import Linux
import Namespaces
import OCI

/// The owners of an id-mapped mount.
struct OwnerMap {
    var users: [IdentityMaps.Range]
    var groups: [IdentityMaps.Range]
    var isRecursive: Bool
}

extension PlanBuilder {
    /// How a mount's owners are mapped; nil for as they are.
    func ownerMap(
        _ mount: Configuration.Mount, _ options: MountOptions, _ index: Int
    ) throws(ContainerError) -> OwnerMap? {
        var users = mount.uidMappings.map {
            IdentityMaps.Range(inside: $0.containerID, outside: $0.hostID, count: $0.size)
        }
        var groups = mount.gidMappings.map {
            IdentityMaps.Range(inside: $0.containerID, outside: $0.hostID, count: $0.size)
        }
        if let words = options.idMap, !words.users.isEmpty || !words.groups.isEmpty {
            users = words.users.map { .init(inside: $0.entry.inside, outside: $0.entry.outside, count: $0.entry.count) }
            groups = words.groups.map {
                .init(inside: $0.entry.inside, outside: $0.entry.outside, count: $0.entry.count)
            }
        } else if users.isEmpty && groups.isEmpty {
            guard options.idMap != nil else { return nil }
            // `idmap` alone: as the container sees its own ids.
            users = configuration.linux.uidMappings.map {
                .init(inside: $0.containerID, outside: $0.hostID, count: $0.size)
            }
            groups = configuration.linux.gidMappings.map {
                .init(inside: $0.containerID, outside: $0.hostID, count: $0.size)
            }
        }
        guard !users.isEmpty, !groups.isEmpty else {
            throw ContainerError(
                .badDocument, "config.json: mounts[\(index)]: an id-mapped mount needs uidMappings and gidMappings")
        }
        guard geteuid() == 0 else {
            throw ContainerError(
                .badDocument, "config.json: mounts[\(index)]: id-mapped mounts need a privileged caller")
        }
        return OwnerMap(users: users, groups: groups, isRecursive: options.idMap?.recursive ?? true)
    }

    /// A detached copy of a tree of the host's, made and mapped from outside the container.
    func cloneTree(
        _ path: String, recursive: Bool, mappingOwners map: OwnerMap? = nil
    ) throws(ContainerError) -> CInt {
        do throws(SystemError) {
            let tree = try DetachedMount(cloning: path, recursive: recursive)
            if let map {
                let namespace = try userNamespace(map)
                try tree.mapOwners(through: namespace, recursive: map.isRecursive)
            }
            return held.hold(try tree.descriptor.duplicate())
        } catch { throw ContainerError(error) }
    }

    /// A user namespace that exists for its maps only: its one process ends as soon as the namespace is held.
    private func userNamespace(_ map: OwnerMap) throws(SystemError) -> Namespaces.Namespace {
        let process = try namespaceHolder(map)
        let namespace = try Namespaces.Namespace(.user, ofProcess: process.pid)
        try process.process.send(signal: SIGKILL)
        _ = try process.wait()
        return namespace
    }

    private func namespaceHolder(_ map: OwnerMap) throws(SystemError) -> LaunchedProcess {
        var plan = LaunchPlan()
        plan.newNamespaces = .user
        plan.identityMaps = IdentityMaps(users: map.users, groups: map.groups)
        plan.append(.synchronize(SyncPoint(rawValue: 1)))
        do throws(LaunchError) {
            let process = try plan.launch()
            try process.next()
            return process
        } catch { throw SystemError("make a user namespace for id-mapped mounts: \(error)", error.errno) }
    }
}
