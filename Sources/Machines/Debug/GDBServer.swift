#if arch(x86_64)
    import Glibc
    import GuestMemory
    import KVM
    import Linux
    import Synchronization

    /// Where a debugger reaches a guest. Who can connect there has all of the guest's memory in his hands.
    public enum DebugAddress: Hashable, Sendable {
        /// A Unix socket, which is made: 1 to 107 bytes.
        case path(String)
        /// A TCP port of this host's own address 127.0.0.1; 0 takes one that is free.
        case port(UInt16)
    }

    /// Serves debuggers, one after the other: GDB's remote serial protocol. The guest stands still while one is there
    /// that has stopped it; all processors stop together.
    ///
    /// The first debugger finds the guest before its first instruction. One that comes later stops it.
    final class GDBServer: @unchecked Sendable {
        let memory: GuestMemory
        let lifecycle: Lifecycle
        private let listener: Descriptor
        /// The socket's path, which goes with the server.
        private let path: String?
        /// The port that it listens at.
        let port: UInt16?
        private let arrivals: DebugArrivals
        /// A processor's seat each. Processors may come while a debugger is there.
        private let seats = Mutex<[DebugSeat]>([])
        /// Whether new processors have to wait.
        private let isStanding = Mutex(true)

        init(_ address: DebugAddress, _ memory: GuestMemory, _ lifecycle: Lifecycle) throws(SystemError) {
            self.memory = memory
            self.lifecycle = lifecycle
            let arrivals = try DebugArrivals()
            self.arrivals = arrivals
            switch address {
            case .path(let path):
                listener = try UnixSocket.listen(at: path, backlog: 1)
                self.path = path
                port = nil
            case .port(let wanted):
                var port = wanted
                listener = try Self.listen(&port)
                self.port = port
                path = nil
            }
        }

        deinit { if let path { unlink(path) } }

        private static func listen(_ port: inout UInt16) throws(SystemError) -> Descriptor {
            let wanted = port
            let made = Descriptor(
                owning: try systemCall("socket") { socket(AF_INET, CInt(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) })
            let number = made.rawValue
            var yes: CInt = 1
            setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            try systemCall("bind port \(wanted) of 127.0.0.1") {
                withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(number, $0, size) }
                }
            }
            try systemCall("listen at port \(wanted)") { Glibc.listen(number, 1) }
            try systemCall("getsockname") {
                withUnsafeMutablePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &size) }
                }
            }
            port = UInt16(bigEndian: address.sin_port)
            return made
        }

        /// A seat for one more processor.
        func makeSeat(_ kicker: VCPUKicker) throws(SystemError) -> DebugSeat {
            try isStanding.withLock { (isStanding) throws(SystemError) in
                let seat = try DebugSeat(kicker, lifecycle, arrivals, isHeld: isStanding)
                seats.withLock { $0.append(seat) }
                return seat
            }
        }

        var processors: [DebugSeat] { seats.withLock { $0 } }

        // MARK: - The thread

        /// The thread's body: until the machine has ended.
        func run() {
            while wait(for: listener.rawValue) {
                guard let connection = try? UnixSocket.accept(on: listener) else { continue }
                var yes: CInt = 1
                // Packets are small and are waited for; a Unix socket does not know this.
                setsockopt(connection.rawValue, CInt(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(4))
                // One that does not read must not hold up the machine's end.
                var patience = timeval(tv_sec: 5, tv_usec: 0)
                setsockopt(
                    connection.rawValue, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
                var session = GDBSession(self, connection)
                session.run()
            }
        }

        /// Waits until a descriptor, or a processor that came to its seat, has something to say.
        ///
        /// - Returns: false when the machine has ended.
        func wait(for descriptor: CInt, orArrivals: Bool = false) -> Bool {
            while !lifecycle.isOver {
                var polled = [
                    pollfd(fd: lifecycle.event.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                    pollfd(
                        fd: orArrivals ? arrivals.event.descriptor.rawValue : -1, events: Int16(POLLIN), revents: 0),
                ]
                guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
                if polled[0].revents != 0 { return false }
                if polled[2].revents != 0 { _ = try? arrivals.event.take() }
                if polled[1].revents != 0 || polled[2].revents != 0 { return true }
            }
            return false
        }

        /// Makes all processors come, and waits for them.
        ///
        /// - Returns: false when the machine has ended.
        func stopAll() -> Bool {
            isStanding.withLock { isStanding in
                isStanding = true
                for seat in processors { seat.hold() }
            }
            while processors.contains(where: { !$0.isHere }) {
                guard wait(for: -1, orArrivals: true) else { return false }
            }
            return true
        }

        /// Lets all processors go on.
        func letAllGo() {
            isStanding.withLock { isStanding in
                isStanding = false
                for seat in processors { seat.letGo() }
            }
        }
    }
#endif
