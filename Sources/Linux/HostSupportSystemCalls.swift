import CLinux

extension HostSupport {
    /// The system calls that this package builds on, each with what the kernel answers to this process.
    public struct SystemCalls: Hashable, Sendable {
        /// A system call, or a way to use one.
        public enum Name: String, CaseIterable, Hashable, Sendable {
            /// `clone3(2)`.
            case clone3
            /// `clone3(2)` with `CLONE_INTO_CGROUP`: the child begins its life in its cgroup.
            case cloneIntoCgroup = "CLONE_INTO_CGROUP"
            /// `openat2(2)`, with `RESOLVE_IN_ROOT` and the like.
            case openat2
            /// `pidfd_open(2)`.
            case pidfdOpen = "pidfd_open"
            /// `pidfd_getfd(2)`.
            case pidfdGetfd = "pidfd_getfd"
            /// `close_range(2)`.
            case closeRange = "close_range"
            /// `fsopen(2)`.
            case fsopen
            /// `fsconfig(2)`.
            case fsconfig
            /// `fsmount(2)`.
            case fsmount
            /// `move_mount(2)`.
            case moveMount = "move_mount"
            /// `open_tree(2)`.
            case openTree = "open_tree"
            /// `mount_setattr(2)`: attributes of a whole tree of mounts.
            case mountSetattr = "mount_setattr"
            /// `mount_setattr(2)` with `MOUNT_ATTR_IDMAP`. Each file system decides for itself whether it can.
            case idMappedMounts = "MOUNT_ATTR_IDMAP"
            /// An id-mapped tmpfs, tried out.
            case idMappedTmpfs = "id-mapped tmpfs"
            /// `bpf(2)`, `BPF_PROG_TYPE_CGROUP_DEVICE`: the device rules of a cgroup.
            case deviceProgram = "BPF_CGROUP_DEVICE"
            /// `io_uring_setup(2)`.
            case ioUring = "io_uring"
            /// `userfaultfd(2)`, faults in the kernel included.
            case userfaultfd
            /// `userfaultfd(2)` with `UFFD_USER_MODE_ONLY`.
            case userfaultfdUserMode = "UFFD_USER_MODE_ONLY"
        }

        private var answers: [Name: Availability]

        /// Answers given, as for a test; a call that is left out is missing.
        public init(_ answers: [Name: Availability]) { self.answers = answers }

        /// What the kernel says of one call.
        public subscript(name: Name) -> Availability {
            get { answers[name] ?? .missing }
            set { answers[name] = newValue }
        }

        /// The calls that this process can't use, in the order of ``Name``.
        public func unavailable(of names: [Name] = Name.allCases) -> [Name] {
            names.filter { !self[$0].isAvailable }
        }

        /// The calls of the mount interface that works on descriptors.
        public static let mountInterface: [Name] = [
            .fsopen, .fsconfig, .fsmount, .moveMount, .openTree, .mountSetattr,
        ]

        static func probe() -> SystemCalls {
            var answers: [Name: Availability] = [:]
            for name in Name.allCases { answers[name] = probe(name) }
            return SystemCalls(answers)
        }

        private static func probe(_ name: Name) -> Availability {
            // Next to each call, what a kernel that knows it says to the wrong argument.
            switch name {
            case .clone3: ask(BH_PROBE_CLONE3, .invalidArgument)
            case .cloneIntoCgroup: ask(BH_PROBE_CLONE_INTO_CGROUP, .badDescriptor)
            case .openat2: ask(BH_PROBE_OPENAT2, .invalidArgument)
            case .pidfdOpen: ask(BH_PROBE_PIDFD_OPEN, .invalidArgument)
            case .pidfdGetfd: ask(BH_PROBE_PIDFD_GETFD, .badDescriptor)
            case .closeRange: ask(BH_PROBE_CLOSE_RANGE, .invalidArgument)
            case .fsopen: ask(BH_PROBE_FSOPEN, .invalidArgument)
            case .fsconfig: ask(BH_PROBE_FSCONFIG, .invalidArgument)
            case .fsmount: ask(BH_PROBE_FSMOUNT, .invalidArgument)
            case .moveMount: ask(BH_PROBE_MOVE_MOUNT, .invalidArgument)
            case .openTree: ask(BH_PROBE_OPEN_TREE, .invalidArgument)
            case .mountSetattr: ask(BH_PROBE_MOUNT_SETATTR, .invalidArgument)
            case .idMappedMounts: ask(BH_PROBE_IDMAPPED_MOUNT, .badDescriptor)
            case .idMappedTmpfs: Availability(answer: bh_probe_idmapped_tmpfs())
            case .deviceProgram: Availability(answer: bh_probe_device_program())
            case .ioUring: ask(BH_PROBE_IO_URING, Errno(rawValue: EFAULT))
            case .userfaultfd: ask(BH_PROBE_USERFAULTFD, .invalidArgument)
            case .userfaultfdUserMode: ask(BH_PROBE_USERFAULTFD_USER_MODE, .invalidArgument)
            }
        }

        private static func ask(_ call: bh_probe_call, _ known: Errno) -> Availability {
            Availability(answer: bh_probe_call(call), known: [known])
        }
    }
}
