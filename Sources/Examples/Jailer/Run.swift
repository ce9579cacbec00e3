import Glibc
import Launch
import Linux
import Namespaces

/// Makes the jail and runs the monitor in it.
///
/// - Returns: how the monitor ended, or that it runs without this program.
func run(_ arguments: Arguments, since start: Moment) throws(Failure) -> ExitStatus {
    let jail = try Jail(arguments)
    guard geteuid() == 0 else { throw Failure("a jail is made by root: it has devices, and an owner") }
    // What can fail without a trace comes first.
    let network = try openNetwork(arguments)
    let null = try openNull(arguments)
    let signals = try attempt { () throws(SystemError) in
        let handedOn = SignalSet(
            [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH].map { Signal(rawValue: $0) })
        try handedOn.block()
        return try SignalDescriptor(handedOn)
    }
    let files = try JailFiles(jail)
    var monitor: LaunchedProcess?
    do throws(Failure) {
        monitor = try launch(jail, files, network: number(network), null: number(null), since: start)
    } catch {
        files.rollBack()
        throw error
    }
    switch consume monitor {
    case .some(let monitor) where !arguments.isLeftAlone:
        return try attend(monitor, signals, arguments)
    default: return .exited(0)
    }
}

/// The cgroup and the process: what is made of them goes again where one fails.
private func launch(
    _ jail: Jail, _ files: JailFiles, network: CInt?, null: CInt?, since start: Moment
) throws(Failure) -> LaunchedProcess {
    let cgroup = try JailCgroup(jail)
    do throws(Failure) {
        let now = Moment.now
        let times = [
            "--start-time-us", String(start.wall), "--start-time-cpu-us", "0", "--parent-cpu-time-us",
            String(now.processor),
        ]
        let plan = JailPlan(jail, cgroup: directory(cgroup), network: network, null: null, times: times).plan
        let monitor = try attemptLaunch { () throws(LaunchError) in try plan.launch() }
        do throws(Failure) {
            try files.writePid(monitor.pid)
            try attemptLaunch { () throws(LaunchError) in try monitor.waitUntilExecuted() }
            return monitor
        } catch {
            try? monitor.process.send(signal: SIGKILL)
            _ = try? monitor.wait()
            throw error
        }
    } catch {
        rollBack(cgroup)
        throw error
    }
}

private func openNetwork(_ arguments: Arguments) throws(Failure) -> Namespace? {
    guard let path = arguments.networkNamespace else { return nil }
    return try attempt("--netns") { () throws(SystemError) in try Namespace(path: path, expecting: .network) }
}

private func openNull(_ arguments: Arguments) throws(Failure) -> Descriptor? {
    guard arguments.isDaemon else { return nil }
    return try attempt("--daemonize") { () throws(SystemError) in try Descriptor.open("/dev/null", .readWrite) }
}

private func number(_ namespace: borrowing Namespace?) -> CInt? {
    switch namespace {
    case .some(let namespace): namespace.descriptor.rawValue
    case nil: nil
    }
}

private func number(_ descriptor: borrowing Descriptor?) -> CInt? {
    switch descriptor {
    case .some(let descriptor): descriptor.rawValue
    case nil: nil
    }
}

private func directory(_ cgroup: borrowing JailCgroup?) -> CInt? {
    switch cgroup {
    case .some(let cgroup): cgroup.directory
    case nil: nil
    }
}

private func rollBack(_ cgroup: borrowing JailCgroup?) {
    switch cgroup {
    case .some(let cgroup): cgroup.rollBack()
    case nil: break
    }
}

/// Prints what ``run(_:since:)`` would do, in order.
func explain(_ arguments: Arguments) throws(Failure) {
    let jail = try Jail(arguments)
    let network = try openNetwork(arguments)
    let null = try openNull(arguments)
    let owner = "\(arguments.user):\(arguments.group)"
    var lines = [
        "make \(quoted(jail.root)), and what is missing on the way",
        "copy \(quoted(jail.executable)) to \(quoted("\(jail.root)/\(jail.name)")), which must not be there",
        "make / and \(Jail.directories.map { "/\($0)" }.joined(separator: ", ")) of the jail \(owner)'s",
    ]
    if !arguments.settings.isEmpty {
        lines.append("make the cgroup \(quoted("/" + JailCgroup.path(jail)))")
        lines += arguments.settings.map { "write \(quoted($0.value)) to its \($0.file)" }
    }
    // Where the process is born; the plan's text does not need to know more.
    let hasCgroup = !arguments.settings.isEmpty || arguments.parentCgroup != nil
    lines.append(
        JailPlan(
            jail, cgroup: hasCgroup ? -1 : nil, network: number(network), null: number(null),
            times: ["--start-time-us", "T", "--start-time-cpu-us", "0", "--parent-cpu-time-us", "T"]
        ).plan.description)
    lines.append("write the process's id to \(quoted("\(jail.root)/\(jail.name).pid"))")
    lines.append(
        arguments.isLeftAlone ? "end" : "become user \(owner) as well, pass signals on, and end as it ends")
    print(lines.joined(separator: "\n"))
}
