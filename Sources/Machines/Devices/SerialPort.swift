import Linux
import Synchronization
import Virtio

/// A serial port: a 16550A. What the guest sends is kept until ``takeOutput(_:)``; what it is to receive comes by
/// ``receive(_:)``.
public final class SerialPort: BusDevice {
    /// Ports.
    public static let size: UInt64 = 8
    /// What the port can receive before the guest has read it.
    static let fifoSize = 16
    /// What is kept of the guest's output before the guest has to wait.
    static let outputSize = 1 << 16

    /// All that it knows, to be saved with its machine.
    struct State: Hashable, Sendable {
        var received: [UInt8] = []
        /// For the host, and not saved: whoever saved the machine writes it out.
        var output: [UInt8] = []
        var interruptEnable: UInt8 = 0
        var isFIFOEnabled = false
        var lineControl: UInt8 = 0
        var modemControl: UInt8 = 0
        var scratch: UInt8 = 0
        var divisor: UInt16 = 1
        /// The transmitter has room and the guest was not told.
        var isTransmitPending = false
        /// The line to the interrupt controller.
        var isHigh = false
        var counts = PortCounts()
    }

    private let books = Mutex(State())
    private let line: any InterruptLine
    /// Wakes who takes output and gives input: there is output, or room for input.
    private let wake: EventCounter

    /// - Parameters:
    ///   - line: raised when the guest is to look at the port.
    public init(interrupt line: any InterruptLine) throws(SystemError) {
        self.line = line
        wake = try EventCounter()
    }

    /// Lends the descriptor that is readable after there was output, or room for input; ``clearWake()`` ends that.
    public func withWake<Result: ~Copyable, Failure: Error>(
        _ body: (borrowing Descriptor) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(wake.descriptor)
    }

    /// The wake is taken notice of; to be called before looking.
    public func clearWake() { _ = try? wake.take() }

    /// Wakes who waits, for a reason of their own.
    func nudge() { try? wake.add() }

    var state: State {
        get { books.withLock { $0 } }
        set {
            books.withLock { state in
                state = newValue
                update(&state)
            }
        }
    }

    // MARK: - The host's side

    /// Takes up to `count` bytes of what the guest sent.
    public func takeOutput(_ count: Int = outputLimit) -> [UInt8] {
        books.withLock { state in
            let wasFull = state.output.count >= Self.outputSize
            let taken = Array(state.output.prefix(count))
            state.output.removeFirst(taken.count)
            if wasFull && state.output.count < Self.outputSize {
                state.isTransmitPending = true
                update(&state)
            } else if state.isHigh && !taken.isEmpty {
                // A guest that has looked often enough for once, as Linux's driver has after 512 times while another
                // processor goes on writing, would never hear of the port again: there is no edge while the line is up.
                line.raise()
            }
            return taken
        }
    }

    /// The most that ``takeOutput(_:)`` gives when not told otherwise.
    public static let outputLimit = 4096

    /// How many bytes ``receive(_:)`` would take.
    public var room: Int { books.withLock { Self.fifoSize - $0.received.count } }

    /// Gives the guest bytes to receive.
    ///
    /// - Returns: how many the port took; the others are to be given again.
    public func receive(_ bytes: some Collection<UInt8>) -> Int {
        books.withLock { state in
            let taken = bytes.prefix(Self.fifoSize - state.received.count)
            state.received += taken
            update(&state)
            return taken.count
        }
    }

    /// The bytes that went to the guest and came from it; bytes that it wrote when there was no room count as missed.
    public var counts: PortCounts { books.withLock { $0.counts } }

    // MARK: - The guest's side

    // Registers; the UART's data sheet.
    private static let data: UInt64 = 0
    private static let interruptEnable: UInt64 = 1
    private static let interruptIdentification: UInt64 = 2
    private static let lineControl: UInt64 = 3
    private static let modemControl: UInt64 = 4
    private static let lineStatus: UInt64 = 5
    private static let modemStatus: UInt64 = 6
    private static let scratch: UInt64 = 7

    private static let divisorAccess: UInt8 = 0x80
    private static let loopBack: UInt8 = 0x10
    private static let receiveEnable: UInt8 = 1
    private static let transmitEnable: UInt8 = 2

    public func read(_ offset: UInt64, width: Int) -> UInt64 {
        books.withLock { state in
            guard width == 1 else {
                state.counts.missedReads += 1
                return .max
            }
            return UInt64(read(offset, &state))
        }
    }

