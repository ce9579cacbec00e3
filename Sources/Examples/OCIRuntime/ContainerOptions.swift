import CProgram
import Containers
import Glibc

/// The options that create and run have in common.
enum ContainerOptions {
    static let bundle = Option("bundle", short: "b", value: "DIR", "the bundle's directory (default: the current one)")
    static let consoleSocket = Option(
        "console-socket", value: "SOCKET", "send the terminal's master to this Unix socket")
    static let pidfdSocket = Option("pidfd-socket", value: "SOCKET", "send a pidfd of the process to this Unix socket")
    static let pidFile = Option("pid-file", value: "FILE", "write the process's id to this file")
    static let noPivot = Option("no-pivot", "move the root instead of pivoting it: for an initramfs")
    static let noNewKeyring = Option("no-new-keyring", "stay in the caller's session keyring")
    static let preserveFDs = Option(
        "preserve-fds", value: "N", "hand N more descriptors on, from 3 or after those of $LISTEN_FDS")
    static let explain = Option("explain", "print every step, in order, and run nothing")
    static let trace = Option("trace", "print on standard error how long each step took")

    static let all = [
        bundle, consoleSocket, pidfdSocket, pidFile, noPivot, noNewKeyring, preserveFDs, explain, trace,
    ]

    static func read(_ arguments: Arguments) throws(Failure) -> CreateOptions {
        var options = CreateOptions(bundle: try absolutePath(arguments[bundle] ?? "."))
        options.consoleSocket = arguments[consoleSocket]
        options.pidfdSocket = arguments[pidfdSocket]
        options.pidFile = arguments[pidFile]
        options.noPivot = arguments.isSet(noPivot)
        options.noNewKeyring = arguments.isSet(noNewKeyring)
        options.isTraced = arguments.isSet(trace)
        options.preservedDescriptors = try preservedDescriptors(arguments)
        options.managerSocket = managerSocket
        let passed = activationSockets()
        if passed > 0 {
            bh_release_seal()
            options.preservedDescriptors += passed
            options.environment = ["LISTEN_FDS=\(passed)", "LISTEN_PID=1"]
        }
        return options
    }

    // sd_notify(3)
    static var managerSocket: String? { environmentVariable("NOTIFY_SOCKET") }

    static func preservedDescriptors(_ arguments: Arguments) throws(Failure) -> Int {
        guard let text = arguments[preserveFDs] else { return 0 }
        guard let count = unsigned(text, as: UInt16.self) else {
            throw Failure.usage("option --preserve-fds: expected a number of descriptors, found \"\(text)\"")
        }
        // The numbers that the caller left free must be seen to be.
        if count > 0 { bh_release_seal() }
        return Int(count)
    }

    // sd_listen_fds(3): the sockets are meant for the process that LISTEN_PID names.
    private static func activationSockets() -> Int {
        guard let count = environmentVariable("LISTEN_FDS").flatMap({ unsigned($0, as: UInt16.self) }),
            environmentVariable("LISTEN_PID").flatMap({ unsigned($0, as: pid_t.self) }) == getpid()
        else { return 0 }
        return Int(count)
    }
}
