/// An extension of KVM's interface, asked for with ``Hypervisor/value(of:)`` or ``VirtualMachine/value(of:)``, and
/// switched on, where it has to be, with ``VirtualMachine/enable(_:_:_:_:_:flags:)``; `KVM_CAP_*`.
///
/// A number newer than this library survives a round trip.
public struct Capability: RawRepresentable, Hashable, Sendable {
    public let rawValue: CInt
    @inlinable
    public init(rawValue: CInt) { self.rawValue = rawValue }
}

extension Capability: CustomStringConvertible {
    /// The kernel's name: `KVM_CAP_IRQCHIP`; `KVM_CAP 9999` for a number without one.
    public var description: String {
        Self.known.first { $0.capability == self }?.name ?? "KVM_CAP \(rawValue)"
    }
}
