import CGuestMemory
import CLinux
import CVirtio
import GuestMemory
import Linux

/// A Unix stream socket that carries Ethernet frames, each behind its length: four bytes, the highest first. passt,
/// QEMU's `-netdev stream` and others speak so.
///
/// The socket has no room for what virtio's header says of a frame, so checksums and segmentation are done by who sends.
/// When the far end leaves, or sends what is no frame, the card's link is down; where the stream knows a path, it
/// connects again as soon as somebody is there.
public final class FrameStream: Cable, @unchecked Sendable {
    /// A frame has at least the two addresses and the type.
    static let lengths = 14...65550
    private static let prefixSize = 4
    /// Nanoseconds between attempts to connect.
    private static let retryTime: UInt64 = 500_000_000

    // Guarded by the card's lock.
    private var socket: Descriptor?
    private let path: String?
    private let timer: Timer
    private var host: DeviceHost?
    private var token: UInt32 = 0

    /// Bytes that came: whole frames, and then the beginning of one. It has room for two of the largest.
    private var incoming: [UInt8]
    private var start = 0
    private var end = 0
    /// A frame of the guest's behind its length.
    private let framed = VectorList()
    /// The rest of a frame of which a part was sent.
    private var outgoing: [UInt8] = []
    private var sent = 0

    /// Takes a connected stream socket over.
    public convenience init(_ socket: consuming Descriptor) throws(SystemError) {
        try self.init(socket, path: nil)
    }

    /// Connects to the socket at a path, and again when the connection ends.
    ///
    /// - Throws: where nobody listens there, and `ENAMETOOLONG` for a path over 107 bytes.
    public convenience init(connectingTo path: String) throws(SystemError) {
        try self.init(try UnixSocket.connect(to: path), path: path)
    }

    private init(_ socket: consuming Descriptor, path: String?) throws(SystemError) {
        let number = socket.rawValue
        try systemCall("make the socket non-blocking") { bh_set_nonblocking(number) }
        timer = try Timer()
        incoming = [UInt8](repeating: 0, count: 2 * (FrameStream.prefixSize + FrameStream.lengths.upperBound))
        self.path = path
        self.socket = consume socket
    }

    var isConnected: Bool { socket != nil }

    // MARK: - Connection

    func watch(_ host: DeviceHost, token: UInt32) throws(DeviceFault) {
        self.host = host
        self.token = token
        if path != nil { try host.watch(timer.descriptor, for: [.readable, .edgeTriggered], token: token) }
        try watchSocket()
        if !isConnected { retryLater() }
    }

    func unwatch(_ host: DeviceHost) {
        self.host = nil
        host.unwatch(timer.descriptor)
        timer.set(after: 0)
        if socket != nil { host.unwatch(socket!) }
    }

    func wake() throws(DeviceFault) {
        guard !isConnected, host != nil, let path else { return }
        guard let new = try? UnixSocket.connect(to: path, nonBlocking: true) else { return retryLater() }
        socket = consume new
        try watchSocket()
    }

    private func watchSocket() throws(DeviceFault) {
        guard let host, socket != nil else { return }
        try host.watch(socket!, for: [.readable, .writable, .edgeTriggered], token: token)
    }

    private func retryLater() { if path != nil { timer.set(after: FrameStream.retryTime) } }

    /// The far end is gone, or not to be understood any more.
    private func disconnect() {
        // Another process may have the same socket, so that closing it would not end its events.
        if socket != nil { host?.unwatch(socket!) }
        socket = nil
        (start, end) = (0, 0)
        outgoing = []
        retryLater()
    }

    // MARK: - To the guest

    func receive(into vectors: VectorList) -> Int {
        while true {
            if let length = length(at: start) {
                guard FrameStream.lengths.contains(length) else {
                    disconnect()
                    return 0
                }
                let next = start + FrameStream.prefixSize + length
                if next <= end {
                    let frame = start + FrameStream.prefixSize..<next
                    start = next
                    return unsafe incoming.withUnsafeBytes {
                        unsafe vectors.fill($0[frame], behind: Network.headerSize)
                    }
                }
            }
            guard refill() else { return 0 }
        }
    }

