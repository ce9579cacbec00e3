import CLinux

extension HostSupport {
    /// Which namespaces can be made here, tried out in a child process.
    public struct NamespaceSupport: Hashable, Sendable {
        /// A kind of namespace, by its name in `/proc/self/ns`; `namespaces(7)`.
        public enum Kind: String, CaseIterable, Hashable, Sendable {
            // In the order of the probe's answers.
            case mount = "mnt"
            case uts, ipc, pid
            case network = "net"
            case cgroup, time, user
        }

        /// What the kernel says when this process makes one.
        public var direct: [Kind: Availability]
        /// What it says when a process without privileges makes a user namespace, and the others inside it.
        public var unprivileged: [Kind: Availability]
        /// Whether this process is in the kernel's first user namespace: only there do capabilities reach the whole
        /// host.
        public var isInInitialUserNamespace: Bool
        /// The settings that decide about unprivileged user namespaces, where the kernel has them.
        public var userLimits: UserLimits

        /// Answers given, as for a test.
        public init(
            direct: [Kind: Availability], unprivileged: [Kind: Availability], isInInitialUserNamespace: Bool = true,
            userLimits: UserLimits = UserLimits()
        ) {
            self.isInInitialUserNamespace = isInInitialUserNamespace
            self.direct = direct
            self.unprivileged = unprivileged
            self.userLimits = userLimits
        }

        /// The kinds that this kernel has at all.
        public var kinds: [Kind] { Kind.allCases.filter { direct[$0] ?? .missing != .missing } }

        /// Whether this process gets a namespace of this kind: as it is, or inside a user namespace of its own.
        public func canMake(_ kind: Kind) -> Bool {
            direct[kind]?.isAvailable == true
                || (direct[.user]?.isAvailable == true && unprivileged[kind]?.isAvailable == true)
        }

        static func probe() -> NamespaceSupport {
            NamespaceSupport(
                direct: answers(unprivileged: false), unprivileged: answers(unprivileged: true),
                isInInitialUserNamespace: isInitial, userLimits: .probe())
        }

        private static var isInitial: Bool {
            guard let file = try? Descriptor.open("/proc/self/ns/user", .readOnly), let status = try? file.status()
            else {
                return true
            }
            // PROC_USER_INIT_INO, fixed since namespaces have numbers.
            return status.inode == 0xefff_fffd
        }

        private static func answers(unprivileged: Bool) -> [Kind: Availability] {
            var errors = [CInt](repeating: EINTR, count: BH_PROBE_KINDS)
            let failure = unsafe errors.withUnsafeMutableBufferPointer {
                unsafe bh_probe_namespaces($0.baseAddress, unprivileged ? 1 : 0)
            }
            var answers: [Kind: Availability] = [:]
            for (kind, error) in zip(Kind.allCases, errors) {
                // A kernel built without a kind has no name for it, whatever it answers to the flag. The name is a link
                // that a process which changed its user may not follow.
                let exists =
                    (try? Descriptor.open("/proc/self/ns/\(kind.rawValue)", [.path, .noFollow])) != nil
                    || !fileExists("/proc/self/ns")
                answers[kind] = exists ? Availability(answer: failure == 0 ? error : failure) : .missing
            }
            return answers
        }
    }
}

extension HostSupport.NamespaceSupport {
    /// The settings that decide about unprivileged user namespaces; nil for one that this kernel does not have.
    public struct UserLimits: Hashable, Sendable {
        /// `/proc/sys/user/max_user_namespaces`: how many each user may have; 0 forbids them.
        public var maximum: Int?
        /// `/proc/sys/kernel/unprivileged_userns_clone`, a setting of Debian's kernels: false forbids them.
        public var unprivilegedClone: Bool?
        /// `/proc/sys/kernel/apparmor_restrict_unprivileged_userns`: true takes the capabilities away inside them
        /// from programs without an AppArmor profile that allows it.
        public var appArmorRestricts: Bool?

        /// Settings given, as for a test.
        public init(maximum: Int? = nil, unprivilegedClone: Bool? = nil, appArmorRestricts: Bool? = nil) {
            self.maximum = maximum
            self.unprivilegedClone = unprivilegedClone
            self.appArmorRestricts = appArmorRestricts
        }

        static func probe() -> UserLimits {
            UserLimits(
                maximum: number("/proc/sys/user/max_user_namespaces"),
                unprivilegedClone: number("/proc/sys/kernel/unprivileged_userns_clone").map { $0 != 0 },
                appArmorRestricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").map { $0 != 0 })
        }

        private static func number(_ path: String) -> Int? { trimmedText(path).flatMap { Int($0) } }
    }
}
