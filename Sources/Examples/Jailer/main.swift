import Glibc
import Linux

// Puts a virtual machine's monitor into a jail and runs it there: a root directory of its own with nothing in it but its
// program and four devices, a cgroup, limits, no rights. The options and steps are those of Firecracker's jailer.

let start = Moment.now
do throws(Failure) {
    switch try Arguments.Request(CommandLine.arguments.dropFirst()) {
    case .help: print(Help.text)
    case .version: print("Jailer v\(Help.version)")
    case .explain(let arguments): try explain(arguments)
    case .run(let arguments):
        let end = try run(arguments, since: start)
        // Who waits for this program sees how the monitor ended, by a signal or not.
        if case .signaled(let signal) = end { Signal(rawValue: signal).take() }
        exit(end.shellCode)
    }
} catch {
    complain(error.description)
    exit(1)
}
