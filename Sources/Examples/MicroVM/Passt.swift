import CConfinement
import Glibc
import Launch
import Linux
import Machines

/// A child that is passt: it gives the guest the network of who runs this program, without any privilege. It reads and
/// writes the card's frames over a socket, and ends with it, however this program ends.
final class Passt: Sendable {
    /// In a configuration, for a passt that was not started yet.
    static let notYet: CInt = -1
    /// What a guest may send: passt cuts for the host's network, and has less to do with large packets.
    static let mtu: UInt16 = 65520

    private let process: LaunchedProcess
    /// The card's end of the socket, of which the machine has a duplicate.
    private let socket: Descriptor

    /// Starts what the cards need, and connects them.
    ///
    /// - Parameter options: passt's, by the place of the card.
    static func start(
        _ options: [Int: [String]], for configuration: inout MachineConfiguration
    ) throws(Failure) -> [Passt] {
        var all: [Passt] = []
        for (index, options) in options.sorted(by: { $0.key < $1.key }) {
            do throws(LaunchError) {
                let passt = try Passt(options)
                configuration.networks[index].end = .connection(passt.socket.rawValue)
                all.append(passt)
            } catch {
                for passt in all { passt.end() }
                let isMissing = error.errno == .noSuchFileOrDirectory
                throw Failure(.refused, "--net: \(isMissing ? "no passt is installed" : error.description)")
            }
        }
        return all
    }

    private init(_ options: [String]) throws(LaunchError) {
        let ends: SocketPair
        do throws(SystemError) { ends = try SocketPair(.stream) } catch {
            throw LaunchError(.parent(error.operation), error.errno)
        }
        var plan = LaunchPlan()
        // Keys of a terminal's are not for it.
        plan.append(.session)
        plan.append(.duplicate(.inherited(ends.second.rawValue), to: 3))
        plan.append(.findExecutable("passt", searchPath: ["/usr/local/bin", "/usr/bin", "/bin"]))
        plan.append(.closeDescriptors(from: 4, keeping: []))
        plan.append(
            .execute(
                arguments: ["passt", "--foreground", "--quiet", "--stderr", "--fd", "3"] + options,
                environment: ["PATH=/usr/local/bin:/usr/bin:/bin"]))
        process = try plan.launch()
        socket = ends.takeFirst()
        try process.waitUntilExecuted()
    }

    /// A descriptor that is readable when it has ended.
    var number: CInt { process.process.descriptor.rawValue }
    var hasEnded: Bool { (try? process.process.hasExited()) ?? true }

    /// Waits until it takes frames, ten seconds at the most.
    ///
    /// - Throws: where it ends before, as without a network to give: it has said why.
    func waitUntilReady() throws(MachineError) {
        // Nothing says that it is ready. So it gets a frame of the type that is for experiments, which it reads and forgets.
        let head: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]
        let frame = [0, 0, 0, 60] + head + [UInt8](repeating: 0, count: 60 - head.count)
        _ = send(socket.rawValue, frame, frame.count, CInt(MSG_NOSIGNAL))
        for _ in 0..<10_000 {
            let unread = bh_unread(socket.rawValue)
            guard unread >= 0 else { break }
            if unread == 0 {
                // Bytes that nobody will read any more are not counted either.
                var polled = pollfd(fd: socket.rawValue, events: 0, revents: 0)
                if poll(&polled, 1, 0) == 0 { return }
                break
            }
            usleep(1000)
        }
        let hasEnded = (try? process.process.waitForExit(timeoutMilliseconds: 1000)) ?? true
        let status = hasEnded ? try? process.wait() : nil
        let hint = status.map { "it ended with status \($0.shellCode)" } ?? "it does not read its socket"
        let errno = Errno(rawValue: hasEnded ? ECONNRESET : ETIMEDOUT)
        throw MachineError(.network, .refused(SystemError("run passt", errno, hint: hint)))
    }

    /// Ends it.
    func end() {
        try? process.process.send(signal: SIGTERM)
        if (try? process.process.waitForExit(timeoutMilliseconds: 2000)) != true {
            try? process.process.send(signal: SIGKILL)
        }
        _ = try? process.wait()
    }
}
