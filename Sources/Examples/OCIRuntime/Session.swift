import CProgram
import Containers
import Glibc

/// What holds for every command: the options that stand before it, and the environment.
struct Session {
    var log = Log()
    /// `--root`
    var root: String?
    var systemdCgroupNames = false
    var makesCgroups = true

    static let root = Option("root", value: "DIR", "where containers' states are kept")
    static let log = Option("log", value: "FILE", "log to this file instead of standard error")
    static let logFormat = Option("log-format", value: "FORMAT", "text (default) or json")
    static let logLevel = Option("log-level", value: "LEVEL", "error, warning (default) or debug")
    static let debug = Option("debug", "log more; the same as --log-level debug")
    static let systemdCgroup = Option("systemd-cgroup", "read cgroup paths as slice:prefix:name")
    static let cgroupManager = Option(
        "cgroup-manager", value: "NAME", "cgroupfs (default), systemd, for its naming, or disabled: no cgroups")
    static let rootless = Option("rootless", value: "MODE", "auto, true or false; accepted for callers of runc")
    static let criu = Option("criu", value: "PATH", "accepted for callers of older runc")
    static let version = Option("version", short: "v", "show the version")

    static var options: [Option] {
        [
            root, log, logFormat, logLevel, debug, systemdCgroup, cgroupManager, rootless, criu, version, .help,
        ]
    }

    init(_ arguments: Arguments) throws(Failure) {
        root = arguments[Self.root]
        try readLogOptions(arguments)
        systemdCgroupNames = arguments.isSet(Self.systemdCgroup)
        switch arguments[Self.cgroupManager] {
        case nil, "cgroupfs": break
        case "systemd": systemdCgroupNames = true
        case "disabled": makesCgroups = false
        case let other?: throw Failure.usage("option --cgroup-manager: unknown manager \"\(other)\"")
        }
        switch arguments[Self.rootless] {
        case nil, "auto", "true", "false": break
        case let other?: throw Failure.usage("option --rootless: expected auto, true or false, found \"\(other)\"")
        }
    }

    private mutating func readLogOptions(_ arguments: Arguments) throws(Failure) {
        log.path = arguments[Self.log].map { $0.hasPrefix("file:") ? String($0.dropFirst(5)) : $0 }
        if let name = arguments[Self.logFormat] {
            guard let format = Log.Format(rawValue: name) else {
                throw Failure.usage("option --log-format: expected text or json, found \"\(name)\"")
            }
            log.format = format
        }
        switch arguments[Self.logLevel] {
        case nil, "warning", "warn", "info": break
        case "error": log.level = .error
        case "debug": log.level = .debug
        case let other?:
            throw Failure.usage("option --log-level: expected error, warning or debug, found \"\(other)\"")
        }
        if arguments.isSet(Self.debug) { log.level = .debug }
    }

    /// A log that is right even when the global options are not: the caller looks for the reason where it said.
    static func logOfLastResort(_ words: [String]) -> Log {
        var log = Log()
        for (index, word) in words.enumerated() {
            func value(_ name: String) -> String? {
                if word == name { return index + 1 < words.count ? words[index + 1] : nil }
                return word.hasPrefix("\(name)=") ? String(word.dropFirst(name.utf8.count + 1)) : nil
            }
            if let path = value("--log") { log.path = path }
            if let format = value("--log-format").flatMap({ Log.Format(rawValue: $0) }) { log.format = format }
        }
        return log
    }

    func container(_ id: String) throws(Failure) -> Container {
        let runtime = try runtime()
        return try attempt(try runtime.container(id))
    }

    func runtime() throws(Failure) -> Runtime {
        var runtime = Runtime(stateRoot: try stateRoot())
        runtime.systemdCgroupNames = systemdCgroupNames
        runtime.makesCgroups = makesCgroups
        runtime.warn = { [log] in log.warning($0) }
        runtime.whileWaiting = { bh_release_seal() }
        return runtime
    }

    private func stateRoot() throws(Failure) -> String {
        if let root { return try absolutePath(root) }
        if geteuid() == 0 { return "/run/bulkhead" }
        guard let directory = environmentVariable("XDG_RUNTIME_DIR"), directory.hasPrefix("/") else {
            throw Failure("XDG_RUNTIME_DIR is not set: say with --root where to keep containers' states")
        }
        return "\(directory)/bulkhead"
    }
}

/// A variable of this program's own environment; nil when it is not there or empty.
func environmentVariable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}

/// The path from `/`, links left as they are.
func absolutePath(_ path: String) throws(Failure) -> String {
    if path.hasPrefix("/") { return path }
    guard let buffer = getcwd(nil, 0) else {
        throw Failure("the current directory is gone: give absolute paths")
    }
    defer { free(buffer) }
    let directory = String(cString: buffer)
    if path == "." { return directory }
    return directory == "/" ? "/\(path)" : "\(directory)/\(path)"
}
