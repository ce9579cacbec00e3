import Linux
import Synchronization

/// A level-triggered interrupt line.
protocol LevelLine: AnyObject, Sendable {
    /// It does not fail: the line is there as long as the machine is.
    func set(_ isHigh: Bool)
}

/// The registers behind the guest's event device: what happened, and what is there now. Each is of 32 bits, and is read
/// and written whole; the guest writes the last of the table only.
///
/// | offset | |
/// |---|---|
/// | 0x00 | ``Events`` since the last read, which takes them and lowers the interrupt's line |
/// | 0x04 | processors that are there, a bit each |
/// | 0x08 | processors that came since the last read |
/// | 0x0c | pieces of memory that are there |
/// | 0x10 | pieces of memory that came since the last read |
/// | 0x14 | places for virtio devices that are taken |
/// | 0x18 | places where a device came or went since the last read |
/// | 0x1c | places whose device is asked for, since the last read: the guest is to let go of it |
/// | 0x20 | a write of a place's number takes its device away, if it was asked for |
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
        var changedDevices: UInt32 = 0
        /// Devices that the guest was asked for and has not let go of.
        var leavingDevices: UInt32 = 0
        /// Those of them that it has not heard of.
        var newRequests: UInt32 = 0
    }

    /// A piece of memory.
    struct Piece: Hashable, Sendable {
        var start: UInt64
        var size: UInt64
    }

    private static let ejectOffset: UInt64 = 0x20

    private let books: Mutex<State>
    private let line: any LevelLine
    private let gone = Mutex<UInt32>(0)
    /// Readable while devices that the guest let go of were not yet taken by ``takeGone()``.
    let departures: EventCounter

    /// - Parameters:
    ///   - processors: how many are there from the beginning.
    ///   - devices: how many places for devices are taken then, the first ones.
    init(processors: Int, devices: Int = 0, line: any LevelLine) throws(SystemError) {
        var state = State()
        for index in 0..<processors { state.processors |= 1 << UInt32(index) }
        for index in 0..<devices { state.devices |= 1 << UInt32(index) }
        books = Mutex(state)
        self.line = line
        departures = try EventCounter()
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

    /// - Parameter index: the number of its place, 0 to 31.
    func add(device index: Int) {
        happen(.devices) {
            $0.devices |= 1 << UInt32(index)
            $0.changedDevices |= 1 << UInt32(index)
        }
    }

    /// Asks the guest to let go of a device; each time anew.
    func ask(forDevice index: Int) {
        happen(.devices) {
            $0.leavingDevices |= 1 << UInt32(index)
            $0.newRequests |= 1 << UInt32(index)
        }
    }

    /// Takes away a device that nobody drives, and tells the guest that its place is empty.
    func remove(device index: Int) {
        letGo(1 << UInt32(index), ifAsked: false, telling: true)
    }

    /// A driver has let go of a device: if it was asked to, the device goes.
    func wasReset(device index: Int) {
        letGo(1 << UInt32(index), ifAsked: true, telling: true)
    }

    /// Places whose device went since the last call; no longer ``departures``.
    func takeGone() -> UInt32 {
        gone.withLock { places in
            // It is asked for with each request of the API's.
            if places != 0 { _ = try? departures.take() }
            return Self.take(&places)
        }
    }

    /// Takes a device away: looked at and done in one step, as another processor may be about to do the same, and the
    /// place may have another device right after.
    private func letGo(_ place: UInt32, ifAsked: Bool, telling: Bool) {
        books.withLock { state in
            guard !ifAsked || state.leavingDevices & place != 0 else { return }
            state.devices &= ~place
            state.leavingDevices &= ~place
            state.newRequests &= ~place
            gone.withLock {
                $0 |= place
                try? departures.add()
            }
            guard telling else { return }
            state.changedDevices |= place
            happen(.devices, &state)
        }
    }

    /// Says that the virtual machine has another generation id than before.
    func notifyGeneration() { happen(.generation) { _ in } }

    private func happen(_ event: Events, _ change: (inout State) -> Void) {
        books.withLock { state in
            change(&state)
            happen(event, &state)
        }
    }

    /// With the books in hand, so that a read at the same time does not lower the line behind this.
    private func happen(_ event: Events, _ state: inout State) {
        state.events |= event.rawValue
        line.set(true)
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
            case 0x18: return UInt64(Self.take(&state.changedDevices))
            case 0x1c: return UInt64(Self.take(&state.newRequests))
            case Self.firstSlot...: return Self.slot(state.memory, offset - Self.firstSlot)
            default: return 0
            }
        }
    }

    /// What nobody asked for stays: a guest does not take its machine apart.
    func write(_ offset: UInt64, _ value: UInt64, width: Int) {
        guard width == 4, offset == Self.ejectOffset, value < 32 else { return }
        letGo(1 << UInt32(value), ifAsked: true, telling: false)
    }

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
