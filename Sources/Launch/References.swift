/// A place for a descriptor that an operation of the plan makes and later ones use. Slots exist in the child only.
public struct Slot: Hashable, Sendable {
    let index: Int16
}

/// A descriptor as an operation names it.
public enum DescriptorReference: Hashable, Sendable {
    /// One of the parent's, by number; the caller keeps it open until the launch has returned.
    case inherited(CInt)
    /// One that an earlier operation made.
    case slot(Slot)
    /// The child's current directory, `AT_FDCWD`.
    case workingDirectory
}

extension DescriptorReference: CustomStringConvertible {
    public var description: String {
        switch self {
        case .inherited(let number): "descriptor \(number)"
        case .slot(let slot): "slot \(slot.index)"
        case .workingDirectory: "the working directory"
        }
    }
}

/// A point at which the child stops, tells the parent, and waits for ``LaunchedProcess/proceed()``.
public struct SyncPoint: RawRepresentable, Hashable, Sendable {
    /// The caller's number for the point, 1 or more; 0 stands for the start, before the first operation.
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }
}

/// Namespaces by the kernel's `CLONE_NEW*` bits; `namespaces(7)`.
public struct NamespaceFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let time = NamespaceFlags(rawValue: 0x80)
    public static let mount = NamespaceFlags(rawValue: 0x20000)
    public static let cgroup = NamespaceFlags(rawValue: 0x0200_0000)
    public static let uts = NamespaceFlags(rawValue: 0x0400_0000)
    public static let ipc = NamespaceFlags(rawValue: 0x0800_0000)
    public static let user = NamespaceFlags(rawValue: 0x1000_0000)
    public static let pid = NamespaceFlags(rawValue: 0x2000_0000)
    public static let network = NamespaceFlags(rawValue: 0x4000_0000)

    static let names: [(NamespaceFlags, String)] = [
        (.user, "user"), (.mount, "mount"), (.pid, "pid"), (.network, "network"), (.ipc, "ipc"), (.uts, "uts"),
        (.cgroup, "cgroup"), (.time, "time"),
    ]
}

extension NamespaceFlags: CustomStringConvertible {
    /// `user, mount, pid`: what a sentence wants.
    public var description: String {
        NamespaceFlags.names.filter { contains($0.0) }.map { $0.1 }.joined(separator: ", ")
    }
}

extension Operation {
    /// The descriptors that the step uses.
    var references: [DescriptorReference] {
        switch self {
        case .synchronize(_, let sent): sent.map { [$0] } ?? []
        case .awaitStart(let reference), .join(_, let reference), .open(_, let reference, _, _, _),
            .cloneTree(_, let reference, _, _), .attachAtPath(let reference, _),
            .pathAttributes(let reference, _, _, _, _, _),
            .mask(let reference, _), .readOnly(let reference, _), .makeNode(let reference, _, _, _, _, _),
            .makeLink(let reference, _, _), .makeDirectory(let reference, _, _), .pivotRoot(let reference),
            .moveRoot(let reference), .writeFile(let reference, _, _, _), .duplicate(let reference, _):
            [reference]
        case .mountAttributes(let mount, _, _, _, _, let userNamespace): [mount] + (userNamespace.map { [$0] } ?? [])
        case .attach(let mount, let root, _, _, _), .copyUp(let mount, let root, _): [mount, root]
        case .terminal(let receiver, let root, _, _): [receiver] + (root.map { [$0] } ?? [])
        case .fileSystem(_, _, let options, _, _): options.compactMap { $0.reference }
        case .reconfigure(let root, _, let options): [root] + options.compactMap { $0.reference }
        case .parentDeathSignal, .unshare, .hostname, .domainname, .loopbackUp, .propagation, .changeDirectory,
            .session,
            .sessionKeyring, .resourceLimit, .umask, .groups, .user, .keepCapabilities, .boundingSet, .capabilities,
            .ambientSet, .noNewPrivileges, .seccomp, .personality, .scheduler, .ioPriority, .memoryPolicy, .cpuAffinity,
            .closeDescriptors, .hook, .findExecutable, .execute:
            []
        }
    }
}

extension Operation.FileSystemOption {
    fileprivate var reference: DescriptorReference? {
        if case .descriptor(_, let number) = self { .inherited(number) } else { nil }
    }
}
