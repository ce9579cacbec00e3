/// What a thread of a machine's does, for who gives each kind of thread its own rights.
///
/// A program that has threads of its own beside a machine's may add kinds.
public struct ThreadRole: RawRepresentable, Hashable, Sendable {
    /// A word for people and files.
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The loop of the virtio devices' events.
    public static let devices = ThreadRole(rawValue: "devices")
    /// A shared directory: it serves the guest's requests for files of the host's.
    public static let share = ThreadRole(rawValue: "share")
    /// The serial port's other end.
    public static let serial = ThreadRole(rawValue: "serial")
    /// A virtual processor: it runs the guest, and answers its accesses to ports and registers.
    public static let processor = ThreadRole(rawValue: "vcpu")
    /// A debugger's other end: it reads and changes all of the guest's state.
    public static let debugger = ThreadRole(rawValue: "gdb")
}

extension ThreadRole: CustomStringConvertible {
    public var description: String { rawValue }
}

/// What a thread does before anything else, such as giving up rights; it runs in that thread. Where it throws, the thread
/// does not run and its machine ends.
public typealias ThreadPreparation = @Sendable (ThreadRole) throws(MachineError) -> Void
