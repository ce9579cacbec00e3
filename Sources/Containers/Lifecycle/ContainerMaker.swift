import Cgroups
import Glibc
import Launch
import Linux
import OCI

/// Makes one container. What a step leaves outside this process is written down before, so that it can be removed
/// whoever dies when: by this value when a step fails, by a delete when the runtime itself was killed.
struct ContainerMaker: ~Copyable {
    private let runtime: Runtime
    private let bundle: Bundle
    private let options: CreateOptions
    private let staysHere: Bool
    private var record: Record
    private var steps: StepCounter

    private var configuration: Configuration { bundle.configuration }

    init(runtime: Runtime, id: String, bundle: Bundle, options: CreateOptions, staysHere: Bool) {
        self.runtime = runtime
        self.bundle = bundle
        self.options = options
        self.staysHere = staysHere
        record = Record(
            id: id, bundle: bundle.path, rootfs: bundle.rootfs, created: timestamp(), owner: ownerName(),
            annotations: bundle.configuration.annotations, laterHooks: .init(bundle.configuration.hooks))
        #if DEBUG
            steps = StepCounter(options.fault)
        #else
            steps = StepCounter()
        #endif
    }

    consuming func make() throws(ContainerError) -> Creation {
        // All that the document alone can fail at comes before anything is made.
        let limits = try ResourceLimits(configuration.linux.resources ?? .init())
        if runtime.makesCgroups {
            record.cgroup = try runtime.cgroupPath(configuration, id: record.id)
        } else if !limits.settings.isEmpty {
            runtime.warn?("linux.resources has no effect: the container gets no cgroup")
        }
        // Written down before the cgroup is made: a delete after a crash then knows what is this container's.
        record.cgroupLevels = missingLevels(record.cgroup)
        let held = HeldDescriptors()
        var channels = PlanBuilder.Channels()
        if let path = options.consoleSocket { channels.consoleSocket = held.hold(try connect(path, "console socket")) }
        let state = try claim()
        do throws(ContainerError) {
            try steps.passed("make the state directory")
            try refuseOccupiedCgroup()
            try writeState(state)
            if !staysHere { channels.startListener = held.hold(try listen(state)) }
            if options.managerSocket != nil { channels.notifyDirectory = try makeNotifyDirectory(state) }
            try steps.passed("write the state")
            return try make(in: state, limits: limits, channels: channels)
        } catch {
            removeAll(state)
            throw error
        }
    }

    /// Takes the id. What a dead runtime left behind half made is cleaned up first.
    private func claim() throws(ContainerError) -> StateDirectory {
        for _ in 0..<3 {
            if let made = try StateDirectory.make(record.id, in: runtime.stateRoot) { return made }
            guard try runtime.removeAbandoned(record.id) else { break }
        }
        throw ContainerError(.exists, "container with id \(quoted(record.id)) exists")
    }

    /// A delete ends all that is in the container's cgroup, so nobody else may be in it. This comes before the state is
    /// written: not even a delete after a crash then knows of that cgroup.
    private mutating func refuseOccupiedCgroup() throws(ContainerError) {
        guard let path = record.cgroup, let cgroup = try? Cgroup(opening: path),
            (try? cgroup.events())?.isPopulated == true
        else { return }
        record.cgroup = nil
        throw ContainerError(
            .system, "container's cgroup is not empty: \(quoted(path)) holds processes of someone else's")
    }

    private func writeState(_ state: borrowing StateDirectory) throws(ContainerError) {
        do throws(SystemError) {
            try state.write(record.encoded(), to: StateDirectory.recordName)
        } catch { throw ContainerError(error) }
    }

    private func listen(_ state: borrowing StateDirectory) throws(ContainerError) -> Descriptor {
        do throws(SystemError) {
            return try UnixSocket.listen(
                at: UnixSocket.path(StateDirectory.startSocketName, in: state.directory), .messages)
        } catch { throw ContainerError(error) }
    }

    private func makeNotifyDirectory(_ state: borrowing StateDirectory) throws(ContainerError) -> String {
        do throws(SystemError) { return try state.makeNotifyDirectory() } catch { throw ContainerError(error) }
    }

    private mutating func make(
        in state: borrowing StateDirectory, limits: ResourceLimits, channels: PlanBuilder.Channels
    ) throws(ContainerError) -> Creation {
        let held = HeldDescriptors()
        var channels = channels
        channels.cgroup = try makeCgroup(limits, held)
        try steps.passed("make the cgroup")
        var builder = try PlanBuilder(bundle, options: options, channels: channels)
        var plan = try builder.build()
        #if DEBUG
            plan.inject(options.fault)
        #endif
        let launched = try launch(plan)
        // What the plan refers to by number had to stay open until here.
        withExtendedLifetime((held, builder.held)) {}
        do throws(ContainerError) {
            try steps.passed("launch the process")
            try configuration.configureFromOutside(builder.process, pid: launched.pid)
            try steps.passed("configure the process")
            try prepareCommit(launched, state)
            try steps.passed("prepare the created state")
            runtime.whileWaiting?()
            try accompany(launched)
            try steps.passed("set the process up")
            try commit(launched, state)
            try steps.passed("write the created state")
            state.unlock()
        } catch {
            try? launched.process.send(signal: SIGKILL)
            _ = try? launched.wait()
            throw error
        }
        return Creation(
            container: Container(runtime: runtime, id: record.id), launched: launched, configuration: configuration,
            operations: plan.operations)
    }

