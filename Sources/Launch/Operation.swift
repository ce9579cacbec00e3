import CLinux
import Linux

/// One step of a launch, run by the child between `clone3(2)` and `execve(2)`: a system call, or a fixed sequence of
/// them. Paths that an untrusted root takes part in are resolved inside that root (`openat2(2)`, `RESOLVE_IN_ROOT`
/// without magic links) and used by descriptor only.
public enum Operation: Sendable {
    // The conversation with the parent.

    /// Tells the parent, hands it a descriptor if asked to, and waits until it proceeds.
    case synchronize(SyncPoint, sending: DescriptorReference? = nil)
    /// Tells the parent that all is ready, then waits for whoever connects to the listening socket and sends a byte.
    /// From then on failures are reported to that peer. The parent may exit meanwhile.
    case awaitStart(on: DescriptorReference)
    /// The signal sent to the child when its parent dies, 0 for none; `PR_SET_PDEATHSIG`.
    case parentDeathSignal(CInt)

    // Namespaces.

    /// Joins existing namespaces; `setns(2)`.
    case join(NamespaceFlags, DescriptorReference)
    /// Leaves for new ones; `unshare(2)`.
    case unshare(NamespaceFlags)
    case hostname(String)
    case domainname(String)
    /// Brings `lo` up in the current network namespace.
    case loopbackUp

    // The mount tree.

    /// Changes the propagation of the mounts at a path; `flags` are `MS_*` bits of `mount(2)`.
    case propagation(path: String, flags: UInt64)
    case open(path: String, from: DescriptorReference, flags: OpenFlags, resolve: ResolveFlags, into: Slot)
    /// A detached copy of a mount, or of a tree of them: a bind mount to be; `open_tree(2)`.
    case cloneTree(path: String, from: DescriptorReference, recursive: Bool, into: Slot)
    /// Changes a mount's attributes; `mount_setattr(2)`. `set` and `clear` are `MOUNT_ATTR_*`, `propagation` is `MS_*`.
    case mountAttributes(
        DescriptorReference, set: UInt64, clear: UInt64, propagation: UInt64 = 0, recursive: Bool = false,
        userNamespace: DescriptorReference? = nil)
    /// Puts a detached mount on a place inside a root; `move_mount(2)`.
    case attach(DescriptorReference, root: DescriptorReference, path: String, create: Creation, mode: mode_t = 0o755)
    /// Puts a detached mount on a trusted path.
    case attachAtPath(DescriptorReference, path: String)
    /// A new file system, not attached yet; `fsopen(2)`. `attributes` are `MOUNT_ATTR_*`.
    case fileSystem(
        type: String, source: String?, options: [FileSystemOption], attributes: UInt64, into: Slot)
    /// Changes options of the file system at a path, for all who have it mounted; `fspick(2)`.
    case reconfigure(root: DescriptorReference, path: String, options: [FileSystemOption])
    /// Attributes (`MOUNT_ATTR_*`) and propagation of the mount at a place inside a root.
    case pathAttributes(
        root: DescriptorReference, path: String, set: UInt64, clear: UInt64, propagation: UInt64 = 0,
        recursive: Bool = false)
    /// Hides a file behind the null device or a directory behind an empty tmpfs. Absent paths are left absent.
    case mask(root: DescriptorReference, path: String)
    /// Makes a path read-only by a bind mount of it on itself. Absent paths are left absent.
    case readOnly(root: DescriptorReference, path: String)
    /// Copies what a directory inside a root holds into a detached mount that is going to cover it.
    case copyUp(into: DescriptorReference, root: DescriptorReference, path: String)
    case makeNode(root: DescriptorReference, path: String, mode: mode_t, device: UInt64, owner: uid_t, group: gid_t)
    case makeLink(root: DescriptorReference, path: String, text: String)
    case makeDirectory(root: DescriptorReference, path: String, mode: mode_t)
    /// Makes a mount the root of the child's mount namespace and drops the old root with all below it.
    case pivotRoot(DescriptorReference)
    /// The same for a root that cannot be pivoted away (an initramfs): it stays mounted beneath.
    case moveRoot(DescriptorReference)
    /// Enters a directory, and refuses one that lies outside the root.
    case changeDirectory(String)

    // The process.

