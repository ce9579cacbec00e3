/// The registers that switch the machine off and reset it; ACPI specification 6.4, sections 4.8.3.6 and 4.8.3.7.
final class PowerControl: BusDevice {
    static let sleepControl: UInt64 = 0
    static let sleepStatus: UInt64 = 1
    static let reset: UInt64 = 4
    static let size: UInt64 = 8
    /// What is written to reset.
    static let resetValue: UInt8 = 0x42
    /// The type of sleep that is off, as the tables say it.
    static let offType: UInt8 = 5

    private let lifecycle: Lifecycle

    init(_ lifecycle: Lifecycle) { self.lifecycle = lifecycle }

    func read(_ offset: UInt64, width: Int) -> UInt64 { 0 }

    func write(_ offset: UInt64, _ value: UInt64, width: Int) {
        guard width == 1 else { return }
        switch offset {
        // Bits 2 to 4 are the type of sleep, bit 5 puts to sleep.
        case Self.sleepControl where value & 0x20 != 0 && value >> 2 & 7 == UInt64(Self.offType):
            lifecycle.end(.powerOff)
        case Self.reset where value == UInt64(Self.resetValue): lifecycle.end(.reset)
        default: break
        }
    }
}

/// What a guest's kernel says when it panics: QEMU's pvpanic, `docs/specs/pvpanic.rst` there.
final class PanicPort: BusDevice {
    private static let panicked: UInt64 = 1 << 0

    private let lifecycle: Lifecycle

    init(_ lifecycle: Lifecycle) { self.lifecycle = lifecycle }

    func read(_ offset: UInt64, width: Int) -> UInt64 { Self.panicked }

    func write(_ offset: UInt64, _ value: UInt64, width: Int) {
        if value & Self.panicked != 0 { lifecycle.end(.panic) }
    }
}

/// The port by which a keyboard's controller resets the machine: what kernels do that are told `reboot=k`, and what they
/// do when nothing else helps. There is no keyboard.
final class KeyboardController: BusDevice {
    private static let pulseReset: UInt64 = 0xfe

    private let lifecycle: Lifecycle

    init(_ lifecycle: Lifecycle) { self.lifecycle = lifecycle }

    /// The status: nothing waits, in neither direction.
    func read(_ offset: UInt64, width: Int) -> UInt64 { 0 }

    func write(_ offset: UInt64, _ value: UInt64, width: Int) {
        if value & 0xff == Self.pulseReset { lifecycle.end(.reset) }
    }
}
