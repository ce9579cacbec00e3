import Cgroups
import Glibc
import Linux

extension TestBundle {
    /// All that is still there of a container of this bundle's, or of an attempt to make one, in words.
    var leftovers: [String] {
        names(in: "\(folder)/state").map { "state \($0)" } + leftCgroups.map { "cgroup \($0)" }
            + leftMounts.map { "mount \($0)" } + leftProcesses.map { "process \($0)" }
            + names(in: folder).filter { !["state", "rootfs", "out", "config.json"].contains($0) && $0.hasPrefix(".") }
    }

    private var leftCgroups: [String] {
        guard let mount = try? CgroupHierarchy.find().mountPoint else { return [] }
        return names(in: mount).filter { $0.contains(id) }
    }

    private var leftMounts: [String] {
        let mounts = (try? readText("/proc/self/mountinfo")) ?? ""
        return mounts.split(separator: "\n").filter { $0.contains(folder) || $0.contains(id) }.map(String.init)
    }

    /// Processes in a cgroup of the container's, or with the bundle among their arguments; not those that have ended and
    /// that the machine's first process, whose children they became, has yet to reap.
    private var leftProcesses: [String] {
        names(in: "/proc").filter { name in
            // What a test leaves was started after the test itself.
            guard let pid = pid_t(name), pid > getpid(), let status = try? readText("/proc/\(name)/stat"),
                let end = status.lastIndex(of: ")"), !status[end...].hasPrefix(") Z")
            else { return false }
            let cgroups = (try? readText("/proc/\(name)/cgroup")) ?? ""
            let arguments = (try? readText("/proc/\(name)/cmdline")) ?? ""
            return cgroups.split(separator: "/").contains { $0.split(separator: "\n").first == Substring(id) }
                || arguments.contains(folder)
        }
    }

    /// The same, once what has just been killed has had the time to die.
    func settledLeftovers() -> [String] {
        for _ in 0..<500 {
            if leftovers.isEmpty { break }
            usleep(10_000)
        }
        return leftovers
    }
}
