import CLinux

/// Unix sockets by path, and descriptors that travel over them; `unix(7)`.
public enum UnixSocket {
    /// The kinds of Unix socket.
    public enum Kind: Sendable {
        /// A stream of bytes.
        case stream
        /// Messages with borders, in order.
        case messages
        /// Messages with borders, without a connection.
        case datagrams

        var rawValue: CInt {
            switch self {
            case .stream: bh_sock_stream()
            case .messages: bh_sock_seqpacket()
            case .datagrams: bh_sock_dgram()
            }
        }
    }

    /// Connects to the socket at a path.
    ///
    /// - Parameters:
    ///   - path: up to 107 bytes.
    ///   - kind: the listener's.
    ///   - nonBlocking: whether the descriptor is; then who would have to wait for the listener gets `EAGAIN`.
    /// - Throws: `ENAMETOOLONG` for a path over 107 bytes; see ``path(_:in:)``.
    public static func connect(
        to path: String, _ kind: Kind = .stream, nonBlocking: Bool = false
    ) throws(SystemError) -> Descriptor {
        let descriptor = try make(kind)
        let number = descriptor.rawValue
        if nonBlocking { try descriptor.setNonBlocking(true) }
        try systemCall("connect to \(quoted(path))") { unsafe bh_unix_connect(number, path) }
        return descriptor
    }

    /// Connects to a socket by a name that is no path, without the zero byte that such names begin with.
    ///
    /// - Throws: `ENAMETOOLONG` for a name over 107 bytes.
    public static func connect(toAbstract name: String, _ kind: Kind = .stream) throws(SystemError) -> Descriptor {
        let descriptor = try make(kind)
        let number = descriptor.rawValue
        try systemCall("connect to \(quoted("@\(name)"))") { unsafe bh_unix_connect_abstract(number, name) }
        return descriptor
    }

    /// Makes a socket for datagrams at a path that does not exist.
    public static func bind(at path: String) throws(SystemError) -> Descriptor {
        let descriptor = try make(.datagrams)
        let number = descriptor.rawValue
        try systemCall("bind \(quoted(path))") { unsafe bh_unix_bind(number, path) }
        return descriptor
    }

    /// Makes a socket at a path that does not exist, and listens.
    public static func listen(at path: String, _ kind: Kind = .stream, backlog: CInt = 8) throws(SystemError)
        -> Descriptor
    {
        let descriptor = try make(kind)
        let number = descriptor.rawValue
        try systemCall("bind \(quoted(path))") { unsafe bh_unix_bind(number, path) }
        try systemCall("listen at \(quoted(path))") { CLinux.listen(number, backlog) }
        return descriptor
    }

    /// Takes the next connection.
    public static func accept(on listener: borrowing Descriptor) throws(SystemError) -> Descriptor {
        let number = listener.rawValue
        return Descriptor(owning: try systemCall("accept") { bh_accept(number) })
    }

    /// A short path to a name in an open directory, for directories whose own path is too long for an address.
    public static func path(_ name: String, in directory: borrowing Descriptor) -> String {
        "\(directory.procPath)/\(name)"
    }

    /// Sends bytes, at least one, together with a descriptor; `SCM_RIGHTS`.
    public static func send(
        _ descriptor: borrowing Descriptor, with bytes: [UInt8], over socket: borrowing Descriptor
    ) throws(SystemError) {
        let (number, sent) = (socket.rawValue, descriptor.rawValue)
        try systemCall("send a descriptor") {
            unsafe bytes.withUnsafeBytes { unsafe bh_send_descriptors(number, $0.baseAddress, $0.count, [sent], 1) }
        }
    }

    /// Receives up to 4 KiB and the descriptor that came along, if one did.
    public static func receive(
        from socket: borrowing Descriptor, descriptor: inout Descriptor?
    ) throws(SystemError) -> [UInt8] {
        let number = socket.rawValue
        var received: CInt = -1
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = try systemCall("receive a descriptor") {
            unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe bh_receive_descriptor(number, buffer.baseAddress, buffer.count, &received)
            }
        }
        if received >= 0 { descriptor = Descriptor(owning: received) }
        return Array(bytes.prefix(count))
    }

    private static func make(_ kind: Kind) throws(SystemError) -> Descriptor {
        Descriptor(owning: try systemCall("socket") { bh_unix_socket(kind.rawValue) })
    }
}
