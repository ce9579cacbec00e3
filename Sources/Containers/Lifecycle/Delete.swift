import Cgroups
import Glibc
import Launch
import Linux
import OCI

extension Container {
    /// Sends a signal to the container's first process, or to all of them.
    ///
    /// - Throws: ``ContainerError/Kind/wrongStatus`` when it is stopped.
    public func kill(_ signal: CInt, all: Bool = false) throws(ContainerError) {
        let directory = try open()
        let record = try read(directory)
        let status = status(record, directory)
        if all, record.cgroup != nil, status == .stopped || status == .running || status == .paused {
            try signalAll(signal)
            return
        }
        try require([.created, .running, .paused], status, to: "kill")
        guard let process = record.process else { return }
        do throws(SystemError) {
            let handle = try ProcessDescriptor(pid: process.pid)
            // Held now: if it is still the one that was recorded, it cannot become another any more.
            guard process.isRunning else { throw SystemError("find process \(process.pid)", .noSuchProcess) }
            try handle.send(signal: signal)
        } catch {
            if error.errno == .noSuchProcess {
                throw ContainerError(.wrongStatus, "cannot kill container \(quoted(id)): container not running")
            }
            throw ContainerError(error)
        }
        // A frozen process takes SIGKILL only once it is thawed.
        if signal == SIGKILL && status == .paused { try? resume() }
    }

    private func signalAll(_ signal: CInt) throws(ContainerError) {
        if signal == SIGKILL {
            try withCgroup { cgroup throws(CgroupError) in try cgroup.kill() }
            return
        }
        for pid in try processes() { _ = Glibc.kill(pid, signal) }
    }

    /// Removes a stopped container with all that belongs to it; with force, ends it first.
    ///
    /// - Throws: ``ContainerError/Kind/wrongStatus`` when it is not stopped and not to be ended.
    public func delete(force: Bool = false) throws(ContainerError) {
        let directory = try openLocked()
        let record: Record
        do throws(ContainerError) { record = try read(directory) } catch {
            // The directory is there, what it is of was never written: a runtime died right after making it.
            guard force, error.kind == .doesNotExist else { throw error }
            do throws(SystemError) { try directory.remove() } catch { throw ContainerError(error) }
            return
        }
        let status = status(record, directory)
        // Locked and still creating: whoever was creating it is gone.
        if status != .stopped && status != .creating {
            guard force else {
                throw ContainerError(
                    .wrongStatus,
                    "cannot delete container \(quoted(id)) that is not stopped: \(status.rawValue)")
            }
        }
        if status == .creating { endUnstarted(record, directory) }
        if status != .stopped { try end(record) }
        try remove(record, directory)
    }

    private func end(_ record: Record) throws(ContainerError) {
        guard let process = record.process, process.isRunning else { return }
        do throws(SystemError) {
            let handle = try ProcessDescriptor(pid: process.pid)
            guard process.isRunning else { return }
            try handle.send(signal: SIGKILL)
            if let path = record.cgroup, let cgroup = try? Cgroup(opening: path) { try? cgroup.kill() }
            guard try handle.waitForExit(timeoutMilliseconds: 10_000) else {
                throw SystemError("end process \(process.pid)", .timedOut, hint: "it still runs 10 s after SIGKILL")
            }
        } catch {
            if error.errno == .noSuchProcess { return }
            throw ContainerError(error)
        }
    }

    private func remove(_ record: Record, _ directory: borrowing StateDirectory) throws(ContainerError) {
        runtime.removeCgroup(record)
        if let path = record.cgroup, access(path, F_OK) == 0, record.cgroupLevels > 0 || record.process == nil {
            if rmdir(path) != 0 && Errno.current != .noSuchFileOrDirectory {
                throw ContainerError(.system, "remove cgroup \(quoted(path)): \(Errno.current)")
            }
        }
        if record.laterHooks.contains(.poststop) { runPoststopHooks(record) }
        do throws(SystemError) { try directory.remove() } catch { throw ContainerError(error) }
    }

    /// A hook that fails, or that is not known any more, keeps no container from being removed.
    private func runPoststopHooks(_ record: Record) {
        var state = State(id: id, status: .stopped, pid: 0, bundle: record.bundle, annotations: record.annotations)
        state.rootfs = record.rootfs
        do throws(ContainerError) {
            for hook in try configuration().hooks.poststop {
                do throws(ContainerError) { try run(hook, "poststop", state: state.json) } catch {
                    runtime.warn?(error.message)
                }
            }
        } catch { runtime.warn?("poststop hooks: \(error.message)") }
    }
}

/// Ends the process of a half made container without a cgroup, if it waits for a start that cannot come. One that has
/// not come so far has died with its parent; one with a cgroup is found by that.
private func endUnstarted(_ record: Record, _ directory: borrowing StateDirectory) {
    guard record.cgroup == nil, directory.exists(StateDirectory.startSocketName) else { return }
    let path = UnixSocket.path(StateDirectory.startSocketName, in: directory.directory)
    guard let peer = try? StartPeer(connectingTo: path) else { return }
    try? peer.refuse()
}

extension Runtime {
    /// Removes a container; with force one that does not exist is as good as removed.
    public func delete(_ id: String, force: Bool) throws(ContainerError) {
        try validate(id: id)
        do throws(ContainerError) { try Container(runtime: self, id: id).delete(force: force) } catch {
            if force && error.kind == .doesNotExist { return }
            throw error
        }
    }

    /// Removes what a runtime left behind that was killed while it created a container.
    ///
    /// - Returns: false when the container is a whole one, or is being created right now.
    func removeAbandoned(_ id: String) throws(ContainerError) -> Bool {
        let directory: StateDirectory
        do throws(ContainerError) { directory = try StateDirectory.open(id, in: stateRoot) } catch {
            if error.kind == .doesNotExist { return true }
            throw error
        }
        do throws(SystemError) { guard try directory.lock(waiting: false) else { return false } } catch {
            throw ContainerError(error)
        }
        let container = Container(runtime: self, id: id)
        if let record = try? container.read(directory) {
            if record.process != nil { return false }
            endUnstarted(record, directory)
            removeCgroup(record)
        }
        do throws(SystemError) { try directory.remove() } catch { throw ContainerError(error) }
        return true
    }
}
