import Synchronization

/// A level-triggered interrupt line.
protocol LevelLine: AnyObject, Sendable {
    /// It does not fail: the line is there as long as the machine is.
    func set(_ isHigh: Bool)
}

/// The registers behind the guest's event device: what happened, and what is there now. Each is of 32 bits, and is read
/// whole; the guest writes none.
///
/// | offset | |
/// |---|---|
/// | 0x00 | ``Events`` since the last read, which takes them and lowers the interrupt's line |
/// | 0x04 | processors that are there, a bit each |
/// | 0x08 | processors that came since the last read |
/// | 0x0c | pieces of memory that are there |
/// | 0x10 | pieces of memory that came since the last read |
/// | 0x14 | places for virtio devices that are taken |
/// | 0x40 + 24 N | of piece N: the first address, the last, and the size, 64 bits each |
///
/// The line stays high until the guest has read what happened: what comes before its driver is there is not lost.
final class HotplugController: BusDevice {
    static let size: UInt64 = 0x1000
    static let firstSlot: UInt64 = 0x40
    static let slotSize: UInt64 = 24

    /// What may happen.
    struct Events: OptionSet, Hashable {
        let rawValue: UInt32

        static let processors = Events(rawValue: 1 << 0)
        static let memory = Events(rawValue: 1 << 1)
        static let devices = Events(rawValue: 1 << 2)
        /// The virtual machine was restored from a snapshot: it may have a twin.
        static let generation = Events(rawValue: 1 << 3)
    }

    /// All that it knows, to be saved with its machine. The level of the line is the interrupt controllers' to save.
    struct State: Hashable, Sendable {
        var events: UInt32 = 0
        var processors: UInt32 = 0
        var newProcessors: UInt32 = 0
        var memory: [Piece] = []
        var newMemory: UInt32 = 0
        var devices: UInt32 = 0
    }

    /// A piece of memory.
    struct Piece: Hashable, Sendable {
        var start: UInt64
        var size: UInt64
    }

    private let books: Mutex<State>
    private let line: any LevelLine

    init(processors: Int, line: any LevelLine) {
        var state = State()
        for index in 0..<processors { state.processors |= 1 << UInt32(index) }
        books = Mutex(state)
        self.line = line
    }

    // MARK: - The machine's side

    var state: State {
        get { books.withLock { $0 } }
        set { books.withLock { $0 = newValue } }
    }

    /// - Parameter index: 0 to 31.
    func add(processor index: Int) {
        happen(.processors) {
            $0.processors |= 1 << UInt32(index)
            $0.newProcessors |= 1 << UInt32(index)
        }
    }

    /// - Precondition: fewer than ``HotplugPlan/mostMemorySlots`` are there.
    func add(memory piece: Piece) {
        happen(.memory) {
            precondition($0.memory.count < HotplugPlan.mostMemorySlots, "there is a slot")
            $0.newMemory |= 1 << UInt32($0.memory.count)
            $0.memory.append(piece)
        }
    }

    /// - Parameter index: of the places that were empty at first.
    func add(device index: Int) { happen(.devices) { $0.devices |= 1 << UInt32(index) } }

    /// Says that the virtual machine has another generation id than before.
    func notifyGeneration() { happen(.generation) { _ in } }

    private func happen(_ event: Events, _ change: (inout State) -> Void) {
        books.withLock { state in
            change(&state)
            state.events |= event.rawValue
            // Inside, so that a read at the same time does not lower it behind this.
            line.set(true)
        }
    }

    // MARK: - The guest's side

    func read(_ offset: UInt64, width: Int) -> UInt64 {
        guard width == 4, offset % 4 == 0 else { return 0 }
        return books.withLock { state in
            switch offset {
            case 0x00:
                line.set(false)
                return UInt64(Self.take(&state.events))
            case 0x04: return UInt64(state.processors)
            case 0x08: return UInt64(Self.take(&state.newProcessors))
            case 0x0c: return (1 << UInt64(state.memory.count)) - 1
            case 0x10: return UInt64(Self.take(&state.newMemory))
            case 0x14: return UInt64(state.devices)
            case Self.firstSlot...: return Self.slot(state.memory, offset - Self.firstSlot)
            default: return 0
            }
        }
    }

    func write(_ offset: UInt64, _ value: UInt64, width: Int) {}

    private static func take(_ bits: inout UInt32) -> UInt32 {
        let value = bits
        bits = 0
        return value
    }

    private static func slot(_ memory: [Piece], _ offset: UInt64) -> UInt64 {
        let index = Int(offset / slotSize)
        guard index < memory.count else { return 0 }
        let piece = memory[index]
        let value = [piece.start, piece.start + (piece.size - 1), piece.size][Int(offset % slotSize / 8)]
        return offset % 8 == 0 ? value & 0xffff_ffff : value >> 32
    }
}
