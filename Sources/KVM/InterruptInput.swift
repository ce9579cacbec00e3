import Linux

/// A level-triggered interrupt line in the hands of one part of a machine, which holds it high for as long as it wants
/// something of the guest.
///
/// It has a descriptor of the machine of its own, so it may outlive the ``VirtualMachine``; then it leads nowhere.
public final class InterruptInput: Sendable {
    private let machine: Descriptor
    /// The line's number.
    public let line: UInt32

    fileprivate init(_ machine: consuming Descriptor, _ line: UInt32) {
        self.machine = machine
        self.line = line
    }

    /// Raises or lowers the line; `KVM_IRQ_LINE`.
    ///
    /// - Throws: `ENXIO` for a machine without controllers.
    public func set(high: Bool) throws(SystemError) {
        let level = LineLevel(line: line, level: high ? 1 : 0)
        try machine.control(.setInterruptLine, from: level, "set interrupt line \(line)")
    }
}

extension VirtualMachine {
    /// A line that a part of the machine keeps; nobody else may set it.
    public func input(ofLine line: UInt32) throws(SystemError) -> InterruptInput {
        InterruptInput(try descriptor.duplicate(), line)
    }
}
