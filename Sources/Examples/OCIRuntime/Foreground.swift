import Containers
import Glibc
import Linux

/// Stands in for a program in a container: passes signals on to it, its terminal's bytes, and that it is ready, until it
/// ends.
///
/// Signals are held back from when this value is made, so that none is lost while the container starts.
struct Foreground: ~Copyable {
    private let signals: SignalDescriptor

    init() throws(SystemError) {
        let forwarded = SignalSet.forwardable
        // A reader of the output that goes away must not end this program and leave the container behind.
        try forwarded.union(SignalSet([.brokenPipe])).block()
        signals = try SignalDescriptor(forwarded)
    }

    /// Returns when the process has ended; it is not reaped yet.
    func attend(
        _ process: borrowing ProcessDescriptor, _ relay: TerminalRelay?, _ readiness: ReadyNotification? = nil
    ) throws(SystemError) {
        var isOver = false
        var isReady = readiness == nil
        while !isOver {
            var entries = [
                pollfd(fd: process.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
                // poll(2) passes over -1.
                pollfd(fd: isReady ? -1 : readiness?.rawValue ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            let timeout = relay?.prepare(&entries) ?? -1
            if Glibc.poll(&entries, nfds_t(entries.count), timeout) < 0 {
                if Errno.current == .interrupted { continue }
                throw SystemError("poll", .current)
            }
            isOver = entries[0].revents != 0
            if entries[1].revents != 0 { try forward(to: process, relay) }
            if entries[2].revents != 0, let readiness { isReady = readiness.receive() }
            relay?.handle(entries[3...])
        }
        relay?.finish()
    }

    private func forward(to process: borrowing ProcessDescriptor, _ relay: TerminalRelay?) throws(SystemError) {
        while let signal = try signals.next() {
            if signal == .windowChanged, let relay {
                relay.copySize()
                continue
            }
            do throws(SystemError) { try process.send(signal: signal.rawValue) } catch {
                // It has just ended: the next round finds out.
                guard error.errno == .noSuchProcess else { throw error }
            }
        }
    }
}
