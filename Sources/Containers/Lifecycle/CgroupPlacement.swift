import Cgroups
import Glibc
import Linux
import OCI

extension Runtime {
    func hierarchy() throws(CgroupError) -> CgroupHierarchy {
        if let cgroupMount { return try CgroupHierarchy(mountPoint: cgroupMount) }
        return try CgroupHierarchy.find()
    }

    /// The container's cgroup as an absolute path.
    func cgroupPath(_ configuration: Configuration, id: String) throws(ContainerError) -> String {
        let asked = configuration.linux.cgroupsPath ?? ""
        guard !asked.split(separator: "/").contains("..") else {
            throw ContainerError(.badDocument, "config.json: linux.cgroupsPath: \(quoted(asked)) holds \"..\"")
        }
        var relative = asked
        if systemdCgroupNames {
            guard let path = systemdPath(asked, id: id) else {
                throw ContainerError(
                    .badDocument, "config.json: linux.cgroupsPath: \(quoted(asked)) does not read slice:prefix:name")
            }
            relative = path
        }
        // The root holds every process of the host, and a delete ends what is in the container's cgroup.
        guard relative.isEmpty || normalized(relative) != "/" else {
            throw ContainerError(.badDocument, "config.json: linux.cgroupsPath: \(quoted(asked)) is the root cgroup")
        }
        do throws(CgroupError) {
            let hierarchy = try hierarchy()
            if relative.isEmpty { relative = geteuid() == 0 ? "/\(id)" : "\(try hierarchy.ownPath())/\(id)" }
            return hierarchy.mountPoint + normalized(relative)
        } catch { throw ContainerError(.system, error.description) }
    }

    /// Ends everything in a container's cgroup and removes what of it the container made.
    func removeCgroup(_ record: Record) {
        guard let path = record.cgroup else { return }
        if let cgroup = try? Cgroup(opening: path) { try? cgroup.remove(killing: true) }
        // The levels above, which were made along with it; one that others use by now stays.
        var parent = path
        for _ in 1..<max(1, record.cgroupLevels) {
            guard let slash = parent.lastIndex(of: "/") else { return }
            parent = String(parent[..<slash])
            if rmdir(parent) != 0 && Errno.current != .noSuchFileOrDirectory { return }
        }
    }
}

/// How many of a path's last levels are not there.
func missingLevels(_ path: String?) -> Int {
    guard var path else { return 0 }
    var count = 0
    while access(path, F_OK) != 0, let slash = path.lastIndex(of: "/") {
        count += 1
        path = String(path[..<slash])
    }
    return count
}

/// `slice:prefix:name` as the path that systemd gives such a scope: `a-b.slice` lies in `a.slice`.
func systemdPath(_ text: String, id: String) -> String? {
    let parts =
        text.isEmpty
        ? ["system.slice", "bulkhead", id]
        : text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, !parts[2].isEmpty, !parts[1].contains("/"), !parts[2].contains("/") else { return nil }
    let slice = parts[0].isEmpty ? "system.slice" : parts[0]
    var path = ""
    if slice != "-.slice" {
        guard slice.hasSuffix(".slice"), !slice.contains("/") else { return nil }
        var prefix = ""
        for part in slice.dropLast(6).split(separator: "-", omittingEmptySubsequences: false) {
            if part.isEmpty { return nil }
            prefix += (prefix.isEmpty ? "" : "-") + part
            path += "/\(prefix).slice"
        }
    }
    if parts[2].hasSuffix(".slice") { return "\(path)/\(parts[2])" }
    return path + "/" + (parts[1].isEmpty ? parts[2] : "\(parts[1])-\(parts[2])") + ".scope"
}
