import Glibc
import Launch
import Linux

/// What the monitor's process does before it is the monitor: a launch plan whose last step executes it.
struct JailPlan {
    private(set) var plan = LaunchPlan()
    private let jail: Jail

    /// - Parameters:
    ///   - cgroup: the directory of the cgroup that the process is born into.
    ///   - network: a network namespace to join.
    ///   - null: what standard input and output become.
    ///   - times: what the monitor is told of the time that this program has taken.
    init(_ jail: Jail, cgroup: CInt?, network: CInt?, null: CInt?, times: [String]) {
        self.jail = jail
        plan.newNamespaces = jail.arguments.hasPidNamespace ? [.mount, .pid] : [.mount]
        plan.cgroup = cgroup
        addRoot()
        addLimits()
        if let network { plan.append(.join(.network, .inherited(network))) }
        if let null {
            plan.append(.session)
            for number in STDIN_FILENO...STDERR_FILENO { plan.append(.duplicate(.inherited(null), to: number)) }
        }
        addUser()
        plan.append(.findExecutable("/\(jail.name)", searchPath: []))
        plan.append(.closeDescriptors(from: 3, keeping: []))
        plan.append(.execute(arguments: arguments(times), environment: []))
    }

    private mutating func addRoot() {
        // Nothing that is mounted from here on shows up on the host, and nothing of the host's in the jail.
        plan.append(.propagation(path: "/", flags: UInt64(MS_PRIVATE) | UInt64(MS_REC)))
        let slot = plan.makeSlot()
        let root = DescriptorReference.slot(slot)
        plan.append(.cloneTree(path: jail.root, from: .workingDirectory, recursive: true, into: slot))
        // The file system may be mounted so that neither devices nor programs are of use.
        plan.append(.mountAttributes(root, set: Self.noSetUser, clear: Self.noDevices | Self.noExecution))
        plan.append(.attachAtPath(root, path: "/"))
        for device in jail.devices {
            plan.append(
                .makeNode(
                    root: root, path: device.path, mode: mode_t(S_IFCHR) | 0o600, device: device.number,
                    owner: jail.arguments.user, group: jail.arguments.group))
        }
        plan.append(.pivotRoot(root))
    }

    private mutating func addLimits() {
        var files: UInt64 = 2048
        for limit in jail.arguments.limits {
            switch limit.resource {
            case .openFiles: files = limit.value
            case .fileSize:
                plan.append(.resourceLimit(CInt(RLIMIT_FSIZE.rawValue), soft: limit.value, hard: limit.value))
            }
        }
        plan.append(.resourceLimit(CInt(RLIMIT_NOFILE.rawValue), soft: files, hard: files))
    }

    private mutating func addUser() {
        plan.append(.umask(0o022))
        // Also for who stays root: an empty bounding set leaves execve nothing to give back.
        plan.append(.boundingSet(0))
        plan.append(.groups([]))
        plan.append(.user(jail.arguments.user, group: jail.arguments.group))
        plan.append(.capabilities(effective: 0, permitted: 0, inheritable: 0))
        plan.append(.ambientSet(0))
        plan.append(.noNewPrivileges)
        // The change of user forgets it, so it comes after.
        if !jail.arguments.isLeftAlone { plan.append(.parentDeathSignal(SIGKILL)) }
    }

    private func arguments(_ times: [String]) -> [String] {
        let rest = jail.arguments.rest
        // A command of bulkhead-vm's own, which has neither an id nor times.
        if rest.first == "run" { return ["/\(jail.name)"] + rest }
        return ["/\(jail.name)", "--id", jail.arguments.id] + times + rest
    }

    // `MOUNT_ATTR_*` of mount_setattr(2).
    private static let noSetUser: UInt64 = 2
    private static let noDevices: UInt64 = 4
    private static let noExecution: UInt64 = 8
}
