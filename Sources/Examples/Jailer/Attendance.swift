import Glibc
import Launch
import Linux

/// Stands for the monitor while it runs: who started this program sends it signals and waits for its end. All rights are
/// given up before.
///
/// - Returns: how it ended.
func attend(
    _ monitor: borrowing LaunchedProcess, _ signals: borrowing SignalDescriptor, _ arguments: Arguments
) throws(Failure) -> ExitStatus {
    do throws(Failure) {
        try giveUpRights(arguments)
    } catch {
        try? monitor.process.send(signal: SIGKILL)
        _ = try? monitor.wait()
        throw error
    }
    while true {
        var polled = [
            pollfd(fd: monitor.process.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
        if polled[0].revents != 0 {
            return try attempt { () throws(SystemError) in try monitor.wait() }
        }
        if let signal = try? signals.next() { try? monitor.process.send(signal: signal.rawValue) }
    }
}

/// What is left of this program may signal the monitor, and nothing else.
private func giveUpRights(_ arguments: Arguments) throws(Failure) {
    guard chdir("/") == 0, setgroups(0, nil) == 0, setgid(arguments.group) == 0, setuid(arguments.user) == 0 else {
        throw Failure("become user \(arguments.user): \(Errno.current)")
    }
}
