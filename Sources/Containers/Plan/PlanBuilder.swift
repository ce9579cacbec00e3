import Glibc
import Launch
import Linux
import Namespaces
import OCI

/// Turns a document into a launch plan. It opens what has to be opened from outside the container, and changes nothing.
struct PlanBuilder {
    let configuration: Configuration
    /// The process to start: the document's, or a further one.
    let process: Configuration.Process
    /// Absolute.
    let bundle: String
    /// Absolute.
    let rootfs: String
    let preservedDescriptors: Int
    let options: CreateOptions
    let channels: Channels
    /// Whether this is a further process, of a container that is there.
    let isExec: Bool
    /// Whether the user namespace of the container that is joined lets nobody change its groups (user_namespaces(7)).
    let joinsDeniedGroups: Bool

    var plan = LaunchPlan()
    let held = HeldDescriptors()

    /// The container's root, once it is there.
    var root = DescriptorReference.workingDirectory
    /// Where each mount is made before it is attached: one place for all, so that a document may have any number.
    var mountSlot: Slot?
    /// The host's procfs, which the container cannot have prepared.
    let proc: DescriptorReference

    /// What connects the container's process to others, by descriptor; nil where it is not wanted.
    struct Channels {
        /// The listening socket of the two-stage start; nil starts at ``PlanBuilder/startPoint``.
        var startListener: CInt?
        var consoleSocket: CInt?
        var cgroup: CInt?
        /// The host's directory with the socket of ``ReadyNotification``.
        var notifyDirectory: String?
    }

    /// Where the parent runs its hooks: namespaces and mounts are there, the old root is too.
    static let hooksPoint = SyncPoint(rawValue: 1)
    /// Where the parent takes the seccomp listener over.
    static let listenerPoint = SyncPoint(rawValue: 2)
    /// Where a container that is run, not created, waits for its start.
    static let startPoint = SyncPoint(rawValue: 3)
    /// Where the parent gives the container its network devices: its network namespace is there.
    static let networkPoint = SyncPoint(rawValue: 4)

    init(_ bundle: Bundle, options: CreateOptions, channels: Channels) throws(ContainerError) {
        guard var process = bundle.configuration.process else {
            throw ContainerError(.badDocument, "config.json: process: required to create a container")
        }
        process.env += options.environment
        if channels.notifyDirectory != nil { Self.addNotifyVariable(to: &process) }
        configuration = bundle.configuration
        self.process = process
        self.bundle = bundle.path
        rootfs = bundle.rootfs
        self.options = options
        self.channels = channels
        preservedDescriptors = options.preservedDescriptors
        isExec = false
        joinsDeniedGroups = false
        proc = .inherited(try Self.openProc(held))
    }

    /// For a further process of a container that runs.
    init(
        _ configuration: Configuration, process: Configuration.Process, joining pid: pid_t, options: ExecOptions,
        channels: Channels
    ) throws(ContainerError) {
        self.configuration = configuration
        self.process = process
        bundle = "/"
        rootfs = "/proc/\(pid)/root"
        self.options = CreateOptions(bundle: "/")
        self.channels = channels
        preservedDescriptors = options.preservedDescriptors
        isExec = true
        joinsDeniedGroups =
            configuration.linux.namespace(.user) != nil
            && (try? readText("/proc/\(pid)/setgroups"))?.hasPrefix("deny") == true
        proc = .inherited(try Self.openProc(held))
    }

    private static func openProc(_ held: HeldDescriptors) throws(ContainerError) -> CInt {
        do throws(SystemError) { return held.hold(try .open("/proc", [.path, .directory])) } catch {
            throw ContainerError(error)
        }
    }

    /// The whole plan, from the clone to the program.
    mutating func build() throws(ContainerError) -> LaunchPlan {
        plan.isTraced = options.isTraced
        plan.cgroup = channels.cgroup
        plan.append(.parentDeathSignal(SIGKILL))
        try addNamespaces()
        if has(.mount) {
            try addMountTree()
        } else {
            throw ContainerError(
                .badDocument, "config.json: linux.namespaces: a mount namespace is required for a root of its own")
        }
        let listener = channels.startListener
        try addProcess { plan in
            plan.append(.parentDeathSignal(0))
            plan.append(listener.map { .awaitStart(on: .inherited($0)) } ?? .synchronize(Self.startPoint))
        }
        return plan
    }

    /// The slot of the mount that is being made; the one before is attached by now.
    mutating func slotForMount() -> Slot {
        if let mountSlot { return mountSlot }
        let slot = plan.makeSlot()
        mountSlot = slot
        return slot
    }

    /// Whether the container's namespace of a kind is not the runtime's own.
    func has(_ kind: Configuration.Namespace.Kind) -> Bool {
        guard let namespace = configuration.linux.namespace(kind) else { return false }
        guard let path = namespace.path else { return true }
        // A path may lead back to where the runtime is.
        return !isSameFile(path, "/proc/self/ns/\(kind.fileName)")
    }

    /// Whether a namespace of a kind is made for this container.
    func isNew(_ kind: Configuration.Namespace.Kind) -> Bool {
        guard let namespace = configuration.linux.namespace(kind) else { return false }
        return namespace.path == nil
    }

    /// Whether the container's root is somebody else outside.
    var isMapped: Bool { has(.user) }
}

/// Whether both paths lead to one file; what can't be looked at is another one.
private func isSameFile(_ one: String, _ other: String) -> Bool {
    var (first, second) = (stat(), stat())
    guard stat(one, &first) == 0, stat(other, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
}

/// A path of the document's, from the bundle where it is relative.
func absolute(_ path: String, in bundle: String) -> String {
    path.hasPrefix("/") ? path : "\(bundle)/\(path)"
}

extension Configuration.Namespace.Kind {
    /// The namespace's name below `/proc/PID/ns`.
    fileprivate var fileName: String {
        switch self {
        case .mount: "mnt"
        case .network: "net"
        default: rawValue
        }
    }

    var flag: NamespaceFlags {
        switch self {
        case .pid: .pid
        case .network: .network
        case .mount: .mount
        case .ipc: .ipc
        case .uts: .uts
        case .user: .user
        case .cgroup: .cgroup
        case .time: .time
        }
    }
}
