import CLinux

/// What this host lets this process isolate: probed by asking the kernel, never guessed from a version number.
///
/// ```swift
/// let host = HostSupport.probe()
/// print(host)
/// if !host.systemCalls[.cloneIntoCgroup].isAvailable { … }
/// ```
///
/// A probe changes nothing in the process that asks. What can't be asked for by a wrong argument (making namespaces, a
/// virtual machine of one page) is done in child processes that raise no `SIGCHLD` and are gone when the probe returns.
public struct HostSupport: Hashable, Sendable {
    /// The kernel's names for itself.
    public var kernel: Kernel
    /// The system calls that this package builds on.
    public var systemCalls: SystemCalls
    /// Which namespaces this process can make, and which an unprivileged one could.
    public var namespaces: NamespaceSupport
    /// The cgroup file systems and their controllers.
    public var cgroups: CgroupSupport
    /// What a seccomp filter may do.
    public var seccomp: SeccompSupport
    /// Landlock and the other security modules.
    public var security: SecuritySupport
    /// Which capabilities this process has and lacks.
    public var capabilities: CapabilitySupport
    /// Virtual machines.
    public var kvm: KVMSupport

    /// A description of a host from its parts, as for a test.
    public init(
        kernel: Kernel, systemCalls: SystemCalls, namespaces: NamespaceSupport, cgroups: CgroupSupport,
        seccomp: SeccompSupport, security: SecuritySupport, capabilities: CapabilitySupport, kvm: KVMSupport
    ) {
        self.kernel = kernel
        self.systemCalls = systemCalls
        self.namespaces = namespaces
        self.cgroups = cgroups
        self.seccomp = seccomp
        self.security = security
        self.capabilities = capabilities
        self.kvm = kvm
    }

    /// Asks this host. It takes some 10 milliseconds (100 where KVM is a slow software one), and makes four
    /// short-lived child processes: a value to keep, not one to ask for at each container's start.
    public static func probe() -> HostSupport {
        HostSupport(
            kernel: .probe(), systemCalls: .probe(), namespaces: .probe(), cgroups: .probe(), seccomp: .probe(),
            security: .probe(), capabilities: .probe(), kvm: .probe())
    }
}

/// Whether this process can use a feature of the kernel.
public enum Availability: Hashable, Sendable {
    /// The kernel has it, and this process may use it.
    case available
    /// The kernel was built, booted or set up without it.
    case missing
    /// The kernel has it and refuses it to this process, with this answer.
    case refused(Errno)

    /// Whether it can be used.
    public var isAvailable: Bool { self == .available }

    /// Reads a kernel's answer to a call that was made to fail.
    ///
    /// - Parameters:
    ///   - answer: the errno, 0 for success.
    ///   - known: what a kernel that has the feature answers.
    init(answer: CInt, known: Set<Errno> = []) {
        let errno = Errno(rawValue: answer)
        if answer == 0 || known.contains(errno) {
            self = .available
        } else if [.noSystemCall, .invalidArgument, .notSupported].contains(errno) {
            self = .missing
        } else {
            self = .refused(errno)
        }
    }
}

extension Availability: CustomStringConvertible {
    /// `yes`, `no` or `refused: operation not permitted (EPERM)`.
    public var description: String {
        switch self {
        case .available: "yes"
        case .missing: "no"
        case .refused(let errno): "refused: \(errno)"
        }
    }
}

extension HostSupport {
    /// The kernel's names for itself; `uname(2)`. For people to read: what a kernel can do is asked, not read here.
    public struct Kernel: Hashable, Sendable {
        /// Such as `Linux`.
        public var name: String
        /// Such as `6.1.0-28-cloud-amd64`.
        public var release: String
        /// Such as `x86_64`.
        public var machine: String

        /// Names given, as for a test.
        public init(name: String, release: String, machine: String) {
            self.name = name
            self.release = release
            self.machine = machine
        }

        static func probe() -> Kernel {
            let names = unsafe bh_kernel_names()
            return unsafe Kernel(
                name: String(cString: names.name), release: String(cString: names.release),
                machine: String(cString: names.machine))
        }
    }
}

/// A small file's text, without the newline at its end; nil when it can't be read.
func trimmedText(_ path: String) -> String? {
    guard var text = try? readText(path) else { return nil }
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
}

/// Whether a path leads to something.
func fileExists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
