import CLinux
import Linux

extension Cgroup {
    /// Hands the cgroup to another user, who may then make cgroups below it, move processes between those, and give
    /// them the controllers that this one has; `cgroups(7)`, "Delegation".
    ///
    /// The directory and the files that the kernel names in `/sys/kernel/cgroup/delegate` change their owner. The
    /// limits of this cgroup itself stay with the one who delegates.
    ///
    /// - Parameters:
    ///   - user: who gets it.
    ///   - group: -1 leaves the group alone.
    public func delegate(to user: uid_t, group: gid_t = gid_t.max) throws(CgroupError) {
        let names =
            (try? readText("/sys/kernel/cgroup/delegate")) ?? "cgroup.procs\ncgroup.threads\ncgroup.subtree_control"
        let number = directory.rawValue
        do throws(SystemError) {
            try systemCall("") { fchown(number, user, group) }
        } catch { throw CgroupError(.delegate, path: path, cause: .kernel(error.errno)) }
        for name in names.split(separator: "\n").map(String.init) {
            do throws(SystemError) {
                try systemCall("") { unsafe fchownat(number, name, user, group, AT_SYMLINK_NOFOLLOW) }
            } catch {
                // The kernel lists what any cgroup may have; this one has only its own controllers' files.
                if error.errno == .noSuchFileOrDirectory { continue }
                throw CgroupError(.delegate, path: path, file: name, cause: .kernel(error.errno))
            }
        }
    }
}