    private func length(at place: Int) -> Int? {
        guard end - place >= FrameStream.prefixSize else { return nil }
        return incoming[place..<place + FrameStream.prefixSize].reduce(0) { $0 << 8 | Int($1) }
    }

    /// Reads on, as far as there is room; there is always some where no whole frame is.
    ///
    /// - Returns: false where nothing came.
    private func refill() -> Bool {
        guard let number = socket?.rawValue else { return false }
        let count = unsafe incoming.withUnsafeMutableBytes { bytes in
            let base = bytes.baseAddress!
            if start > 0 {
                unsafe memmove(base, base + start, end - start)
                (start, end) = (0, end - start)
            }
            return unsafe read(number, base + end, bytes.count - end)
        }
        if count > 0 {
            end += count
            return true
        }
        if count == 0 || Errno.current != .wouldBlock { disconnect() }
        return false
    }

    // MARK: - From the guest

    func send(_ vectors: VectorList, _ count: Int) -> Sending {
        guard flush() else { return .blocked }
        let length = count - Network.headerSize
        guard isConnected, FrameStream.lengths.contains(length), vectors.count < VectorList.most else {
            return .refused
        }
        vectors.advance(Network.headerSize)
        return unsafe withUnsafeBytes(of: UInt32(length).bigEndian) { prefix in
            framed.clear()
            unsafe framed.append(iovec(iov_base: UnsafeMutableRawPointer(mutating: prefix.baseAddress), iov_len: 4))
            for index in 0..<vectors.count { unsafe framed.append(vectors.start[index]) }
            return write(framed, FrameStream.prefixSize + length)
        }
    }

    private func write(_ vectors: VectorList, _ count: Int) -> Sending {
        guard let number = socket?.rawValue else { return .refused }
        let written = unsafe bh_send_quietly(number, vectors.start, vectors.callCount)
        if written < 0 {
            if Errno.current == .wouldBlock { return .blocked }
            disconnect()
            return .refused
        }
        if written < count {
            // What follows is of the same frame, whatever the guest does with its buffers.
            vectors.advance(written)
            outgoing = vectors.bytes(count - written)
            sent = 0
            _ = flush()
        }
        return .sent
    }

    func flush() -> Bool {
        while !outgoing.isEmpty, let number = socket?.rawValue {
            let written = unsafe outgoing.withUnsafeMutableBytes { bytes in
                var rest = unsafe iovec(iov_base: bytes.baseAddress! + sent, iov_len: bytes.count - sent)
                return unsafe bh_send_quietly(number, &rest, 1)
            }
            if written > 0 {
                sent += written
                if sent == outgoing.count { outgoing = [] }
            } else if Errno.current == .wouldBlock {
                return false
            } else {
                disconnect()
            }
        }
        return true
    }

    // There is nobody who could do the other's work, and one pair of queues.
    func setOffload(_ offload: Tap.Offload) {}
    func setAttached(_ isAttached: Bool) {}
}

extension VectorList {
    /// Copies bytes in, behind so many zeros.
    ///
    /// - Returns: how many fit, the zeros among them.
    fileprivate func fill(_ bytes: Slice<UnsafeRawBufferPointer>, behind zeros: Int) -> Int {
        let source = unsafe UnsafeRawBufferPointer(rebasing: bytes)
        var done = 0
        for index in 0..<count {
            let vector = unsafe start[index]
            var (target, room) = unsafe (vector.iov_base!, vector.iov_len)
            if done < zeros {
                let length = min(room, zeros - done)
                unsafe bh_fill(target, 0, length)
                unsafe target += length
                room -= length
                done += length
            }
            let length = min(room, source.count + zeros - done)
            guard length > 0 else { continue }
            unsafe bh_copy(target, source.baseAddress! + (done - zeros), length)
            done += length
            if done == zeros + source.count { break }
        }
        return done
    }

    /// The first bytes, `limit` at the most.
    fileprivate func bytes(_ limit: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, done in
            for index in 0..<count where done < limit {
                let vector = unsafe start[index]
                let length = unsafe min(vector.iov_len, limit - done)
                unsafe bh_copy(buffer.baseAddress! + done, vector.iov_base, length)
                done += length
            }
        }
    }
}
