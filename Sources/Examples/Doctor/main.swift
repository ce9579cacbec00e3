import Glibc
import Linux

// Says what this host can isolate, and what to do about each thing that it can't. Everything it knows comes from
// `HostSupport` in the module Linux; what it adds is a judgement and advice.

let usage = """
    usage: bulkhead doctor [--json]

    Prints what this host lets you isolate: kernel, namespaces, cgroup controllers, seccomp, Landlock, capabilities, KVM.
    Each line says yes, partly or no; under all but a yes stands what to do about it.

      --json    the same as one JSON object

    Exit status: 0 when containers can run with everything that they may ask for, 1 when something essential says no
    (marked with *), 2 for a wrong command line. Virtual machines, Landlock and unprivileged use are not essential.
    """

func endWithUsageError(_ message: String) -> Never {
    let line = "bulkhead: \(message); try `bulkhead --help`\n"
    write(STDERR_FILENO, line, line.utf8.count)
    exit(2)
}

// Swift reads its arguments there.
if CommandLine.arguments.isEmpty { endWithUsageError("can't read /proc/self/cmdline: is /proc mounted?") }
let words = CommandLine.arguments.dropFirst()
if words.contains("--help") || words.contains("-h") || words.first == "help" {
    print(usage)
    exit(0)
}
guard let command = words.first else { endWithUsageError("no command given") }
guard command == "doctor" else { endWithUsageError("unknown command \(quoted(command))") }
let options = words.dropFirst()
if let unknown = options.first(where: { $0 != "--json" }) { endWithUsageError("unknown option \(quoted(unknown))") }

let host = HostSupport.probe()
let report = Report(host: host)
if options.contains("--json") {
    print(report.json)
} else {
    print(report.text(colored: isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil))
}
exit(report.isHealthy ? 0 : 1)
