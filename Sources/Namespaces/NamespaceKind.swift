import CLinux

/// The eight kinds of namespaces; `namespaces(7)`.
public enum NamespaceKind: CaseIterable, Hashable, Sendable {
    /// Which file systems are mounted where; `mount_namespaces(7)`.
    case mount
    /// Host name and NIS domain name; `uts_namespaces(7)`.
    case uts
    /// System V IPC and POSIX message queues; `ipc_namespaces(7)`.
    case ipc
    /// Process ids; `pid_namespaces(7)`. Who unshares or enters one gets it for its children.
    case pid
    /// Network devices, addresses, routes, ports; `network_namespaces(7)`.
    case network
    /// User and group ids, and capabilities; `user_namespaces(7)`.
    case user
    /// The root of the cgroup tree that is seen; `cgroup_namespaces(7)`.
    case cgroup
    /// Offsets of the monotonic and boot-time clocks; `time_namespaces(7)`. Who unshares one gets it for its children.
    case time

    /// The `CLONE_NEW*` flag.
    public var cloneFlag: UInt64 {
        switch self {
        case .mount: 0x0002_0000
        case .uts: 0x0400_0000
        case .ipc: 0x0800_0000
        case .pid: 0x2000_0000
        case .network: 0x4000_0000
        case .user: 0x1000_0000
        case .cgroup: 0x0200_0000
        case .time: 0x0000_0080
        }
    }

    /// The file's name in `/proc/PID/ns`.
    public var fileName: String {
        switch self {
        case .mount: "mnt"
        case .uts: "uts"
        case .ipc: "ipc"
        case .pid: "pid"
        case .network: "net"
        case .user: "user"
        case .cgroup: "cgroup"
        case .time: "time"
        }
    }

    /// For kinds that a process gives its children but does not change for itself, the file's name in `/proc/PID/ns`
    /// for the namespace of the next child.
    public var forChildrenFileName: String? {
        switch self {
        case .pid: "pid_for_children"
        case .time: "time_for_children"
        default: nil
        }
    }

    /// The kind with this `CLONE_NEW*` flag.
    public init?(cloneFlag: UInt64) {
        guard let kind = Self.allCases.first(where: { $0.cloneFlag == cloneFlag }) else { return nil }
        self = kind
    }

    /// The kind with this file name in `/proc/PID/ns`.
    public init?(fileName: some StringProtocol) {
        let name = String(fileName)
        guard let kind = Self.allCases.first(where: { $0.fileName == name || $0.forChildrenFileName == name })
        else { return nil }
        self = kind
    }

    /// The pidfd request that opens a process's namespace of this kind; Linux 6.11.
    var pidfdRequest: UInt {
        switch self {
        case .mount: BH_PIDFD_GET_MNT_NAMESPACE
        case .uts: BH_PIDFD_GET_UTS_NAMESPACE
        case .ipc: BH_PIDFD_GET_IPC_NAMESPACE
        case .pid: BH_PIDFD_GET_PID_NAMESPACE
        case .network: BH_PIDFD_GET_NET_NAMESPACE
        case .user: BH_PIDFD_GET_USER_NAMESPACE
        case .cgroup: BH_PIDFD_GET_CGROUP_NAMESPACE
        case .time: BH_PIDFD_GET_TIME_NAMESPACE
        }
    }
}

extension NamespaceKind: CustomStringConvertible {
    /// The word for it: `mount`, `network`, ….
    public var description: String {
        switch self {
        case .mount: "mount"
        case .network: "network"
        default: fileName
        }
    }
}

/// Several kinds of namespaces at once, as `unshare(2)` and `setns(2)` take them.
public struct NamespaceKinds: OptionSet, Hashable, Sendable {
    /// `CLONE_NEW*` flags.
    public let rawValue: UInt64
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The set with one kind in it.
    public init(_ kind: NamespaceKind) { self.init(rawValue: kind.cloneFlag) }

    public static let mount = NamespaceKinds(.mount)
    public static let uts = NamespaceKinds(.uts)
    public static let ipc = NamespaceKinds(.ipc)
    public static let pid = NamespaceKinds(.pid)
    public static let network = NamespaceKinds(.network)
    public static let user = NamespaceKinds(.user)
    public static let cgroup = NamespaceKinds(.cgroup)
    public static let time = NamespaceKinds(.time)
    /// All eight.
    public static let all: NamespaceKinds = [.mount, .uts, .ipc, .pid, .network, .user, .cgroup, .time]

    /// The kinds in the set.
    public var kinds: [NamespaceKind] { NamespaceKind.allCases.filter { contains(NamespaceKinds($0)) } }
}

extension NamespaceKinds: CustomStringConvertible {
    /// The kinds' words between commas.
    public var description: String { kinds.map { $0.description }.joined(separator: ", ") }
}