    /// Writes a file beneath a trusted directory such as an inherited procfs; mount points and magic links are not
    /// crossed. `asOwner` is for the child's own files in a user namespace, which the kernel hands over only while
    /// the process is dumpable.
    case writeFile(root: DescriptorReference, path: String, text: String, asOwner: Bool = false)
    /// Opens a pseudoterminal in the root's `dev/pts`, sends its master to a socket (`SCM_RIGHTS`), shows the other
    /// side as `dev/console`, and makes it the controlling terminal and descriptors 0 to 2.
    case terminal(receiver: DescriptorReference, root: DescriptorReference?, columns: UInt16, rows: UInt16)
    /// A session of its own; `setsid(2)`.
    case session
    /// A session keyring of its own, without a name; `keyctl(2)`. A kernel without keyrings is fine.
    case sessionKeyring
    /// `prlimit(2)`; `resource` is `RLIMIT_*`.
    case resourceLimit(CInt, soft: UInt64, hard: UInt64)
    case umask(mode_t)
    case groups([gid_t])
    case user(uid_t, group: gid_t)
    case keepCapabilities(Bool)
    /// Drops all but these from the bounding set.
    case boundingSet(UInt64)
    case capabilities(effective: UInt64, permitted: UInt64, inheritable: UInt64)
    case ambientSet(UInt64)
    case noNewPrivileges
    /// Installs a program (an array of `struct sock_filter`); `seccomp(2)`. With `SECCOMP_FILTER_FLAG_NEW_LISTENER`
    /// among the flags the listener goes to the slot.
    case seccomp(program: [UInt64], flags: UInt64, listener: Slot? = nil)
    case personality(UInt32)
    case scheduler(SchedulerAttributes)
    /// `ioprio_set(2)`: class << 13 | level.
    case ioPriority(UInt16)
    /// `set_mempolicy(2)`.
    case memoryPolicy(mode: UInt32, nodes: [Int])
    case cpuAffinity([Int])
    /// A descriptor at exactly this number in the program.
    case duplicate(DescriptorReference, to: CInt)
    /// Closes everything from a number on at execve, except what is kept.
    case closeDescriptors(from: CInt, keeping: [CInt])
    /// Runs a program to its end. A status other than 0 fails the launch.
    case hook(Hook)
    /// Chooses the first candidate that the process may execute, as it is now.
    case findExecutable(String, searchPath: [String])
    /// `execve(2)` of the executable found before. The last operation.
    case execute(arguments: [String], environment: [String])
}

extension Operation {
    /// What is made where a mount's place does not exist.
    public enum Creation: UInt64, Sendable {
        case nothing = 0
        case directory = 1
        /// A file, or a directory if what is mounted is one.
        case file = 2
    }

    /// An option of a file system; `fsconfig(2)`.
    public enum FileSystemOption: Hashable, Sendable {
        case flag(String)
        case string(String, String)
        case descriptor(String, CInt)
    }

    /// `sched_setattr(2)`.
    public struct SchedulerAttributes: Hashable, Sendable {
        /// `SCHED_*`.
        public var policy: UInt32
        /// `SCHED_FLAG_*`.
        public var flags: UInt64
        public var nice: Int32
        public var priority: UInt32
        /// Nanoseconds.
        public var runtime: UInt64
        /// Nanoseconds.
        public var deadline: UInt64
        /// Nanoseconds.
        public var period: UInt64

        public init(
            policy: UInt32, flags: UInt64 = 0, nice: Int32 = 0, priority: UInt32 = 0, runtime: UInt64 = 0,
            deadline: UInt64 = 0, period: UInt64 = 0
        ) {
            self.policy = policy
            self.flags = flags
            self.nice = nice
            self.priority = priority
            self.runtime = runtime
            self.deadline = deadline
            self.period = period
        }
    }

    /// A program that the child runs and waits for. Its standard input is ``LaunchPlan/hookInput``.
    public struct Hook: Hashable, Sendable {
        public var path: String
        public var arguments: [String]
        public var environment: [String]
        /// Seconds; nil waits for ever.
        public var timeout: Int?

        public init(path: String, arguments: [String], environment: [String], timeout: Int? = nil) {
            self.path = path
            self.arguments = arguments
            self.environment = environment
            self.timeout = timeout
        }
    }
}
