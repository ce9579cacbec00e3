import Linux
import Synchronization
import Virtio

/// A keyboard and the controller before it, an 8042, as guests of Firecracker have them: nobody types, but three keys can
/// be pressed. A guest whose kernel has drivers for both restarts then, or does what its init makes of it.
///
/// There is no mouse. Scan codes are of set 2 and not translated, which the controller's command byte says.
final class Keyboard: BusDevice {
    /// From the port for data to the one for commands; those between are nobody's.
    static let size: UInt64 = AddressMap.keyboardCommand - AddressMap.keyboardData + 1
    private static let data: UInt64 = 0
    private static let command: UInt64 = AddressMap.keyboardCommand - AddressMap.keyboardData
    /// Bytes that wait for the guest. What comes when there is no room is lost, as on a keyboard.
    static let mostWaiting = 32

    private static let pulseReset: UInt8 = 0xfe
    private static let acknowledge: UInt8 = 0xfa
    // Bits of the status.
    private static let outputFull: UInt8 = 1 << 0
    private static let systemFlag: UInt8 = 1 << 2
    private static let unlocked: UInt8 = 1 << 4
    // Bits of the command byte.
    private static let interruptEnable: UInt8 = 1 << 0
    private static let passed: UInt8 = 1 << 2
    private static let clockDisabled: UInt8 = 1 << 4
    private static let mouseDisabled: UInt8 = 1 << 5

    /// All that it knows, to be saved with its machine.
    struct State: Hashable, Sendable {
        var waiting: [UInt8] = []
        var commandByte = interruptEnable | passed | mouseDisabled
        /// A command of the controller's that waits for its byte.
        var controllerCommand: UInt8?
        /// A command of the keyboard's that waits for its byte.
        var keyboardCommand: UInt8?
        var counts = PortCounts()
    }

    private let lifecycle: Lifecycle
    private let line: any InterruptLine
    private let books = Mutex(State())

    init(_ lifecycle: Lifecycle, interrupt line: any InterruptLine) {
        self.lifecycle = lifecycle
        self.line = line
    }

    var state: State {
        get { books.withLock { $0 } }
        set { books.withLock { $0 = newValue } }
    }

    /// Presses Ctrl, Alt and Del, and lets them go.
    func pressControlAltDelete() {
        books.withLock { state in
            guard state.commandByte & Self.clockDisabled == 0 else { return }
            let pressed: [UInt8] = [0x14, 0x11, 0xe0, 0x71]
            let released: [UInt8] = [0xe0, 0xf0, 0x71, 0xf0, 0x11, 0xf0, 0x14]
            give(pressed + released, &state)
        }
    }

    func read(_ offset: UInt64, width: Int) -> UInt64 {
        books.withLock { state in
            guard width == 1, offset == Self.data || offset == Self.command else {
                state.counts.missedReads += 1
                return .max
            }
            state.counts.reads += 1
            switch offset {
            case Self.data:
                guard !state.waiting.isEmpty else { return 0 }
                let byte = state.waiting.removeFirst()
                if !state.waiting.isEmpty { interrupt(state) }
                return UInt64(byte)
            case Self.command:
                return UInt64(Self.systemFlag | Self.unlocked | (state.waiting.isEmpty ? 0 : Self.outputFull))
            default: return .max
            }
        }
    }

    func write(_ offset: UInt64, _ value: UInt64, width: Int) {
        let byte = UInt8(truncatingIfNeeded: value)
        books.withLock { state in
            guard width == 1, offset == Self.data || offset == Self.command else {
                state.counts.missedWrites += 1
                return
            }
            state.counts.writes += 1
            switch offset {
            case Self.command: command(byte, &state)
            case Self.data: data(byte, &state)
            default: break
            }
        }
    }

    private func command(_ byte: UInt8, _ state: inout State) {
        state.controllerCommand = nil
        switch byte {
        case 0x20: give([state.commandByte], &state)
        // To write the command byte, the output port, and either's buffer.
        case 0x60, 0xd1, 0xd2, 0xd3: state.controllerCommand = byte
        // The output port: no reset, and the address line 20 open.
        case 0xd0: give([0x03 | (state.waiting.isEmpty ? 0 : 0x10)], &state)
        // The mouse's wire is dead, the keyboard's is well, and so is the controller.
        case 0xa9: give([0x01], &state)
        case 0xab: give([0x00], &state)
        case 0xaa: give([0x55], &state)
        case 0xa7: state.commandByte |= Self.mouseDisabled
        case 0xa8: state.commandByte &= ~Self.mouseDisabled
        case 0xad: state.commandByte |= Self.clockDisabled
        case 0xae: state.commandByte &= ~Self.clockDisabled
        case Self.pulseReset: reset(&state)
        default: break
        }
    }

    private func data(_ byte: UInt8, _ state: inout State) {
        guard let command = state.controllerCommand else { return tellKeyboard(byte, &state) }
        state.controllerCommand = nil
        switch command {
        case 0x60: state.commandByte = byte
        // Its lowest bit is the processor's reset, which is there when it is zero.
        case 0xd1: if byte & 1 == 0 { reset(&state) }
        case 0xd2: give([byte], &state)
        // A mouse's byte would be marked as one; this tells a driver that there is no mouse.
        default: give([~byte], &state)
        }
    }

    private func reset(_ state: inout State) {
        state.counts.resets += 1
        lifecycle.end(.reset)
    }

    var counts: PortCounts { books.withLock { $0.counts } }

    private func tellKeyboard(_ byte: UInt8, _ state: inout State) {
        if let command = state.keyboardCommand {
            state.keyboardCommand = nil
            // Asked for its set of scan codes by a zero.
            return give(command == 0xf0 && byte == 0 ? [Self.acknowledge, 0x02] : [Self.acknowledge], &state)
        }
        switch byte {
        case 0xee: give([byte], &state)
        // Lights, set of scan codes, rate of repetition: each with a byte of its own.
        case 0xed, 0xf0, 0xf3:
            state.keyboardCommand = byte
            give([Self.acknowledge], &state)
        // Who it is: a keyboard of the usual kind.
        case 0xf2: give([Self.acknowledge, 0xab, 0x83], &state)
        // Reset, and that the test was passed.
        case 0xff: give([Self.acknowledge, 0xaa], &state)
        default: give([Self.acknowledge], &state)
        }
    }

    private func give(_ bytes: [UInt8], _ state: inout State) {
        guard state.waiting.count + bytes.count <= Self.mostWaiting else { return }
        let wasEmpty = state.waiting.isEmpty
        state.waiting += bytes
        if wasEmpty { interrupt(state) }
    }

    private func interrupt(_ state: State) {
        if state.commandByte & Self.interruptEnable != 0 { line.raise() }
    }
}