    public func write(_ offset: UInt64, _ value: UInt64, width: Int) {
        books.withLock { state in
            guard width == 1 else {
                state.counts.missedWrites += 1
                return
            }
            write(offset, UInt8(truncatingIfNeeded: value), &state)
        }
    }

    private func read(_ offset: UInt64, _ state: inout State) -> UInt8 {
        let isDivisor = state.lineControl & Self.divisorAccess != 0
        switch offset {
        case Self.data where isDivisor: return UInt8(truncatingIfNeeded: state.divisor)
        case Self.interruptEnable where isDivisor: return UInt8(truncatingIfNeeded: state.divisor >> 8)
        case Self.data:
            guard !state.received.isEmpty else { return 0 }
            let byte = state.received.removeFirst()
            state.counts.reads += 1
            if state.received.isEmpty { try? wake.add() }
            update(&state)
            return byte
        case Self.interruptEnable: return state.interruptEnable
        case Self.interruptIdentification:
            let cause = cause(state)
            // To read of this cause is to have been told.
            if cause == Self.transmitCause { state.isTransmitPending = false }
            update(&state)
            return cause | (state.isFIFOEnabled ? 0xc0 : 0)
        case Self.lineControl: return state.lineControl
        case Self.modemControl: return state.modemControl
        case Self.lineStatus:
            let canTransmit: UInt8 = state.output.count < Self.outputSize ? 0x60 : 0
            return canTransmit | (state.received.isEmpty ? 0 : 1)
        case Self.modemStatus: return modemStatus(state)
        case Self.scratch: return state.scratch
        default: return 0xff
        }
    }

    private func write(_ offset: UInt64, _ value: UInt8, _ state: inout State) {
        let isDivisor = state.lineControl & Self.divisorAccess != 0
        switch offset {
        case Self.data where isDivisor: state.divisor = state.divisor & 0xff00 | UInt16(value)
        case Self.interruptEnable where isDivisor: state.divisor = state.divisor & 0xff | UInt16(value) << 8
        case Self.data: transmit(value, &state)
        case Self.interruptEnable:
            let begun = value & ~state.interruptEnable
            state.interruptEnable = value & 0xf
            // Whoever begins to ask hears of room that has been there all the time.
            if begun & Self.transmitEnable != 0 { state.isTransmitPending = true }
        case Self.interruptIdentification:
            state.isFIFOEnabled = value & 1 != 0
            if value & 2 != 0, !state.received.isEmpty {
                state.received.removeAll(keepingCapacity: true)
                // Whoever waits for room would wait for ever.
                try? wake.add()
            }
        case Self.lineControl: state.lineControl = value
        case Self.modemControl: state.modemControl = value & 0x1f
        case Self.scratch: state.scratch = value
        default: break
        }
        update(&state)
    }

    private func transmit(_ value: UInt8, _ state: inout State) {
        if state.modemControl & Self.loopBack != 0 {
            if state.received.count < Self.fifoSize { state.received.append(value) }
        } else if state.output.count < Self.outputSize {
            state.output.append(value)
            state.counts.writes += 1
            if state.output.count == 1 { try? wake.add() }
        } else {
            state.counts.missedWrites += 1
        }
        state.isTransmitPending = state.output.count < Self.outputSize
    }

    /// In a loop the modem's lines are what the port itself says; otherwise the other side is there and ready.
    private func modemStatus(_ state: State) -> UInt8 {
        guard state.modemControl & Self.loopBack != 0 else { return 0xb0 }
        let own = state.modemControl
        return (own & 1) << 5 | (own & 2) << 3 | (own & 4) << 4 | (own & 8) << 4
    }

    private static let transmitCause: UInt8 = 2
    private static let receiveCause: UInt8 = 4

    /// The most important reason for an interrupt; 1 for none.
    private func cause(_ state: State) -> UInt8 {
        if !state.received.isEmpty, state.interruptEnable & Self.receiveEnable != 0 { return Self.receiveCause }
        if state.isTransmitPending, state.interruptEnable & Self.transmitEnable != 0 { return Self.transmitCause }
        return 1
    }

    /// Interrupts by the line's rise, and only by that: a guest looks until there is no cause left.
    private func update(_ state: inout State) {
        let isHigh = cause(state) != 1
        if isHigh && !state.isHigh { line.raise() }
        state.isHigh = isHigh
    }
}
