import Linux

/// The command line of Firecracker, read.
struct FirecrackerArguments: Equatable {
    enum Job: Equatable {
        case run
        case printVersion
        case printHelp
        case printSnapshotVersion
        case describeSnapshot(String)
    }

    var job = Job.run
    var socket = "/run/firecracker.socket"
    var id = "anonymous-instance"
    var configuration: String?
    var hasAPI = true
    var logger = LoggerSettings()
    var metrics: String?
    /// Whether the log says when the guest is up.
    var logsBoot = false
    var payloadLimit = 51_200
    /// A file with what the guest is told about itself, and how large that may become: bytes.
    var metadata: String?
    var metadataLimit = 51_200
    /// Microseconds: when the process was started and how much CPU time it and its parent had had by then.
    var startTime: UInt64?
    var startCPUTime: UInt64?
    var parentCPUTime: UInt64?
    /// The filters of this program's threads; a file of them is JSON, and not what Firecracker's compiler makes of it.
    var confinement = Confinement.Choice.own
    /// This program's own: go on where KVM emulates a guest's kernel.
    var acceptsEmulation = false

    // Lists, as these are the first words that the program looks at: a set is made by types' descriptions, at run time.
    private static let valued = [
        "api-sock", "id", "seccomp-filter", "start-time-us", "start-time-cpu-us", "parent-cpu-time-us", "config-file",
        "metadata", "log-path", "level", "module", "metrics-path", "describe-snapshot", "http-api-max-payload-size",
        "mmds-size-limit",
    ]
    private static let flags = [
        "no-seccomp", "no-api", "show-level", "show-log-origin", "boot-timer", "version", "snapshot-version", "help",
        "enable-pci", "accept-emulation",
    ]

    /// What was said behind options' names.
    private struct Values {
        private var pairs: [(name: String, value: String)] = []

        subscript(name: String) -> String? {
            get { pairs.first { $0.name == name }?.value }
            set { if let newValue { pairs.append((name, newValue)) } }
        }
    }

    init(_ words: some Sequence<String>) throws(Failure) {
        let (values, flags) = try Self.take(words)
        // What asks for a word of this program comes before what else is said.
        if let other = Self.otherJob(values, flags) {
            job = other
            return
        }
        try refuse(values, flags)

        socket = values["api-sock"] ?? socket
        id = values["id"] ?? id
        guard InstanceInfo.isValid(id) else {
            throw Self.failure("Invalid instance ID: \(quoted(id)) is not 1 to 64 letters, digits and hyphens")
        }
        configuration = values["config-file"]
        hasAPI = !flags.contains("no-api")
        logger.path = values["log-path"]
        logger.module = values["module"]
        logger.showsLevel = flags.contains("show-level") ? true : nil
        logger.showsOrigin = flags.contains("show-log-origin") ? true : nil
        if let text = values["level"] {
            guard let level = LogLevel(text) else {
                throw Failure(
                    .badConfiguration,
                    "Invalid value for logger level: \(quoted(text)). Possible values: Off, Trace, Debug, Info, Warning, "
                        + "Error")
            }
            logger.level = level
        }
        metrics = values["metrics-path"]
        logsBoot = flags.contains("boot-timer")
        payloadLimit = try Self.number("http-api-max-payload-size", values).map { Int(clamping: $0) } ?? payloadLimit
        metadata = values["metadata"]
        metadataLimit = try Self.number("mmds-size-limit", values).map { Int(clamping: $0) } ?? payloadLimit
        startTime = try Self.number("start-time-us", values)
        startCPUTime = try Self.number("start-time-cpu-us", values)
        parentCPUTime = try Self.number("parent-cpu-time-us", values)
        confinement = flags.contains("no-seccomp") ? .none : values["seccomp-filter"].map { .file($0) } ?? .own
        acceptsEmulation = flags.contains("accept-emulation")
    }

