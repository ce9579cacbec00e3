import Containers
import Linux
import OCI

/// The options of exec, and the process that they make.
enum ProcessOptions {
    static let process = Option(
        "process", short: "p", value: "FILE", "a process document; replaces all of the options on the process")
    static let tty = Option("tty", short: "t", "give the program a terminal")
    static let detach = Option("detach", short: "d", "return when the program runs")
    static let cwd = Option("cwd", value: "DIR", "its working directory")
    static let env = Option("env", short: "e", value: "NAME=VALUE", "set a variable; may be repeated")
    static let user = Option("user", short: "u", value: "UID[:GID]", "run as this user, by number")
    static let additionalGIDs = Option("additional-gids", short: "g", value: "GID", "add a group; may be repeated")
    static let cap = Option("cap", short: "c", value: "CAP", "add a capability; may be repeated")
    static let noNewPrivs = Option("no-new-privs", "deny it new privileges")
    static let apparmor = Option("apparmor", value: "PROFILE", "its AppArmor profile")
    static let processLabel = Option("process-label", value: "LABEL", "its SELinux label")
    static let cgroup = Option("cgroup", value: "PATH", "run it in this cgroup below the container's")
    static let ignorePaused = Option("ignore-paused", "go on although the container is paused")

    static var all: [Option] {
        [
            process, tty, detach, ContainerOptions.consoleSocket, ContainerOptions.pidfdSocket,
            ContainerOptions.pidFile, cwd, env, user, additionalGIDs, cap, noNewPrivs, apparmor, processLabel,
            ContainerOptions.preserveFDs, cgroup, ignorePaused,
            Option("no-subreaper", "accepted for callers of runc: orphans are never this program's"),
        ]
    }

    static func execOptions(_ arguments: Arguments) throws(Failure) -> ExecOptions {
        var options = ExecOptions()
        options.consoleSocket = arguments[ContainerOptions.consoleSocket]
        options.pidfdSocket = arguments[ContainerOptions.pidfdSocket]
        options.pidFile = arguments[ContainerOptions.pidFile]
        options.preservedDescriptors = try ContainerOptions.preservedDescriptors(arguments)
        options.cgroup = try cgroupPath(arguments)
        options.ignorePaused = arguments.isSet(ignorePaused)
        return options
    }

    // runc's form is [CONTROLLERS:]PATH; only cgroup v1 has more than one hierarchy.
    private static func cgroupPath(_ arguments: Arguments) throws(Failure) -> String? {
        guard let path = arguments[cgroup] else { return nil }
        guard arguments.values(cgroup).count == 1, !path.contains(":") else {
            throw Failure.usage("option --cgroup: cgroup v2 has one hierarchy: give one path, without controllers")
        }
        return path
    }

    /// The process that the options describe, from a document or from the container's own process.
    static func process(
        _ arguments: Arguments, containerProcess: () throws(ContainerError) -> Configuration.Process?
    ) throws(Failure) -> Configuration.Process {
        if let path = arguments[process] {
            let bytes = try attemptCall(try readFile(path))
            do { return try Configuration.Process(json: bytes) } catch { throw Failure("\(path): \(error)") }
        }
        let program = Array(arguments.positional.dropFirst())
        guard !program.isEmpty else { throw Failure.usage("exec: expected a program, or --process") }
        guard let base = try attempt(try containerProcess()) else {
            throw Failure("exec: the container's document has no process to go by: give one with --process")
        }
        return try apply(arguments, to: base, program)
    }

    static func apply(
        _ arguments: Arguments, to base: Configuration.Process, _ program: [String]
    ) throws(Failure) -> Configuration.Process {
        var result = base
        result.args = program
        result.terminal = arguments.isSet(tty)
        if !result.terminal { result.consoleSize = nil }
        if let directory = arguments[cwd] {
            guard directory.hasPrefix("/") else {
                throw Failure.usage("option --cwd: expected an absolute path, found \(quoted(directory))")
            }
            result.cwd = directory
        }
        for variable in arguments.values(env) { try set(variable, in: &result.env) }
        try setUser(arguments, &result.user)
        addCapabilities(arguments.values(cap), &result)
        if arguments.isGiven(noNewPrivs) { result.noNewPrivileges = arguments.isSet(noNewPrivs) }
        if let profile = arguments[apparmor] { result.apparmorProfile = profile }
        if let label = arguments[processLabel] { result.selinuxLabel = label }
        return result
    }

    // Of two variables with one name programs disagree which one counts, so there is only ever one.
    private static func set(_ variable: String, in environment: inout [String]) throws(Failure) {
        guard let equals = variable.firstIndex(of: "="), equals != variable.startIndex else {
            throw Failure.usage("option --env: expected NAME=VALUE, found \(quoted(variable))")
        }
        let name = variable[...equals]
        environment.removeAll { $0.hasPrefix(name) }
        environment.append(variable)
    }

    private static func setUser(_ arguments: Arguments, _ result: inout Configuration.Process.User) throws(Failure) {
        if arguments.isGiven(user) {
            let text = arguments.values(user).last ?? ""
            guard let (uid, gid) = userAndGroup(text) else {
                throw Failure.usage("option --user: expected UID or UID:GID by number, found \(quoted(text))")
            }
            result.uid = uid
            if let gid { result.gid = gid }
        }
        for text in arguments.values(additionalGIDs) {
            guard let gid = identity(text) else {
                throw Failure.usage("option --additional-gids: expected a group's number, found \(quoted(text))")
            }
            result.additionalGids.append(gid)
        }
    }

    private static func addCapabilities(_ names: [String], _ result: inout Configuration.Process) {
        guard !names.isEmpty else { return }
        var sets = result.capabilities ?? .init()
        for name in names {
            if !sets.bounding.contains(name) { sets.bounding.append(name) }
            if !sets.permitted.contains(name) { sets.permitted.append(name) }
            if !sets.effective.contains(name) { sets.effective.append(name) }
            // An ambient capability has to be inheritable, and the options give none to inherit.
            if sets.inheritable.contains(name), !sets.ambient.contains(name) { sets.ambient.append(name) }
        }
        result.capabilities = sets
    }
}
