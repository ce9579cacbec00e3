import CLinux
import Linux

extension Cgroup {
    /// Removes the cgroup and those below it, deepest first. One that is gone already is no error.
    ///
    /// An empty leaf takes a single `rmdir`. The handle stays open; everything it is asked from then on fails.
    ///
    /// - Parameters:
    ///   - killing: ends every process in it first; without it, processes make it fail.
    ///   - timeoutMilliseconds: how long to wait for killed processes to go.
    /// - Throws: `EBUSY` when it holds processes that are not to be killed,
    ///   ``CgroupError/Cause-swift.enum/timedOut(milliseconds:)`` when killed ones do not go.
    public func remove(killing: Bool = false, timeoutMilliseconds: CInt = 10_000) throws(CgroupError) {
        try refuseRoot(.remove)
        if try removed(path) { return }
        let deadline = Deadline(milliseconds: timeoutMilliseconds)
        if killing {
            try killAndWait(deadline, timeoutMilliseconds)
        } else {
            // Before anything below it is touched.
            try refuseIfPopulated()
        }
        while true {
            try removeBelow(deadline, timeoutMilliseconds)
            if try removed(path) { return }
            try waitForRemoval(killing, deadline, timeoutMilliseconds)
        }
    }

    /// Removes the levels that making this handle created, and no others; levels that others use by now stay.
    public func removeCreated(killing: Bool = false, timeoutMilliseconds: CInt = 10_000) throws(CgroupError) {
        guard createdLevels > 0 else { return }
        try remove(killing: killing, timeoutMilliseconds: timeoutMilliseconds)
        var above = path
        for _ in 1..<createdLevels {
            guard let slash = above.lastIndex(of: "/") else { return }
            above = String(above[..<slash])
            if unsafe rmdir(above) != 0 { return }
        }
    }

    private func killAndWait(_ deadline: Deadline, _ milliseconds: CInt) throws(CgroupError) {
        do throws(CgroupError) {
            try kill()
            if try waitUntilEmpty(timeoutMilliseconds: deadline.milliseconds) { return }
        } catch {
            // Removed by someone else meanwhile.
            if !has("cgroup.procs") { return }
            throw error
        }
        throw CgroupError(
            .remove, path: path, cause: .timedOut(milliseconds: milliseconds),
            hint: "killed processes are still there: \(sampleOfProcesses())")
    }

    /// False when it is in use.
    private func removed(_ path: String) throws(CgroupError) -> Bool {
        if unsafe rmdir(path) == 0 { return true }
        switch Errno.current {
        case .noSuchFileOrDirectory: return true
        case .busy, .directoryNotEmpty: return false
        case let errno: throw CgroupError(.remove, path: path, cause: .kernel(errno))
        }
    }

    /// After an `EBUSY` with nothing below: either processes are in it, or someone is just leaving.
    private func waitForRemoval(
        _ killing: Bool, _ deadline: Deadline, _ milliseconds: CInt
    ) throws(CgroupError) {
        guard has("cgroup.procs") else { return }
        if killing, try events().isPopulated { return try killAndWait(deadline, milliseconds) }
        try refuseIfPopulated()
        if deadline.milliseconds == 0 {
            throw CgroupError(.remove, path: path, cause: .timedOut(milliseconds: milliseconds))
        }
        // No event tells of the kernel's own references going: look again shortly.
        _ = poll(nil, 0, 1)
    }

    private func refuseIfPopulated() throws(CgroupError) {
        guard has("cgroup.events"), try events().isPopulated else { return }
        throw CgroupError(
            .remove, path: path, cause: .kernel(.busy), hint: "processes are in it: \(sampleOfProcesses())")
    }

    private func sampleOfProcesses() -> String {
        let all = (try? processesOfSubtree()) ?? []
        let shown = all.prefix(5).map { String($0) }.joined(separator: ", ")
        return all.count > 5 ? "\(shown) and \(all.count - 5) more" : shown
    }

    /// Removes everything below this cgroup.
    ///
    /// A delegate may have built a tree deeper than any path or descriptor table: one descriptor walks down and, by
    /// `..`, up again.
    private func removeBelow(_ deadline: Deadline, _ milliseconds: CInt) throws(CgroupError) {
        do throws(SystemError) {
            var place = try directory.duplicate()
            var trail: [String] = []
            while true {
                let names = try subdirectories(of: place.rawValue)
                var descent: String?
                for name in names {
                    if unsafe unlinkat(place.rawValue, name, AT_REMOVEDIR) == 0 { continue }
                    let errno = Errno.current
                    if errno == .noSuchFileOrDirectory { continue }
                    guard errno == .busy || errno == .directoryNotEmpty else { throw SystemError(name, errno) }
                    descent = name
                    break
                }
                if let descent {
                    let number = place.rawValue
                    let below = Descriptor(
                        owning: try systemCall(descent) {
                            unsafe bh_openat(number, descent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0)
                        })
                    if try subdirectories(of: below.rawValue, limit: 1).isEmpty {
                        // Busy without anything below it: processes, which the caller deals with at the top.
                        if unsafe unlinkat(number, descent, AT_REMOVEDIR) == 0 { continue }
                        return
                    }
                    trail.append(descent)
                    place = below
                } else {
                    guard trail.popLast() != nil else { return }
                    place = try place.open("..", [.readOnly, .directory])
                }
            }
        } catch {
            // Someone else removes the same tree: the caller's next rmdir tells.
            if error.errno == .noSuchFileOrDirectory { return }
            throw CgroupError(.remove, path: path + "/" + error.operation, cause: .kernel(error.errno))
        }
    }
}
