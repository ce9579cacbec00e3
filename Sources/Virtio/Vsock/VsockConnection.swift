import CLinux
import CVirtio
import GuestMemory
import Linux

/// One stream between a Unix socket on the host and a socket in the guest.
final class VsockConnection {
    enum State {
        /// The host's program has connected, and not yet said to which port.
        case greeting
        /// The guest was asked.
        case requested
        /// Bytes flow.
        case established
        /// Nothing more is read from the host; what is buffered still goes out.
        case closing
    }

    /// What the guest has to be told.
    struct Pending: OptionSet {
        let rawValue: UInt8
        static let request = Pending(rawValue: 1)
        static let response = Pending(rawValue: 2)
        static let reset = Pending(rawValue: 4)
        static let shutdown = Pending(rawValue: 8)
        static let creditUpdate = Pending(rawValue: 16)
        static let creditRequest = Pending(rawValue: 32)
    }

    /// How many bytes from the guest are held while the host's program does not read.
    static let bufferSize: UInt32 = 256 << 10

    /// The number by which events find the connection.
    let token: UInt32
    let socket: Descriptor
    var ports: VsockPorts
    var state: State
    var pending: Pending = []
    /// Whether the connection waits in line for the guest's buffers.
    var isQueued = false
    /// The socket is watched by its edges: what was seen and not yet followed to its end.
    var mayRead = true
    var isOver = false
    /// What the guest said it will do no more.
    var guestShutdown: VsockPacket.Shutdown = []
    /// When to give up on an answer: a time of ``Timer/now``.
    var deadline: UInt64?
    /// The host's first line, while it is not complete.
    var greeting: [UInt8] = []

    // Credits: section 5.10.6.3. All counts are modulo 2^32.
    private var guestBuffer: UInt32 = 0
    private var guestForwarded: UInt32 = 0
    private var sent: UInt32 = 0
    private var forwarded: UInt32 = 0
    private var toldForwarded: UInt32 = 0
    private(set) var isCreditWanted = false

    /// Bytes of the guest's that the host's program has not taken yet.
    private(set) var buffered: [UInt8] = []
    private var bufferedStart = 0
    private let vectors = VectorList()

    init(token: UInt32, socket: consuming Descriptor, ports: VsockPorts, state: State) {
        self.token = token
        self.socket = socket
        self.ports = ports
        self.state = state
    }

    /// Bytes that the guest can take.
    var credit: Int {
        let used = sent &- guestForwarded
        return used >= guestBuffer ? 0 : Int(guestBuffer - used)
    }

    var bufferedCount: Int { buffered.count - bufferedStart }

    var hasBuffered: Bool { bufferedCount > 0 }

    /// Whether the guest has to be told before it believes our buffer full.
    var owesCredit: Bool { forwarded &- toldForwarded >= VsockConnection.bufferSize / 2 }

    /// Whether something can be sent to the guest now.
    var hasWork: Bool { !pending.isEmpty || canRead }

    var canRead: Bool {
        state == .established && mayRead && !isOver && !guestShutdown.contains(.receive)
            && (credit > 0 || !isCreditWanted)
    }

    /// Takes the credits that each of the guest's packets tells.
    func update(_ packet: VsockPacket) {
        guestBuffer = packet.bufferSize
        guestForwarded = packet.forwarded
        if credit > 0 { isCreditWanted = false }
    }

    func askForCredit() {
        isCreditWanted = true
        pending.insert(.creditRequest)
    }

    /// A packet to the guest, with this side's credits in it.
    func packet(_ operation: VsockPacket.Operation, to guest: UInt64) -> VsockPacket {
        var packet = VsockPacket(operation, to: guest, ports)
        packet.bufferSize = VsockConnection.bufferSize
        packet.forwarded = forwarded
        toldForwarded = forwarded
        pending.remove(.creditUpdate)
        return packet
    }

    // MARK: - To the guest

    /// Reads from the host's program into the rest of a guest's buffer.
    ///
    /// - Returns: the bytes; 0 at the end, below 0 where there is nothing now.
    func read(_ writer: inout ChainWriter) -> Int {
        vectors.clear()
        var copy = writer
        copy.limit(to: min(credit, 64 << 10))
        var slices = copy
        while let slice = copy.take(upTo: .max) { vectors.append(slice) }
        guard vectors.count > 0 else { return -1 }
        while true {
            let count = unsafe readv(socket.rawValue, vectors.start, vectors.callCount)
            if count > 0 {
                var left = count
                while left > 0, let slice = slices.take(upTo: left) {
                    slice.markWritten(count: slice.count)
                    left -= slice.count
                }
                writer.skip(count)
                sent &+= UInt32(count)
                return count
            }
            if count == 0 { return 0 }
            switch Errno.current {
            case .interrupted: continue
            case .wouldBlock: return -1
            // A socket that broke has come to its end.
            default: return 0
            }
        }
    }

    // MARK: - From the guest

    /// Hands a packet's data on, and keeps what the host's program does not take now.
    ///
    /// - Returns: false where the guest sent more than it may, or the program is gone.
    func write(_ reader: inout ChainReader) -> Bool {
        // No credit was ever as large; and one packet does not keep the loop busy.
        guard reader.count <= Int(VsockConnection.bufferSize) else { return false }
        if !hasBuffered {
            vectors.clear()
            var copy = reader
            while let slice = copy.take(upTo: .max) { vectors.append(slice) }
            while vectors.count > 0 {
                let count = unsafe bh_send_quietly(socket.rawValue, vectors.start, vectors.callCount)
                if count > 0 {
                    vectors.advance(count)
                    reader.skip(count)
                    forwarded &+= UInt32(count)
                } else if Errno.current == .wouldBlock {
                    break
                } else if Errno.current != .interrupted {
                    return false
                }
            }
        }
        guard bufferedCount + reader.count <= Int(VsockConnection.bufferSize) else { return false }
        guard reader.count > 0 else { return true }
        // A program that reads steadily but never all would leave ever more behind it.
        if bufferedStart >= Int(VsockConnection.bufferSize) {
            buffered.removeFirst(bufferedStart)
            bufferedStart = 0
        }
        buffered += reader.read(upTo: reader.count)
        return true
    }

    /// Hands on what was kept.
    ///
    /// - Returns: false where the program is gone.
    func flush() -> Bool {
        while hasBuffered {
            let count = unsafe buffered.withUnsafeMutableBytes { bytes in
                var vector = unsafe iovec(
                    iov_base: bytes.baseAddress! + bufferedStart, iov_len: bytes.count - bufferedStart)
                return unsafe bh_send_quietly(socket.rawValue, &vector, 1)
            }
            if count > 0 {
                bufferedStart += count
                forwarded &+= UInt32(count)
            } else if Errno.current == .wouldBlock {
                return true
            } else if Errno.current != .interrupted {
                return false
            }
        }
        buffered.removeAll(keepingCapacity: true)
        bufferedStart = 0
        return true
    }

    /// Says a line to the host's program: part of the greeting, not of the stream.
    func say(_ line: String) -> Bool {
        var bytes = Array(line.utf8)
        return unsafe bytes.withUnsafeMutableBytes { bytes in
            var vector = unsafe iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
            return unsafe bh_send_quietly(socket.rawValue, &vector, 1) == bytes.count
        }
    }

    /// The guest sends no more, and all it sent is out: the host's program sees the end.
    func closeWriting() { _ = shutdown(socket.rawValue, bh_shut_write()) }
}
