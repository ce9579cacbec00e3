import CLinux
import CSeccomp
import Linux

/// What this kernel and libseccomp can do, asked and not guessed; `seccomp(2)`.
public struct SeccompSupport: Hashable, Sendable {
    /// The actions that the kernel takes; empty when it has no filters. Those with data have none here.
    public let actions: [SeccompAction]
    /// The flags that the kernel takes.
    public let flags: SeccompFlags
    /// What the kernel calls its actions; `/proc/sys/kernel/seccomp/actions_avail`. Empty without proc.
    public let actionNames: [String]
    /// Which of them are logged when asked; `/proc/sys/kernel/seccomp/actions_logged`.
    public let loggedActionNames: [String]
    /// The loaded libseccomp, as in `2.5.4`.
    public let libraryVersion: String

    /// Asks.
    public static func probe() -> SeccompSupport {
        let actions = ["KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "NOTIFY", "TRACE", "LOG", "ALLOW"]
            .compactMap { name in SeccompAction.named.first { $0.name == name }?.action }
            .filter(isAvailable)
        var flags: SeccompFlags = []
        for (_, flag) in SeccompFlags.named where isAvailable(flag) { flags.insert(flag) }
        func words(_ file: String) -> [String] {
            let text = (try? readText("/proc/sys/kernel/seccomp/\(file)", limit: 4096)) ?? ""
            return text.split(whereSeparator: { $0.isWhitespace }).map(String.init)
        }
        let version = unsafe seccomp_version().pointee
        return SeccompSupport(
            actions: actions, flags: flags, actionNames: words("actions_avail"),
            loggedActionNames: words("actions_logged"),
            libraryVersion: "\(version.major).\(version.minor).\(version.micro)")
    }

    /// Whether the kernel takes an action; `SECCOMP_GET_ACTION_AVAIL`.
    public static func isAvailable(_ action: SeccompAction) -> Bool {
        var value = action.kind.rawValue
        return unsafe withUnsafeMutablePointer(to: &value) {
            bh_syscall3(CLong(SYS_seccomp), CLong(SECCOMP_GET_ACTION_AVAIL), 0, CLong(Int(bitPattern: $0)))
        } == 0
    }

    /// Whether the kernel takes a flag: it looks at the flags before it looks at the program, which is missing here.
    public static func isAvailable(_ flag: SeccompFlags) -> Bool {
        // The kernel knows this one together with a listener only.
        let asked = flag.contains(.waitKillable) ? flag.union(.newListener) : flag
        let result = bh_syscall3(
            CLong(SYS_seccomp), CLong(SECCOMP_SET_MODE_FILTER), CLong(asked.rawValue), 0)
        return result == -1 && Errno.current == Errno(rawValue: EFAULT)
    }
}

extension SeccompSupport: CustomStringConvertible {
    public var description: String {
        actions.isEmpty
            ? "no seccomp filters (libseccomp \(libraryVersion))"
            : "actions \(actionNames.joined(separator: " ")); flags \(flags.names.joined(separator: " ")); "
                + "libseccomp \(libraryVersion)"
    }
}
