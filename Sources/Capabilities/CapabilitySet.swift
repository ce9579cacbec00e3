import Linux

/// A set of capabilities as the kernel's bit mask: bit n is capability n. Bits without a name survive.
public struct CapabilitySet: OptionSet, Hashable, Sendable {
    /// The mask, as `/proc/PID/status` prints it.
    public let rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The set of these capabilities.
    public init(_ capabilities: some Sequence<Capability>) {
        rawValue = capabilities.reduce(0) { $0 | 1 << UInt64($1.rawValue) }
    }

    /// The set of the capabilities with these names; see ``Capability/init(_:)``. A name may come twice.
    ///
    /// - Throws: ``CapabilityError/unknownName(_:suggestion:)``.
    public init(names: [String]) throws(CapabilityError) {
        var mask: UInt64 = 0
        for name in names { mask |= 1 << UInt64(try Capability(name).rawValue) }
        rawValue = mask
    }

    /// The capabilities that have a name in this library.
    public static let allKnown = CapabilitySet(Capability.allKnown)

    /// The capabilities that the running kernel has; `/proc/sys/kernel/cap_last_cap`.
    ///
    /// - Throws: ``CapabilityError/system(_:)`` where proc is not mounted.
    public static func supported() throws(CapabilityError) -> CapabilitySet {
        let path = "/proc/sys/kernel/cap_last_cap"
        let text = try system { () throws(SystemError) in try readText(path, limit: 64) }
        guard let last = UInt64(text.filter { !$0.isWhitespace }), last < 64 else {
            throw .system(SystemError("read \(quoted(path))", .invalidArgument, hint: "found \(quoted(text))"))
        }
        return CapabilitySet(rawValue: ~0 >> (63 - last))
    }

    /// Refuses what the running kernel does not know.
    ///
    /// - Throws: ``CapabilityError/notSupported(_:)`` with the unknown part.
    public func requireSupported() throws(CapabilityError) {
        let unknown = subtracting(try Self.supported())
        if !unknown.isEmpty { throw .notSupported(unknown) }
    }

    /// The members, lowest number first.
    public var capabilities: [Capability] {
        (0..<64).filter { rawValue >> UInt64($0) & 1 == 1 }.map { Capability(rawValue: $0) }
    }

    /// Whether the capability is a member.
    public func contains(_ capability: Capability) -> Bool { rawValue >> UInt64(capability.rawValue) & 1 == 1 }

    /// The set with one more member.
    public func adding(_ capability: Capability) -> CapabilitySet { union(CapabilitySet([capability])) }

    /// The set without one member.
    public func removing(_ capability: Capability) -> CapabilitySet { subtracting(CapabilitySet([capability])) }
}

extension CapabilitySet: CustomStringConvertible {
    /// The kernel's names with commas: `CAP_CHOWN, CAP_KILL`; `nothing` when empty.
    public var description: String {
        isEmpty ? "nothing" : capabilities.map { $0.description }.joined(separator: ", ")
    }
}

/// Turns a kernel's refusal into this module's error.
func system<Result: ~Copyable>(
    _ body: () throws(SystemError) -> Result
) throws(CapabilityError) -> Result {
    do throws(SystemError) { return try body() } catch { throw .system(error) }
}
