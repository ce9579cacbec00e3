import Glibc
import Linux

// Puts a virtual machine's monitor into a jail and runs it there: a root directory of its own with nothing in it but its
// program and four devices, a cgroup, limits, no rights. The options and steps are those of Firecracker's jailer.

let start = Moment.now
do throws(Failure) {
    switch try Arguments.Request(CommandLine.arguments.dropFirst()) {
    case .help: print(Help.text)
    case .explain(let arguments): try explain(arguments)
    case .run(let arguments): exit(try run(arguments, since: start))
    }
} catch {
    complain(error.description)
    exit(error.status)
}
