import Capabilities
import Glibc
import Launch
import Linux
import OCI
import Seccomp

extension PlanBuilder {
    /// From the new root to the program: who it is, what it may do, and the wait for the start.
    ///
    /// - Parameter ready: adds the step that waits for the start.
    mutating func addProcess(ready: (inout LaunchPlan) -> Void) throws(ContainerError) {
        if !process.terminal { plan.append(.session) }
        if !options.noNewKeyring { plan.append(.sessionKeyring) }
        let filter = try compiledFilter()
        try addAttributes(of: process, seccomp: process.noNewPrivileges ? nil : filter)
        plan.append(.findExecutable(process.args[0], searchPath: searchPath(process.env)))
        plan.append(.closeDescriptors(from: 3, keeping: (0..<CInt(preservedDescriptors)).map { $0 + 3 }))
        // A listener has to be handed over while there is somebody to take it.
        if process.noNewPrivileges, let filter, filter.asksListener { addSeccomp(filter) }
        ready(&plan)
        if !isExec { addHooksBeforeProgram() }
        if process.noNewPrivileges, let filter, !filter.asksListener { addSeccomp(filter) }
        let program = "exec \(quoted(process.args[0]))"
        plan.append(.execute(arguments: process.args, environment: try environment()), label: program)
    }

    private func environment() throws(ContainerError) -> [String] {
        if process.env.contains(where: { $0.hasPrefix("HOME=") }) { return process.env }
        return process.env + ["HOME=\(homeDirectory(of: process.user.uid, in: rootfs))"]
    }

    private func compiledFilter() throws(ContainerError) -> SeccompFilter? {
        guard let seccomp = configuration.linux.seccomp else { return nil }
        return try SeccompFilter(seccomp)
    }

    /// What a process is and may do: for a container's first process, and for one that joins it.
    mutating func addAttributes(
        of process: Configuration.Process, seccomp: SeccompFilter?
    ) throws(ContainerError) {
        plan.append(.umask(mode_t(process.user.umask ?? 0o022)))
        if let personality = configuration.linux.personality {
            plan.append(.personality(personality.domain == .linux32 ? 0x0008 : 0))
        }
        if let scheduler = process.scheduler { plan.append(.scheduler(scheduler.attributes)) }
        if let priority = process.ioPriority { plan.append(.ioPriority(priority.value)) }
        if let policy = configuration.linux.memoryPolicy { plan.append(try policy.operation()) }
        // Of an exec alone, as its name says (config.md, Linux Process).
        if isExec, let affinity = process.execCPUAffinity?.final ?? process.execCPUAffinity?.initial {
            plan.append(.cpuAffinity(try indices(affinity, at: "process.execCPUAffinity")))
        }
        for limit in process.rlimits where !isMapped {
            plan.append(.resourceLimit(limit.type.number, soft: limit.soft, hard: limit.hard))
        }
        try addLabels(process)
        if process.noNewPrivileges { plan.append(.noNewPrivileges) }
        if let seccomp { addSeccomp(seccomp) }
        plan.append(.changeDirectory(process.cwd))
        try addUser(process)
    }

    private mutating func addUser(_ process: Configuration.Process) throws(ContainerError) {
        let capabilities = try process.capabilities.map { names throws(ContainerError) in try CapabilityMasks(names) }
        if let capabilities {
            plan.append(.boundingSet(capabilities.bounding))
            plan.append(.keepCapabilities(true))
        }
        if plan.identityMaps?.deniesSetgroups != true && !joinsDeniedGroups {
            plan.append(.groups(process.user.additionalGids))
        }
        plan.append(.user(process.user.uid, group: process.user.gid))
        if let capabilities {
            plan.append(.keepCapabilities(false))
            plan.append(
                .capabilities(
                    effective: capabilities.effective, permitted: capabilities.permitted,
                    inheritable: capabilities.inheritable))
            plan.append(.ambientSet(capabilities.ambient))
        }
    }

    /// SELinux and AppArmor take the label for the next execve through procfs.
    private mutating func addLabels(_ process: Configuration.Process) throws(ContainerError) {
        if let label = process.selinuxLabel, !label.isEmpty {
            guard access("/sys/fs/selinux/enforce", F_OK) == 0 else {
                throw ContainerError(
                    .badDocument, "config.json: process.selinuxLabel: this kernel runs without SELinux")
            }
            plan.append(.writeFile(root: proc, path: "self/attr/exec", text: label))
        }
        if let profile = process.apparmorProfile, !profile.isEmpty {
            // Not by securityfs: for a container with a user namespace podman runs its runtime where that is not seen.
            guard (try? readText("/sys/module/apparmor/parameters/enabled"))?.hasPrefix("Y") == true else {
                throw ContainerError(
                    .badDocument, "config.json: process.apparmorProfile: this kernel runs without AppArmor")
            }
            plan.append(
                .writeFile(
                    root: proc, path: "self/attr/\(Self.appArmorDirectory)exec", text: "exec \(profile)"))
        }
    }

    private static let appArmorDirectory = access("/proc/self/attr/apparmor", F_OK) == 0 ? "apparmor/" : ""

    mutating func addSeccomp(_ filter: SeccompFilter) {
        let listener = filter.asksListener ? plan.makeSlot() : nil
        plan.append(
            .seccomp(program: filter.words, flags: filter.flags, listener: listener),
            label: "install the seccomp filter")
        if let listener { plan.append(.synchronize(Self.listenerPoint, sending: .slot(listener))) }
    }
}

/// Where a program without a slash in its name is looked for.
func searchPath(_ environment: [String]) -> [String] {
    guard let path = environment.last(where: { $0.hasPrefix("PATH=") }) else { return [] }
    return path.dropFirst(5).split(separator: ":", omittingEmptySubsequences: false).map {
        $0.isEmpty ? "." : String($0)
    }
}

/// The home directory of a user of the container's, by the container's own `/etc/passwd`; `/` where that says nothing.
func homeDirectory(of user: UInt32, in rootfs: String) -> String {
    guard let root = try? Descriptor.open(rootfs, [.path, .directory]),
        let file = try? root.open("etc/passwd", .readOnly, resolve: [.inRoot, .noMagicLinks]),
        let bytes = try? file.readToEnd(limit: 1 << 20)
    else { return "/" }
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
        let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard fields.count >= 6, String(decoding: fields[2], as: UTF8.self) == String(user), !fields[5].isEmpty else {
            continue
        }
        return String(decoding: fields[5], as: UTF8.self)
    }
    return "/"
}

/// Names of capabilities as masks. A name that this kernel lacks is an error, as a container that silently has less
/// than it was given fails later and elsewhere.
struct CapabilityMasks {
    var bounding, effective, permitted, inheritable, ambient: UInt64

    init(_ names: Configuration.Process.Capabilities) throws(ContainerError) {
        func mask(_ list: [String], _ field: String) throws(ContainerError) -> UInt64 {
            do throws(CapabilityError) { return try CapabilitySet(names: list).rawValue } catch {
                throw ContainerError(.badDocument, "config.json: process.capabilities.\(field): \(error)")
            }
        }
        bounding = try mask(names.bounding, "bounding")
        effective = try mask(names.effective, "effective")
        permitted = try mask(names.permitted, "permitted")
        inheritable = try mask(names.inheritable, "inheritable")
        // The kernel refuses to raise what is not permitted and inheritable as well. Documents that list such names
        // are common (runc's own template was one), and every runtime starts them without.
        ambient = try mask(names.ambient, "ambient") & permitted & inheritable
    }
}
