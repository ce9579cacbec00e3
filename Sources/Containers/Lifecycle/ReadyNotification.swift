import Glibc
import Linux

/// Where a container's program says that it is ready (`sd_notify(3)`), and from where that goes on to the service manager
/// that waits for the runtime.
///
/// Nothing else that the program says is passed on: its messages come from inside the container, and a manager would act
/// on them. The id that goes along is that of the container's first process as the host sees it.
public final class ReadyNotification {
    /// The socket's number, to poll for messages.
    public var rawValue: CInt { socket.rawValue }
    /// Why the manager could not be told.
    public private(set) var failure: SystemError?

    private let socket: Descriptor
    private let manager: String
    private let pid: pid_t

    static let socketName = "notify.sock"
    /// What the program sees of it.
    static let directoryInside = "/run/notify"
    static let variable = "NOTIFY_SOCKET"

    /// - Parameters:
    ///   - directory: where the container has its socket.
    ///   - manager: the manager's socket, as `$NOTIFY_SOCKET` has it.
    init(in directory: borrowing Descriptor, manager: String, pid: pid_t) throws(SystemError) {
        _ = unlinkat(directory.rawValue, Self.socketName, 0)
        let path = UnixSocket.path(Self.socketName, in: directory)
        socket = try UnixSocket.bind(at: path)
        // The program may be anybody.
        try systemCall("change the mode of \(quoted(path))") { chmod(path, 0o777) }
        self.manager = manager
        self.pid = pid
    }

    /// Takes the next message; waits for one.
    ///
    /// - Returns: whether no more is to be waited for: the program is ready.
    public func receive() -> Bool {
        do throws(SystemError) {
            // With a descriptor that may come along, which is closed: the sender of a barrier waits for that.
            var descriptor: Descriptor?
            let message = try UnixSocket.receive(from: socket, descriptor: &descriptor)
            guard message.split(separator: UInt8(ascii: "\n")).contains(where: { $0.elementsEqual("READY=1".utf8) })
            else { return false }
            let connection =
                manager.hasPrefix("@")
                ? try UnixSocket.connect(toAbstract: String(manager.dropFirst()), .datagrams)
                : try UnixSocket.connect(to: manager, .datagrams)
            try connection.write("READY=1\nMAINPID=\(pid)\n")
        } catch {
            failure = error
        }
        return true
    }

    /// Waits until the program is ready, or has ended.
    public func wait() throws(SystemError) {
        let process: ProcessDescriptor
        do throws(SystemError) { process = try ProcessDescriptor(pid: pid) } catch {
            if error.errno == .noSuchProcess { return }
            throw error
        }
        while true {
            var entries = [
                pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0),
                pollfd(fd: process.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            ]
            try systemCall("poll") { poll(&entries, 2, -1) }
            // What it said before it ended counts.
            if entries[0].revents != 0 {
                if receive() { return }
            } else if entries[1].revents != 0 {
                return
            }
        }
    }
}

extension StateDirectory {
    static let notifyName = "notify"

    /// Makes the directory in which a container has the socket by which it says that it is ready.
    ///
    /// - Returns: its path.
    func makeNotifyDirectory() throws(SystemError) -> String {
        let number = directory.rawValue
        let name = Self.notifyName
        try systemCall("make directory \(quoted("\(path)/\(name)"))") { mkdirat(number, name, 0o755) }
        try systemCall("change the mode of \(quoted("\(path)/\(name)"))") { fchmodat(number, name, 0o755, 0) }
        return "\(path)/\(name)"
    }

    /// The container's side of a report to a manager, where the container was made for one.
    func readiness(reportingTo manager: String?, pid: pid_t) throws(SystemError) -> ReadyNotification? {
        guard let manager, exists(Self.notifyName) else { return nil }
        return try ReadyNotification(
            in: try directory.open(Self.notifyName, [.path, .directory], resolve: .beneath), manager: manager, pid: pid)
    }
}
