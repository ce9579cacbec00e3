import Cgroups
import Glibc
import Launch
import Linux
import OCI

/// A further process in a container, a child of the caller.
///
/// Once it has ended, ``wait()`` for it: the first process of a pid namespace ends only after all others of it have been
/// waited for (`pid_namespaces(7)`), and so does a delete by force.
public struct Execution: ~Copyable {
    private let launched: LaunchedProcess

    init(_ launched: consuming LaunchedProcess) { self.launched = launched }

    /// Its id, as the caller sees it.
    public var pid: pid_t { launched.pid }

    /// Waits until it has ended, and reaps it.
    public func wait() throws(ContainerError) -> ExitStatus {
        do throws(SystemError) { return try launched.wait() } catch { throw ContainerError(error) }
    }

    /// Lends the process, to poll for its end.
    public func withProcess<Result>(_ body: (borrowing ProcessDescriptor) -> Result) -> Result {
        body(launched.process)
    }
}

extension Container {
    /// Runs a further program in all of the container's namespaces and in its cgroup.
    ///
    /// - Returns: when the program runs.
    public func execute(
        _ process: Configuration.Process, _ options: ExecOptions = ExecOptions()
    ) throws(ContainerError) -> Execution {
        try checkOpen(preserved: options.preservedDescriptors)
        let directory = try open()
        let record = try read(directory)
        let status = status(record, directory)
        var allowed: [State.Status] = [.created, .running]
        if options.ignorePaused { allowed.append(.paused) }
        try require(allowed, status, to: "exec in")
        guard let first = record.process else {
            throw ContainerError(.wrongStatus, "cannot exec in container \(quoted(id)): container not running")
        }
        let handle: ProcessDescriptor
        do throws(SystemError) { handle = try ProcessDescriptor(pid: first.pid) } catch { throw ContainerError(error) }
        guard first.isRunning else {
            throw ContainerError(.wrongStatus, "cannot exec in container \(quoted(id)): container not running")
        }
        return try execute(process, options, joining: handle, record)
    }

    private func execute(
        _ process: Configuration.Process, _ options: ExecOptions, joining handle: borrowing ProcessDescriptor,
        _ record: Record
    ) throws(ContainerError) -> Execution {
        guard process.terminal == (options.consoleSocket != nil) else {
            throw ContainerError(.badDocument, "process.terminal and a console socket go together")
        }
        let held = HeldDescriptors()
        var channels = PlanBuilder.Channels()
        if let path = options.consoleSocket { channels.consoleSocket = held.hold(try connect(path, "console socket")) }
        if let path = record.cgroup {
            channels.cgroup = held.hold(try cgroupDescriptor(path, options))
        } else if let below = options.cgroup {
            throw ContainerError(
                .system, "--cgroup: \(quoted(below)): container \(quoted(id)) has no cgroup of its own")
        }
        let configuration = try configuration()
        var builder = try PlanBuilder(
            configuration, process: process, joining: record.process?.pid ?? 0, options: options, channels: channels)
        let plan = try builder.buildExec(joining: handle.descriptor.rawValue)
        let launched = try launch(plan)
        // What the plan refers to by number had to stay open until here.
        withExtendedLifetime((held, builder.held)) {}
        runtime.whileWaiting?()
        do throws(ContainerError) {
            try accompany(launched, process, configuration, options, record)
        } catch {
            try? launched.process.send(signal: SIGKILL)
            _ = try? launched.wait()
            throw error
        }
        return Execution(launched)
    }

    private func accompany(
        _ launched: borrowing LaunchedProcess, _ process: Configuration.Process, _ configuration: Configuration,
        _ options: ExecOptions, _ record: Record
    ) throws(ContainerError) {
        while true {
            var descriptor: Descriptor?
            let progress: LaunchedProcess.Progress
            do throws(LaunchError) { progress = try launched.next(receiving: &descriptor) } catch {
                throw ContainerError(error)
            }
            switch progress {
            case .executed, .readyToStart: return
            case .reached(PlanBuilder.listenerPoint):
                if let listener = descriptor.take() {
                    let state = State(
                        id: id, status: .running, pid: record.process?.pid, bundle: record.bundle,
                        annotations: record.annotations)
                    try configuration.handOver(listener, pid: launched.pid, state: state)
                }
            case .reached:
                try configuration.configureFromOutside(process, pid: launched.pid)
                if let path = options.pidfdSocket { try send(launched.process, to: path) }
                if let path = options.pidFile { try write(pid: launched.pid, to: path) }
            }
            do throws(SystemError) { try launched.proceed() } catch { throw ContainerError(error) }
        }
    }

    /// The container's cgroup, or the one its first process has moved to, or one below that the caller names.
    private func cgroupDescriptor(_ path: String, _ options: ExecOptions) throws(ContainerError) -> Descriptor {
        var path = path
        if let below = options.cgroup {
            guard !below.split(separator: "/").contains("..") else {
                throw ContainerError(.badDocument, "--cgroup: \(quoted(below)) holds \"..\"")
            }
            path += normalized(below)
        }
        do throws(SystemError) { return try .open(path, [.readOnly, .directory]) } catch { throw ContainerError(error) }
    }
}
