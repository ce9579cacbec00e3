import CLinux
import Linux

extension CgroupHierarchy {
    /// Makes a cgroup, with those above it that are missing, and gives it controllers.
    ///
    /// For a leaf below a cgroup that has the controllers this is one `mkdir`, one `open`, and for each controller one
    /// look. Only a missing controller makes it go through the ancestors and enable it there, which stays so.
    /// What exists already is used as it is: ``Cgroup/createdLevels`` tells how much is new. When a later step fails,
    /// exactly the new levels are removed again.
    ///
    /// - Parameters:
    ///   - relativePath: from the hierarchy's mount point.
    ///   - controllers: what the cgroup must have.
    ///   - mode: the new directories' permission bits.
    /// - Throws: ``CgroupError/Cause-swift.enum/controllerMissing(_:)`` for a controller that can't be had.
    public func create(
        _ relativePath: String, controllers: [Controller] = [], mode: mode_t = 0o755
    ) throws(CgroupError) -> Cgroup {
        try create(relativePath, mode: mode) { cgroup throws(CgroupError) in
            if !controllers.isEmpty { try cgroup.acquire(controllers) }
        }
    }

    /// Makes a cgroup and applies limits to it: the cheapest way, because the controllers are looked for only when a
    /// file turns out to be missing.
    public func create(
        _ relativePath: String, applying limits: ResourceLimits, mode: mode_t = 0o755
    ) throws(CgroupError) -> Cgroup {
        try create(relativePath, mode: mode) { cgroup throws(CgroupError) in
            let isNew = cgroup.createdLevels > 0
            do throws(CgroupError) { try cgroup.apply(limits, isNew: isNew) } catch {
                guard case .controllerMissing(let absence) = error.cause, case .notEnabled = absence.reason else {
                    throw error
                }
                try cgroup.acquire(limits.requiredControllers)
                try cgroup.apply(limits, isNew: isNew)
            }
        }
    }

    private func create(
        _ relativePath: String, mode: mode_t, then prepare: (borrowing Cgroup) throws(CgroupError) -> Void
    ) throws(CgroupError) -> Cgroup {
        let path = try path(of: relativePath)
        let made = try makeDirectories(path, mode)
        do throws(CgroupError) {
            let cgroup = Cgroup(
                directory: try openDirectory(path), path: path, hierarchy: self, createdLevels: made.trailing)
            try prepare(cgroup)
            return cgroup
        } catch {
            for path in made.paths.reversed() { unsafe _ = rmdir(path) }
            throw error
        }
    }

    /// Makes what is missing of a path, the deepest level tried first.
    ///
    /// - Returns: what was made, and how many levels at the path's end that is without a gap.
    private func makeDirectories(
        _ path: String, _ mode: mode_t
    ) throws(CgroupError) -> (paths: [String], trailing: Int) {
        var missing = [path]
        var made: [String] = []
        var trailing = 0
        do throws(CgroupError) {
            while let next = missing.last {
                switch unsafe mkdir(next, mode) == 0 ? nil : Errno.current {
                case nil:
                    made.append(next)
                    trailing += 1
                    missing.removeLast()
                case .fileExists?:
                    trailing = 0
                    missing.removeLast()
                case .noSuchFileOrDirectory?:
                    // The hierarchy's own mount point is never made.
                    guard let slash = next.lastIndex(of: "/"), next.count > mountPoint.count, made.isEmpty else {
                        throw CgroupError(.create, path: next, cause: .kernel(.noSuchFileOrDirectory))
                    }
                    missing.append(String(next[..<slash]))
                case let errno?:
                    throw CgroupError(.create, path: next, cause: .kernel(errno), hint: creationHint(errno))
                }
            }
        } catch {
            for path in made.reversed() { unsafe _ = rmdir(path) }
            throw error
        }
        return (made, trailing)
    }
}

extension Cgroup {
    /// Makes a cgroup directly below this one; see ``CgroupHierarchy/create(_:controllers:mode:)``.
    public func createChild(
        _ name: String, controllers: [Controller] = [], mode: mode_t = 0o755
    ) throws(CgroupError) -> Cgroup {
        try CgroupError.checkLevel(name, of: path)
        return try hierarchy.create(relativePath + "/" + name, controllers: controllers, mode: mode)
    }
}

private func creationHint(_ errno: Errno) -> String? {
    switch errno {
    case .wouldBlock: "cgroup.max.depth or cgroup.max.descendants of a cgroup above it is reached"
    case .permissionDenied: "the cgroup above it is not delegated to the caller"
    case .readOnlyFileSystem: "the cgroup2 file system is mounted read-only"
    default: nil
    }
}
