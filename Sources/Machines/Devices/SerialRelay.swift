import Glibc
import Linux
import Synchronization
import Virtio

/// What a serial port leads to on the host.
public struct SerialEnds: ~Copyable, Sendable {
    /// Where the guest's input comes from: anything that can be read. nil for none.
    public var input: Descriptor?
    /// Where the guest's output goes: anything that can be written to. nil drops it.
    public var output: Descriptor?
    /// How many bytes of output there may be in how much time; those beyond are lost. nil for as many as there are.
    public var outputLimit: TokenBucket?
    /// What becomes of input before the guest gets it, as where a terminal has an escape sequence.
    public var filter: (@Sendable ([UInt8]) -> [UInt8])?

    public init(
        input: consuming Descriptor? = nil, output: consuming Descriptor? = nil,
        filter: (@Sendable ([UInt8]) -> [UInt8])? = nil
    ) {
        self.input = input
        self.output = output
        self.filter = filter
    }
}

/// Moves bytes between a serial port and the host, in a thread of its own, so that no vCPU waits for a terminal.
///
/// Neither end becomes non-blocking: other processes share them, and would be surprised. Each is read or written only
/// when `poll(2)` says so, and written to in small pieces.
final class SerialRelay: @unchecked Sendable {
    let port: SerialPort
    private let input: Descriptor?
    private let output: Descriptor?
    private let filter: (@Sendable ([UInt8]) -> [UInt8])?
    private let quit: EventCounter
    private let gate: PauseGate
    private var limit: TokenBucket?

    /// Bytes of output that were over the limit.
    let lost = Atomic<UInt64>(0)
    /// How often the host refused output.
    let refused = Atomic<UInt64>(0)

    // The thread's own.
    private var forGuest: [UInt8] = []
    private var fromGuest: [UInt8] = []
    private var isInputOver = false
    private var isOutputOver = false

    init(_ port: SerialPort, _ ends: consuming SerialEnds, _ gate: PauseGate) throws(SystemError) {
        self.port = port
        self.gate = gate
        quit = try EventCounter()
        filter = ends.filter
        limit = ends.outputLimit
        input = ends.input.take()
        output = ends.output.take()
    }

    /// Makes ``run()`` return, after what the guest has sent is written, or can't be without waiting.
    func stop() { try? quit.add() }

    /// Makes the thread look at the gate.
    func nudge() { port.nudge() }

    /// The thread's body.
    func run() {
        isInputOver = input == nil
        isOutputOver = output == nil
        repeat {
            if gate.isClosed { gate.waitWhileClosed() }
        } while !pass()
        // The last words of a kernel are what one wants to read.
        while refill(), writableNow, flush() {}
    }

    /// One wait and what follows.
    ///
    /// - Returns: whether to stop.
    private func pass() -> Bool {
        _ = refill()
        let wantsInput = !isInputOver && forGuest.isEmpty && port.room > 0
        var polled = [
            pollfd(fd: quit.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            port.withWake { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) },
            // A negative number is passed over.
            pollfd(fd: wantsInput ? Self.number(input) : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: fromGuest.isEmpty ? -1 : Self.number(output), events: Int16(POLLOUT), revents: 0),
        ]
        guard poll(&polled, nfds_t(polled.count), -1) >= 0 else { return Errno.current != .interrupted }
        if polled[0].revents != 0 { return true }
        if polled[1].revents != 0 { port.clearWake() }
        if polled[2].revents != 0 { readInput() }
        feed()
        if polled[3].revents != 0 { _ = flush() }
        return false
    }

    /// Takes output from the port where none waits.
    ///
    /// - Returns: whether some waits now.
    private func refill() -> Bool {
        guard fromGuest.isEmpty else { return true }
        // Where bytes are lost it is all there are: the port wakes nobody for those that it keeps.
        let losesSome = isOutputOver || limit != nil
        fromGuest = port.takeOutput(losesSome ? SerialPort.outputSize : SerialPort.outputLimit)
        if isOutputOver { fromGuest = [] }
        loseExcess()
        return !fromGuest.isEmpty
    }

    private func loseExcess() {
        guard limit != nil, !fromGuest.isEmpty else { return }
        let count = UInt64(fromGuest.count)
        let kept = limit?.takeSome(count, now: monotonicNanoseconds()) ?? count
        fromGuest.removeLast(Int(count - kept))
        lost.add(count - kept, ordering: .relaxed)
    }

    private var writableNow: Bool {
        var polled = pollfd(fd: Self.number(output), events: Int16(POLLOUT), revents: 0)
        return poll(&polled, 1, 100) > 0
    }

    /// Writes what one write takes.
    ///
    /// - Returns: whether it took something.
    private func flush() -> Bool {
        let number = Self.number(output)
        let count = fromGuest.withUnsafeBytes { write(number, $0.baseAddress, min($0.count, Self.atOnce)) }
        if count > 0 {
            fromGuest.removeFirst(count)
            return true
        }
        let error = Errno.current
        if error == .interrupted || error == .wouldBlock { return false }
        // A reader that is gone takes the guest's words with it, and the guest goes on.
        isOutputOver = true
        refused.add(1, ordering: .relaxed)
        fromGuest = []
        return false
    }

    /// What terminals and pipes take without waiting, when they say that they take something.
    private static let atOnce = 256

    private func readInput() {
        var bytes = [UInt8](repeating: 0, count: 256)
        let number = Self.number(input)
        let count = bytes.withUnsafeMutableBytes { read(number, $0.baseAddress, $0.count) }
        if count > 0 {
            bytes.removeLast(bytes.count - count)
            forGuest += filter?(bytes) ?? bytes
        } else if count == 0 || ![.interrupted, .wouldBlock].contains(Errno.current) {
            isInputOver = true
        }
    }

    private func feed() {
        guard !forGuest.isEmpty else { return }
        forGuest.removeFirst(port.receive(forGuest))
    }

    private static func number(_ descriptor: borrowing Descriptor?) -> CInt {
        switch descriptor {
        case .some(let descriptor): descriptor.rawValue
        case nil: -1
        }
    }
}
