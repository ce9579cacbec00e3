import Glibc
import Linux
import Machines

/// Moves bytes between a console of the guest's, behind two pipes, and either this program's terminal or whoever connects
/// to a socket; in a thread of its own.
///
/// The pipes are there because a device makes its descriptors non-blocking, which would hold for the shell that shares the
/// terminal, too; and because programs come to a socket and go, while a device keeps what it was given.
final class ConsoleRelay: @unchecked Sendable {
    /// Where the relay meets the host.
    enum Place {
        /// Standard input and output.
        case standard
        /// A socket at a path that does not exist yet.
        case socket(String)
    }

    private let toGuest: Descriptor
    private let fromGuest: Descriptor
    private let path: String?
    private let listener: Descriptor?
    private let filter: (@Sendable ([UInt8]) -> [UInt8])?
    private let quit: EventCounter
    private var thread: MachineThread?

    // The thread's own.
    private var input: Descriptor?
    private var output: Descriptor?
    private var forGuest: [UInt8] = []
    private var forHost: [UInt8] = []
    private var isGuestOver = false

    /// - Parameters:
    ///   - toGuest: the end that is written to of the pipe from which the guest gets its input.
    ///   - fromGuest: the end that is read of the pipe into which the guest's output goes.
    ///   - filter: what becomes of input before the guest gets it.
    init(
        _ place: Place, toGuest: consuming Descriptor, fromGuest: consuming Descriptor,
        filter: (@Sendable ([UInt8]) -> [UInt8])?
    ) throws(SystemError) {
        quit = try EventCounter()
        // Both are this process's alone.
        try toGuest.setNonBlocking(true)
        try fromGuest.setNonBlocking(true)
        self.filter = filter
        switch place {
        case .standard:
            input = try .duplicate(of: STDIN_FILENO)
            output = try .duplicate(of: STDOUT_FILENO)
            listener = nil
            path = nil
        case .socket(let name):
            listener = try UnixSocket.listen(at: name, backlog: 1)
            path = name
        }
        self.toGuest = toGuest
        self.fromGuest = fromGuest
    }

    deinit { if let path { unlink(path) } }

    func start(_ confinement: Confinement) throws(SystemError) {
        thread = try MachineThread("console") { [self] in
            do throws(MachineError) { try confinement.confine(.console) } catch { return complain(error.description) }
            run()
        }
    }

    /// Ends it, after what the guest has sent is written, or can't be without waiting.
    func stop() {
        try? quit.add()
        thread?.join()
        thread = nil
    }

    private func run() {
        while !pass() {}
        // The last words of a kernel are what one wants to read.
        while refill(), isReady(output, POLLOUT, 100), flush() {}
    }

    /// One wait and what follows.
    ///
    /// - Returns: whether to stop.
    private func pass() -> Bool {
        let hasPeer = input != nil || output != nil
        var polled = [
            entry(quit.descriptor.rawValue, POLLIN),
            entry(hasPeer ? -1 : Self.number(listener), POLLIN),
            entry(forGuest.isEmpty ? Self.number(input) : -1, POLLIN),
            entry(forGuest.isEmpty ? -1 : toGuest.rawValue, POLLOUT),
            entry(forHost.isEmpty && !isGuestOver ? fromGuest.rawValue : -1, POLLIN),
            entry(forHost.isEmpty ? -1 : Self.number(output), POLLOUT),
        ]
        guard poll(&polled, nfds_t(polled.count), -1) >= 0 else { return Errno.current != .interrupted }
        if polled[0].revents != 0 { return true }
        if polled[1].revents != 0 { accept() }
        if polled[2].revents != 0 { takeInput() }
        if polled[3].revents != 0 { feed() }
        if polled[4].revents != 0 { _ = refill() }
        if polled[5].revents != 0 { _ = flush() }
        return false
    }

    private func entry(_ number: CInt, _ events: CInt) -> pollfd {
        // A negative number is passed over.
        pollfd(fd: number, events: Int16(events), revents: 0)
    }

    private func isReady(_ descriptor: borrowing Descriptor?, _ events: CInt, _ milliseconds: CInt) -> Bool {
        var polled = entry(Self.number(descriptor), events)
        return poll(&polled, 1, milliseconds) > 0
    }

    private func accept() {
        do throws(SystemError) {
            input = try Self.accept(listener)
            output = try Self.duplicate(input)
        } catch {
            // One that has gone again already.
            input = nil
        }
    }

    private static func accept(_ listener: borrowing Descriptor?) throws(SystemError) -> Descriptor? {
        switch listener {
        case .some(let listener):
            let peer = try UnixSocket.accept(on: listener)
            try peer.setNonBlocking(true)
            return peer
        case nil: return nil
        }
    }

    private static func duplicate(_ descriptor: borrowing Descriptor?) throws(SystemError) -> Descriptor? {
        switch descriptor {
        case .some(let descriptor): try descriptor.duplicate()
        case nil: nil
        }
    }

    private func takeInput() {
        switch Self.read(Self.number(input)) {
        case nil: break
        case .some(let bytes) where bytes.isEmpty: hangUp(isInput: true)
        case .some(let bytes): forGuest = filter?(bytes) ?? bytes
        }
        if !forGuest.isEmpty { feed() }
    }

    private func feed() {
        if let count = Self.write(forGuest, toGuest.rawValue) {
            forGuest.removeFirst(count)
        } else {
            // The guest's machine has ended.
            forGuest = []
        }
    }

    /// Takes output of the guest's where none waits; it is lost where nobody is there to see it.
    ///
    /// - Returns: whether some waits now.
    private func refill() -> Bool {
        if forHost.isEmpty, !isGuestOver, let bytes = Self.read(fromGuest.rawValue) {
            isGuestOver = bytes.isEmpty
            if output != nil { forHost = bytes }
        }
        return !forHost.isEmpty
    }

    private func flush() -> Bool {
        guard let count = Self.write(forHost, Self.number(output)) else {
            hangUp(isInput: false)
            return false
        }
        forHost.removeFirst(count)
        return count > 0
    }

    /// One side of the host's is over. A program at a socket is gone then, and the next one may come.
    private func hangUp(isInput: Bool) {
        if isInput || listener != nil { input = nil }
        if !isInput || listener != nil {
            output = nil
            forHost = []
        }
    }

    // MARK: - Bytes

    /// What terminals and pipes take without waiting, when they say that they take something.
    private static let atOnce = 256

    /// nil where there is nothing yet; empty at the end.
    private static func read(_ number: CInt) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = bytes.withUnsafeMutableBytes { Glibc.read(number, $0.baseAddress, $0.count) }
        if count < 0 { return [.interrupted, .wouldBlock].contains(Errno.current) ? nil : [] }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// How many bytes were taken; nil when none ever will be.
    private static func write(_ bytes: [UInt8], _ number: CInt) -> Int? {
        let count = bytes.withUnsafeBytes { Glibc.write(number, $0.baseAddress, min($0.count, atOnce)) }
        if count < 0 { return [.interrupted, .wouldBlock].contains(Errno.current) ? 0 : nil }
        return count
    }

    private static func number(_ descriptor: borrowing Descriptor?) -> CInt {
        switch descriptor {
        case .some(let descriptor): descriptor.rawValue
        case nil: -1
        }
    }
}