    private mutating func makeCgroup(
        _ limits: ResourceLimits, _ held: HeldDescriptors
    ) throws(ContainerError) -> CInt? {
        guard let path = record.cgroup else { return nil }
        do throws(CgroupError) {
            let hierarchy = try runtime.hierarchy()
            let cgroup = try hierarchy.create(String(path.dropFirst(hierarchy.mountPoint.count)), applying: limits)
            record.cgroupLevels = cgroup.createdLevels
            do throws(SystemError) { return held.hold(try cgroup.directory.duplicate()) } catch {
                throw CgroupError(.open, path: path, cause: .kernel(error.errno))
            }
        } catch {
            // Who may not make a cgroup does without, as long as the document limits nothing.
            if geteuid() != 0 && limits.settings.isEmpty {
                record.cgroup = nil
                return nil
            }
            throw ContainerError(.system, error.description)
        }
    }

    /// Answers the process at each point at which it waits, up to where it waits for its start.
    private func accompany(_ launched: borrowing LaunchedProcess) throws(ContainerError) {
        while true {
            var descriptor: Descriptor?
            let progress: LaunchedProcess.Progress
            do throws(LaunchError) { progress = try launched.next(receiving: &descriptor) } catch {
                throw ContainerError(error)
            }
            switch progress {
            case .readyToStart, .reached(PlanBuilder.startPoint): return
            case .reached(PlanBuilder.networkPoint): try configuration.moveNetworkDevices(to: launched.process)
            case .reached(PlanBuilder.hooksPoint): try runRuntimeHooks(launched)
            case .reached(PlanBuilder.listenerPoint):
                if let listener = descriptor.take() {
                    try configuration.handOver(
                        listener, pid: launched.pid, state: hookState(.creating, pid: launched.pid))
                }
            case .reached: break
            case .executed:
                throw ContainerError(.system, "the container's process was ended while it was set up")
            }
            do throws(SystemError) { try launched.proceed() } catch { throw ContainerError(error) }
        }
    }

    private func runRuntimeHooks(_ launched: borrowing LaunchedProcess) throws(ContainerError) {
        let state = hookState(.creating, pid: launched.pid)
        for hook in configuration.hooks.prestart { try run(hook, "prestart", state: state.json) }
        for hook in configuration.hooks.createRuntime { try run(hook, "createRuntime", state: state.json) }
        do throws(SystemError) { try launched.setHookInput(state.json.encodedBytes()) } catch {
            throw ContainerError(error)
        }
    }

    private func hookState(_ status: State.Status, pid: pid_t) -> State {
        State(id: record.id, status: status, pid: pid, bundle: bundle.path, annotations: record.annotations)
    }

    /// Writes down what ``commit(_:_:)`` makes true, and the document, while the process sets itself up: nobody reads
    /// either before the first hook runs.
    private mutating func prepareCommit(
        _ launched: borrowing LaunchedProcess, _ state: borrowing StateDirectory
    ) throws(ContainerError) {
        // One that has failed already says of what by itself.
        guard let process = Record.Process(running: launched.pid) else { return }
        record.process = process
        do throws(SystemError) {
            try state.create(StateDirectory.documentName, holding: bundle.document)
            try state.prepare(record.encoded(), for: StateDirectory.recordName)
        } catch { throw ContainerError(error) }
    }

    /// From here on the container is created: its process outlives this one.
    private func commit(
        _ launched: borrowing LaunchedProcess, _ state: borrowing StateDirectory
    ) throws(ContainerError) {
        guard record.process != nil else {
            throw ContainerError(.system, "the container's process was ended while it was set up")
        }
        if let path = options.pidfdSocket { try send(launched.process, to: path) }
        do throws(SystemError) {
            // What startContainer hooks read.
            if !configuration.hooks.startContainer.isEmpty {
                try launched.setHookInput(hookState(.created, pid: launched.pid).json.encodedBytes())
            }
            try state.replace(StateDirectory.recordName)
        } catch { throw ContainerError(error) }
        if let path = options.pidFile { try write(pid: launched.pid, to: path) }
    }

    /// Removes what there is of a container that did not come to be.
    private func removeAll(_ state: borrowing StateDirectory) {
        runtime.removeCgroup(record)
        let hooks = configuration.hooks
        if !(hooks.prestart.isEmpty && hooks.createRuntime.isEmpty && hooks.createContainer.isEmpty) {
            for hook in hooks.poststop { try? run(hook, "poststop", state: hookState(.stopped, pid: 0).json) }
        }
        try? state.remove()
        if let path = options.pidFile { unlink(path) }
    }
}

private func ownerName() -> String {
    let uid = geteuid()
    return uid == 0 ? "root" : accountName(of: uid) ?? String(uid)
}

private func accountName(of uid: uid_t) -> String? {
    guard let text = try? readText("/etc/passwd", limit: 1 << 20) else { return nil }
    for line in text.split(separator: "\n") {
        let fields = line.split(separator: ":", omittingEmptySubsequences: false)
        if fields.count > 2, fields[2] == String(uid) { return String(fields[0]) }
    }
    return nil
}
