import CLinux
import CVirtio
import Linux

/// Sockets between host and guest; virtio 1.2, section 5.10.
///
/// On the host each is a Unix socket. A program that wants to reach port 52 of the guest connects to the device's path,
/// writes `CONNECT 52\n` and reads `OK <port>\n`. A guest that connects to port 52 of the host (CID 2) reaches whoever
/// listens at the device's path followed by `_52`.
public final class Vsock: Device, @unchecked Sendable {
    public let type = DeviceType.vsock
    public let offered: Features = []
    public let queueSizes: [UInt16] = [256, 256, 16]
    public let lock = DeviceLock()
    /// The guest's address: 3 to 2³² − 2.
    public let cid: UInt64
    /// Where the device listens.
    public let path: String

    /// The most connections at a time; the others are refused.
    static let mostConnections = 1023
    /// The most refusals that wait for the guest's buffers.
    static let mostResets = 256

    private let listener: Descriptor
    // Guarded by the lock.
    var host: DeviceHost?
    let timer: Timer
    let chain = DescriptorChain()
    var connections: [UInt32: VsockConnection] = [:]
    var byPorts: [VsockPorts: VsockConnection] = [:]
    /// Connections with something for the guest, in the order in which they get its buffers.
    var line: [VsockConnection] = []
    /// Refusals of what is no connection.
    var resets: [VsockPorts] = []
    var nextToken: UInt32 = 0
    /// Ports of the host's for connections that it starts: far from those that a guest dials.
    var nextPort: UInt32 = 1 << 30
    var isTimerSet = false
    /// Whether the listener is watched: not while the host can't take connections.
    var isListening = false
    /// How long a side may leave the other without an answer: nanoseconds.
    var patience: UInt64 = 2_000_000_000
    /// The guest has to be told that all its connections are gone.
    var owesTransportReset = false
    @safe @exclusivity(unchecked) var counted = VsockCounts()

    /// - Throws: `EADDRINUSE` where the path exists, `ENAMETOOLONG` where it has more than 107 bytes, `EINVAL` for a CID
    ///   that is reserved.
    public init(cid: UInt64, path: String) throws(SystemError) {
        guard cid > 2, cid < UInt64(UInt32.max) else {
            throw SystemError(
                "make a vsock device", .invalidArgument, hint: "the CID \(cid) is not between 3 and 4294967294")
        }
        let listener = try UnixSocket.listen(at: path, backlog: 128)
        let number = listener.rawValue
        do throws(SystemError) {
            try systemCall("make the socket non-blocking") { bh_set_nonblocking(number) }
            timer = try Timer()
        } catch {
            unsafe _ = unlink(path)
            throw error
        }
        self.listener = listener
        self.cid = cid
        self.path = path
    }

    deinit { unsafe _ = unlink(path) }

    /// How many connections there are.
    public var connectionCount: Int { lock.locked { connections.count } }

    func watchListener(_ host: DeviceHost) throws(DeviceFault) {
        guard !isListening else { return }
        try host.watch(listener, for: .readable, token: Vsock.listenerToken)
        isListening = true
    }

    func unwatchListener(_ host: DeviceHost) {
        host.unwatch(listener)
        isListening = false
    }

    /// The next program that has connected; nil where there is none.
    ///
    /// - Throws: `EMFILE` and the like, where one waits that the host can't take now.
    func accept() throws(SystemError) -> Descriptor? {
        let socket: Descriptor
        do throws(SystemError) { socket = try UnixSocket.accept(on: listener) } catch {
            if error.errno == .wouldBlock || error.errno == .interrupted { return nil }
            throw error
        }
        let number = socket.rawValue
        try systemCall("make the socket non-blocking") { bh_set_nonblocking(number) }
        return socket
    }

    /// Reaches who listens for a port; nil where nobody does.
    func dial(_ port: UInt32) -> Descriptor? {
        let number = bh_unix_socket(bh_sock_stream())
        guard number >= 0 else { return nil }
        let socket = Descriptor(owning: number)
        // A listener whose backlog is full is one that does not answer: nobody waits here.
        guard bh_set_nonblocking(number) == 0, unsafe bh_unix_connect(number, "\(path)_\(port)") == 0 else {
            return nil
        }
        return socket
    }
}
