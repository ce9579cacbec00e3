#if arch(x86_64)
    import Glibc
    import Linux

    @testable import Machines

    /// What the protocol's other side does.
    final class DebuggerClient {
        private let socket: Descriptor
        private var decoder = GDBPacketDecoder()
        private var waiting: [UInt8] = []

        init(_ path: String) throws { socket = try UnixSocket.connect(to: path) }

        /// The other side may have gone: a signal would end the tests.
        func send(_ bytes: [UInt8]) throws {
            guard Glibc.send(socket.rawValue, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count
            else { throw Errno.current }
        }

        /// The next packet of the server's.
        func next() throws -> String {
            while true {
                while let byte = waiting.first {
                    waiting.removeFirst()
                    if case .packet(let body) = decoder.take(byte) {
                        try? send([UInt8(ascii: "+")])
                        return String(decoding: body, as: UTF8.self)
                    }
                }
                waiting = try socket.next()
                if waiting.isEmpty { return "(closed)" }
            }
        }

        func ask(_ text: String) throws -> String {
            try send(GDBPacket.encode(Array(text.utf8)))
            return try next()
        }
    }
#endif
