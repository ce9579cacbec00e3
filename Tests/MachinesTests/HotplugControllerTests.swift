import Glibc
import Synchronization
import Testing

@testable import Machines

@Suite struct HotplugControllerTests {
    private final class Line: LevelLine {
        let changes = Mutex<[Bool]>([])
        func set(_ isHigh: Bool) { changes.withLock { $0.append(isHigh) } }
        var isHigh: Bool { changes.withLock { $0.last ?? false } }
    }

    private let line = Line()
    private let controller: HotplugController

    init() throws { controller = try HotplugController(processors: 2, line: line) }

    private func read(_ offset: UInt64) -> UInt64 { controller.read(offset, width: 4) }
    private func slot(_ index: UInt64) -> [UInt64] {
        var words: [UInt64] = []
        for word: UInt64 in 0..<6 { words.append(read(0x40 + 24 * index + 4 * word)) }
        return words
    }

    @Test func nothingHappensByItself() {
        #expect(line.changes.withLock { $0 }.isEmpty)
        #expect(read(0x00) == 0)
        #expect(read(0x04) == 0b11)
        for offset: UInt64 in [0x08, 0x0c, 0x10, 0x14, 0x40, 0x58] { #expect(read(offset) == 0) }
    }

    @Test func theLineIsHighUntilTheEventsAreTaken() {
        controller.add(processor: 2)
        controller.notifyGeneration()
        #expect(line.isHigh)
        #expect(read(0x00) == 0b1001)
        #expect(!line.isHigh)
        #expect(read(0x00) == 0)
        // What is there stays, what is new is new once.
        #expect(read(0x04) == 0b111)
        #expect(read(0x08) == 0b100)
        #expect(read(0x08) == 0)
    }

    @Test func aPieceOfMemoryHasAPlace() {
        controller.add(memory: .init(start: 0x1_0000_0000, size: 128 << 20))
        controller.add(memory: .init(start: 0x1_0800_0000, size: 0x1_2000_0000))
        #expect(read(0x00) == 0b10)
        #expect(read(0x0c) == 0b11)
        #expect(read(0x10) == 0b11)
        #expect(slot(0) == [0, 1, 0x07ff_ffff, 1, 0x0800_0000, 0])
        #expect(slot(1) == [0x0800_0000, 1, 0x27ff_ffff, 2, 0x2000_0000, 1])
        #expect(read(0x70) == 0)
    }

    @Test func aPlaceForADeviceIsTaken() {
        controller.add(device: 18)
        #expect(read(0x00) == 0b100)
        #expect(read(0x14) == 1 << 18)
        #expect(read(0x18) == 1 << 18)
        #expect(read(0x18) == 0)
    }

    private var hasDepartures: Bool {
        var polled = pollfd(fd: controller.departures.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) == 1
    }

    @Test func aDeviceGoesWhenItsDriverLetsGo() {
        controller.add(device: 2)
        controller.add(device: 3)
        _ = (read(0x00), read(0x18))
        // Drivers reset devices for other reasons, too.
        controller.wasReset(device: 2)
        #expect(read(0x14) == 0b1100 && !line.isHigh && !hasDepartures)
        controller.ask(forDevice: 2)
        #expect(line.isHigh && read(0x00) == 0b100)
        #expect(read(0x1c) == 0b100)
        #expect(read(0x1c) == 0)
        // Again, as the guest may not have listened.
        controller.ask(forDevice: 2)
        #expect(read(0x00) == 0b100 && read(0x1c) == 0b100)
        #expect(read(0x14) == 0b1100 && controller.takeGone() == 0)
        controller.wasReset(device: 3)
        #expect(read(0x14) == 0b1100)
        controller.wasReset(device: 2)
        #expect(read(0x14) == 0b1000)
        #expect(hasDepartures)
        #expect(line.isHigh && read(0x00) == 0b100 && read(0x18) == 0b100 && read(0x1c) == 0)
        #expect(controller.takeGone() == 0b100)
        #expect(controller.takeGone() == 0 && !hasDepartures)
        // The next one there was not asked for.
        controller.add(device: 2)
        controller.wasReset(device: 2)
        #expect(read(0x14) == 0b1100)
    }

    @Test func aDeviceGoesWhenItIsEjected() {
        controller.add(device: 0)
        controller.add(device: 31)
        controller.ask(forDevice: 31)
        _ = (read(0x00), read(0x18))
        controller.write(0x20, 31, width: 4)
        // The guest knows: nothing is said to it of that.
        #expect(read(0x14) == 1 && read(0x18) == 0 && read(0x1c) == 0 && !line.isHigh)
        #expect(controller.takeGone() == 1 << 31)
        // What is not there, what is no place, and what nobody asked for.
        for value: UInt64 in [31, 1, 32, 1 << 32, .max, 0] { controller.write(0x20, value, width: 4) }
        controller.ask(forDevice: 0)
        for width in [1, 2, 8] { controller.write(0x20, 0, width: width) }
        #expect(read(0x14) == 1 && !hasDepartures)
        controller.write(0x20, 0, width: 4)
        #expect(read(0x14) == 0 && controller.takeGone() == 1)
    }

    @Test func otherAccessesTakeNothing() {
        controller.add(device: 0)
        for width in [1, 2, 8] { #expect(controller.read(0, width: width) == 0) }
        #expect(controller.read(2, width: 4) == 0)
        for offset: UInt64 in stride(from: 0, to: 0x1000, by: 4) where offset != 0x20 {
            controller.write(offset, .max, width: 4)
        }
        for offset: UInt64 in stride(from: 0x1c, to: 0x1000, by: 4) { #expect(read(offset) == 0) }
        #expect(line.isHigh)
        #expect(read(0) == 0b100)
    }

    @Test func itsStateIsTakenUp() throws {
        controller.add(processor: 5)
        controller.add(memory: .init(start: 0x1_0000_0000, size: 128 << 20))
        controller.add(device: 4)
        controller.ask(forDevice: 4)
        let twin = try HotplugController(processors: 1, line: Line())
        twin.state = controller.state
        twin.wasReset(device: 4)
        #expect(twin.takeGone() == 1 << 4)
        twin.state = controller.state
        for offset: UInt64 in stride(from: 0, to: 0x100, by: 4) {
            #expect(twin.read(offset, width: 4) == read(offset))
        }
    }
}