    private static func take(_ words: some Sequence<String>) throws(Failure) -> (Values, [String]) {
        var values = Values()
        var found: [String] = []
        var words = Array(words)[...]
        while let word = words.popFirst() {
            // What is behind it is for somebody else.
            if word == "--" { break }
            guard word.hasPrefix("--") else { throw unexpected(word) }
            let (name, attached) = Arguments.keyAndValue(String(word.dropFirst(2)))
            guard values[name] == nil, !found.contains(name) else {
                throw failure("The argument '\(name)' was provided more than once.")
            }
            if valued.contains(name) {
                guard let value = attached ?? words.popFirst(), attached != nil || !value.hasPrefix("--") else {
                    throw failure("The argument '\(name)' requires a value, but none was supplied.")
                }
                values[name] = value
            } else if flags.contains(name), attached == nil {
                found.append(name)
            } else {
                throw unexpected(name)
            }
        }
        return (values, found)
    }

    private static func otherJob(_ values: Values, _ flags: [String]) -> Job? {
        if flags.contains("help") { return .printHelp }
        if flags.contains("version") { return .printVersion }
        if flags.contains("snapshot-version") { return .printSnapshotVersion }
        return values["describe-snapshot"].map { .describeSnapshot($0) }
    }

    /// What does not go together, and what Firecracker has and this program has not.
    private func refuse(_ values: Values, _ flags: [String]) throws(Failure) {
        if flags.contains("no-seccomp"), values["seccomp-filter"] != nil {
            throw Self.failure("Argument 'no-seccomp' cannot be used together with argument 'seccomp-filter'.")
        }
        if flags.contains("no-api"), values["config-file"] == nil {
            throw Self.failure("Argument 'config-file' required, but not found.")
        }
        if flags.contains("enable-pci") { throw Self.failure("Argument 'enable-pci' is not supported.") }
    }

    private static func number(_ name: String, _ values: Values) throws(Failure) -> UInt64? {
        guard let text = values[name] else { return nil }
        guard let number = UInt64(text) else {
            throw failure("The argument '\(name)' has to be a number: \(quoted(text)).")
        }
        return number
    }

    private static func unexpected(_ name: String) -> Failure {
        failure("Found argument '\(name)' which wasn't expected, or isn't valid in this context.")
    }

    private static func failure(_ message: String) -> Failure {
        Failure(.badArguments, "Arguments parsing error: \(message) For more information try --help.")
    }

    static let help = """
        usage: bulkhead-vm [OPTION...]

        Firecracker's API, command line and configuration file.

          --api-sock PATH                    where the API is served (/run/firecracker.socket)
          --id NAME                          the microVM's name: letters, digits, hyphens (anonymous-instance)
          --config-file PATH                 a machine as JSON, which is started at once
          --no-api                           no API; needs --config-file
          --log-path PATH                    a file or named pipe for the log (standard output)
          --level LEVEL                      Off, Error, Warning, Info, Debug or Trace (Info)
          --module NAME                      only lines of modules whose names begin so
          --show-level, --show-log-origin    lines of the log say their level, their file and line
          --metrics-path PATH                a file or named pipe for counters
          --boot-timer                       the log says when the guest wrote 123 to 0xc0000000
          --http-api-max-payload-size BYTES  the largest body of a request (51200)
          --metadata PATH                    JSON that the guest can ask for
          --mmds-size-limit BYTES            how large that may become (as the largest body)
          --start-time-us, --start-time-cpu-us, --parent-cpu-time-us NUMBER
                                             for the counters of how long the start took
          --no-seccomp, --seccomp-filter PATH
          --snapshot-version, --describe-snapshot PATH
          --version, --help
          --accept-emulation                 go on where KVM emulates a guest's kernel

        Exit status: 0 the guest ended its machine, 1 something failed, 148 a system call that is not allowed, 152 a
        wrong configuration file or level, 153 wrong arguments, 128 + N ended by signal N.
        """
}
