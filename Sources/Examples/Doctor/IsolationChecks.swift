import Linux

extension HostSupport {
    /// What a process can be given of its own.
    var namespaceSection: Section {
        Section(title: "Namespaces", checks: [kindsCheck, userCheck, unprivilegedCheck])
    }

    private var kindsCheck: Check {
        let name = "kinds"
        let others = NamespaceSupport.Kind.allCases.filter { $0 != .user }
        let lacking = others.filter { !namespaces.canMake($0) }
        if lacking.isEmpty {
            let inside = others.contains { namespaces.direct[$0]?.isAvailable != true }
            return .yes(
                name, others.map(\.rawValue).joined(separator: " ") + (inside ? ", inside a user namespace" : ""))
        }
        let answers = lacking.map { "\($0.rawValue) (\(namespaces.direct[$0] ?? .missing))" }
        return Check(
            name: name, status: lacking == [.time] ? .partly : .no,
            found: "not " + answers.joined(separator: ", "),
            advice: lacking.contains { namespaces.direct[$0] != .missing }
                ? "run as root, or allow user namespaces" : "a kernel built with these kinds (CONFIG_NAMESPACES)",
            isEssential: true)
    }

    private var userCheck: Check {
        let answer = namespaces.direct[.user] ?? .missing
        if answer.isAvailable { return .yes("user", "can be made by this process") }
        return Check(name: "user", status: .no, found: "\(answer)", advice: userAdvice)
    }

    private var unprivilegedCheck: Check {
        let name = "unprivileged user"
        let user = namespaces.unprivileged[.user] ?? .missing
        guard user.isAvailable else {
            return Check(name: name, status: .no, found: "\(user)", advice: "for rootless containers: \(userAdvice)")
        }
        let limit = namespaces.userLimits.maximum.map { ", at most \($0) a user" } ?? ""
        guard namespaces.unprivileged[.mount]?.isAvailable == true else {
            return Check(
                name: name, status: .partly, found: "yes\(limit), but without capabilities in it",
                advice: "for rootless containers: \(userAdvice)")
        }
        return .yes(name, "yes\(limit)")
    }

    private var userAdvice: String {
        let limits = namespaces.userLimits
        if limits.maximum == 0 { return "sysctl user.max_user_namespaces=10000" }
        if limits.unprivilegedClone == false { return "sysctl kernel.unprivileged_userns_clone=1" }
        if limits.appArmorRestricts == true {
            return "an AppArmor profile with `userns,`, or sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        }
        return "a kernel with CONFIG_USER_NS; inside a chroot or a container, ask for it outside"
    }

    /// What a process can be kept from.
    var confinementSection: Section {
        Section(
            title: "Confinement",
            checks: [filterCheck, notificationCheck, landlockCheck, modulesCheck, capabilitiesCheck])
    }

    private var filterCheck: Check {
        let name = "seccomp"
        guard seccomp.filter.isAvailable else {
            return Check(
                name: name, status: .no, found: "\(seccomp.filter)",
                advice: "a kernel with CONFIG_SECCOMP_FILTER", isEssential: true)
        }
        let lacking = SeccompSupport.knownActions.filter { !seccomp.actions.contains($0) }
        if lacking.isEmpty { return .yes(name, seccomp.actions.joined(separator: " ")) }
        return Check(
            name: name, status: .partly, found: "without " + lacking.joined(separator: " "),
            advice: "profiles that use these actions are refused; run Linux 5.0 or newer", isEssential: true)
    }

    private var notificationCheck: Check {
        let name = "seccomp notify"
        guard seccomp.userNotification else {
            return Check(
                name: name, status: .no, found: "no", advice: "profiles with a listener need Linux 5.0 or newer")
        }
        if seccomp.flags.contains("WAIT_KILLABLE_RECV") { return .yes(name, "yes, killable while it waits") }
        return Check(
            name: name, status: .partly, found: "without WAIT_KILLABLE_RECV",
            advice: "a signal restarts a call that waits for its listener; Linux 5.19 has the flag")
    }

    private var landlockCheck: Check {
        guard let version = security.landlockVersion else {
            return Check(
                name: "Landlock", status: .no, found: "no",
                advice: "a kernel with CONFIG_SECURITY_LANDLOCK, and `landlock` in its lsm= parameter")
        }
        let able = [(1, "files"), (3, "truncation"), (4, "TCP ports"), (5, "ioctl"), (6, "signals, abstract sockets")]
        let found = "ABI \(version): " + able.filter { $0.0 <= version }.map(\.1).joined(separator: ", ")
        if version >= 6 { return .yes("Landlock", found) }
        return Check(
            name: "Landlock", status: .partly, found: found,
            advice: "rules newer than this ABI are not enforced; Linux 6.12 has ABI 6")
    }

    private var modulesCheck: Check {
        let name = "security modules"
        guard let modules = security.modules else {
            return Check(
                name: name, status: .partly, found: "unknown",
                advice: "mount -t securityfs securityfs /sys/kernel/security, to see them")
        }
        let found = modules.isEmpty ? "none" : modules.joined(separator: " ")
        if security.hasAppArmor || security.hasSELinux { return .yes(name, found) }
        return Check(
            name: name, status: .partly, found: found,
            advice:
                "documents with AppArmor or SELinux labels are refused; boot with lsm=…,apparmor")
    }

    private var capabilitiesCheck: Check {
        let name = "capabilities"
        let missing = capabilities.missing
        if missing.isEmpty {
            let reach = namespaces.isInInitialUserNamespace ? "" : ", over this user namespace alone"
            return .yes(name, "all \(capabilities.last + 1)\(reach)")
        }
        if missing.count > capabilities.last {
            return Check(
                name: name, status: .partly, found: "none: not root",
                advice: "run as root, or let a user namespace give them over what belongs to it", isEssential: true)
        }
        let shown =
            missing.prefix(4).joined(separator: " ") + (missing.count > 4 ? " and \(missing.count - 4) more" : "")
        return Check(
            name: name, status: missing.contains("CAP_SYS_ADMIN") ? .no : .partly, found: "lacks \(shown)",
            advice: missing == ["CAP_SYS_RESOURCE"]
                ? "raising an rlimit or lowering oom_score_adj fails; start this process with it to have it"
                : "what needs them fails in containers too; start this process with them to have them",
            isEssential: true)
    }
}
