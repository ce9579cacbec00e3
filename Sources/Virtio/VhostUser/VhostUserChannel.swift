import CLinux
import CVirtio
import Linux

/// Messages of vhost-user on a connected stream socket, each within a time.
final class VhostUserChannel: Sendable {
    let socket: Descriptor
    /// How long the kernel lets a call wait; then it is looked at whether there is time for more.
    private static let slice: UInt32 = 200

    init(_ socket: consuming Descriptor) throws(SystemError) {
        let number = socket.rawValue
        try systemCall("make the socket blocking") { bh_set_blocking(number) }
        try systemCall("set the socket's timeout") { bh_set_socket_timeout(number, Self.slice) }
        self.socket = socket
    }

    /// Ends the connection. Whoever watches the socket hears of it.
    func shut() { _ = bh_shut_both(socket.rawValue) }

    /// - Parameter deadline: a moment of the monotonic clock, in nanoseconds.
    func send(
        _ header: VhostUserHeader, _ payload: [UInt8], _ descriptors: [CInt], deadline: UInt64
    ) throws(VhostUserError) {
        let message = header.bytes + payload
        while true {
            let count = unsafe message.withUnsafeBytes { bytes in
                unsafe descriptors.withUnsafeBufferPointer {
                    unsafe bh_send_descriptors(
                        socket.rawValue, bytes.baseAddress, bytes.count, $0.baseAddress, $0.count)
                }
            }
            if count == message.count { return }
            // Less is taken of no message as short as these.
            if count >= 0 { throw VhostUserError(header.request, .timedOut) }
            try wait(.current, header.request, deadline)
        }
    }

    /// The payload of the answer to a request.
    func answer(
        to request: VhostUserRequest, count: Int, deadline: UInt64
    ) throws(VhostUserError) -> [UInt8] {
        let header = VhostUserHeader(try receive(VhostUserHeader.size, request, deadline))
        if let fault = header.fault(answering: request, count: count) { throw VhostUserError(request, .answer(fault)) }
        return try receive(count, request, deadline)
    }

    private func receive(
        _ count: Int, _ request: VhostUserRequest, _ deadline: UInt64
    ) throws(VhostUserError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            var hasDescriptors: CInt = 0
            let got = unsafe bytes.withUnsafeMutableBytes {
                unsafe bh_receive_bare(socket.rawValue, $0.baseAddress! + done, count - done, &hasDescriptors)
            }
            if hasDescriptors != 0 { throw VhostUserError(request, .answer("descriptors came with the answer")) }
            if got > 0 {
                done += got
                // A backend that sends byte by byte gets no more time than another.
                if done < count, Timer.now >= deadline { throw VhostUserError(request, .timedOut) }
            } else if got == 0 {
                throw VhostUserError(request, .closed)
            } else {
                try wait(.current, request, deadline)
            }
        }
        return bytes
    }

    /// Returns where a call that failed so may be made again.
    private func wait(_ errno: Errno, _ request: VhostUserRequest, _ deadline: UInt64) throws(VhostUserError) {
        switch errno {
        case .wouldBlock, .interrupted:
            if Timer.now >= deadline { throw VhostUserError(request, .timedOut) }
        case .brokenPipe, .connectionReset: throw VhostUserError(request, .closed)
        default: throw VhostUserError(request, .refused(SystemError("speak to the vhost-user backend", errno)))
        }
    }
}
