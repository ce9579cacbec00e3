import Glibc
import Launch
import Linux
import OCI

extension Container {
    /// Runs the program of a created container.
    ///
    /// - Parameter manager: the socket of a service manager that waits to hear that the program is ready, as its
    ///   `$NOTIFY_SOCKET` names it. The container has to be made for that: ``CreateOptions/managerSocket``.
    /// - Returns: from what the caller hears of it, and passes it on; nil without a manager.
    /// - Throws: what it failed at, in the container's own words; the container is then stopped.
    @discardableResult
    public func start(reportingTo manager: String? = nil) throws(ContainerError) -> ReadyNotification? {
        let directory = try openLocked()
        let record = try read(directory)
        try require([.created], status(record, directory), to: "start")
        let peer: StartPeer
        let readiness: ReadyNotification?
        do throws(SystemError) {
            readiness = try directory.readiness(reportingTo: manager, pid: record.process?.pid ?? 0)
            peer = try StartPeer(
                connectingTo: UnixSocket.path(StateDirectory.startSocketName, in: directory.directory))
            // From here on the container is no longer created; a second start finds it so.
            directory.removeFile(StateDirectory.startSocketName)
        } catch { throw ContainerError(error, during: "start container \(quoted(id))") }
        do throws(LaunchError) { try peer.start() } catch { throw ContainerError(described: error) }
        if record.laterHooks.contains(.poststart) {
            runPoststartHooks(try configuration(), pid: record.process?.pid ?? 0)
        }
        return readiness
    }

    func readiness(reportingTo manager: String?, pid: pid_t) throws(ContainerError) -> ReadyNotification? {
        if manager == nil { return nil }
        let directory = try open()
        do throws(SystemError) { return try directory.readiness(reportingTo: manager, pid: pid) } catch {
            throw ContainerError(error)
        }
    }

    /// A poststart hook that fails is the caller's to log, not to fail for: the program runs already.
    func runPoststartHooks(_ configuration: Configuration, pid: pid_t) {
        if configuration.hooks.poststart.isEmpty { return }
        guard var state = try? state() else { return }
        state.status = .running
        state.pid = pid
        for hook in configuration.hooks.poststart {
            do throws(ContainerError) { try run(hook, "poststart", state: state.json) } catch {
                runtime.warn?(error.message)
            }
        }
    }
}

extension ContainerError {
    /// A failure after the start, told by the container's process itself.
    fileprivate init(described error: LaunchError) {
        guard case .described(_, let text) = error.stage else {
            self.init(error)
            return
        }
        if text.hasPrefix("exec \"") {
            self.init(notExecuted: String(text.dropFirst(6).dropLast()), error.errno)
        } else {
            self.init(error.hookStatus == nil ? .system : .hook, error.description)
        }
    }
}
