import Synchronization
import Testing
import Virtio

@testable import Machines

/// A guest's driver at the ports of the keyboard's controller.
@Suite struct KeyboardTests {
    private final class Line: InterruptLine {
        let count = Atomic<Int>(0)
        func raise() { count.wrappingAdd(1, ordering: .relaxed) }
    }

    private let line = Line()
    private let lifecycle: Lifecycle
    private let keyboard: Keyboard

    init() throws {
        lifecycle = try Lifecycle()
        keyboard = Keyboard(lifecycle, interrupt: line)
    }

    private var raised: Int { line.count.load(ordering: .relaxed) }
    private func command(_ byte: UInt64) { keyboard.write(4, byte, width: 1) }
    private func data(_ byte: UInt64) { keyboard.write(0, byte, width: 1) }

    /// All that waits.
    private func taken() -> [UInt64] {
        var bytes: [UInt64] = []
        while keyboard.read(4, width: 1) & 1 != 0, bytes.count < 100 { bytes.append(keyboard.read(0, width: 1)) }
        return bytes
    }

    @Test func theControllerIsWell() {
        #expect(taken() == [])
        command(0xaa)
        #expect(taken() == [0x55])
        command(0xab)
        #expect(taken() == [0x00])
        command(0x20)
        // Interrupts, passed, no mouse, no translation.
        #expect(taken() == [0x25])
        command(0x60)
        data(0x24)
        command(0x20)
        #expect(taken() == [0x24])
    }

    @Test func thereIsAKeyboardAndNoMouse() {
        data(0xf2)
        #expect(taken() == [0xfa, 0xab, 0x83])
        data(0xff)
        #expect(taken() == [0xfa, 0xaa])
        data(0xed)
        data(0x07)
        #expect(taken() == [0xfa, 0xfa])
        data(0xf0)
        data(0x00)
        #expect(taken() == [0xfa, 0xfa, 0x02])
        // What is written to the mouse's buffer does not come back as it was.
        command(0xd3)
        data(0x5a)
        #expect(taken() != [0x5a])
        command(0xa9)
        #expect(taken() == [0x01])
    }

    @Test func threeKeysArePressedAndReleased() {
        keyboard.pressControlAltDelete()
        #expect(raised == 1)
        #expect(taken() == [0x14, 0x11, 0xe0, 0x71, 0xe0, 0xf0, 0x71, 0xf0, 0x11, 0xf0, 0x14])
        // An edge for each byte.
        #expect(raised == 11)
        // A guest that does not look does not make it grow.
        for _ in 0..<100 { keyboard.pressControlAltDelete() }
        #expect(taken().count <= 32)
    }

    @Test func aKeyboardThatIsSwitchedOffSaysNothing() {
        command(0xad)
        keyboard.pressControlAltDelete()
        #expect(taken() == [])
        command(0xae)
        keyboard.pressControlAltDelete()
        #expect(taken().count == 11)
    }

    @Test func withoutInterruptsNoneIsRaised() {
        command(0x60)
        data(0x00)
        keyboard.pressControlAltDelete()
        #expect(raised == 0)
        #expect(taken().count == 11)
    }

    @Test func itResetsTheMachine() {
        command(0xfe)
        #expect(lifecycle.result == .reset)
    }

    @Test func theOutputPortResetsToo() {
        command(0xd1)
        data(0x01)
        #expect(lifecycle.result == nil)
        command(0xd1)
        data(0x00)
        #expect(lifecycle.result == .reset)
    }

    @Test func oddAccessesAreHarmless() {
        for offset in 0..<Keyboard.size {
            for width in [1, 2, 4, 8] {
                keyboard.write(offset, 0x77, width: width)
                _ = keyboard.read(offset, width: width)
            }
        }
        #expect(lifecycle.result == nil)
    }
}
