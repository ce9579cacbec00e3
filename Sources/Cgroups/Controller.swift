import Linux

/// A resource controller, by the kernel's name; one newer than this library is as good as the others.
public struct Controller: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let cpu = Controller(rawValue: "cpu")
    public static let cpuset = Controller(rawValue: "cpuset")
    public static let io = Controller(rawValue: "io")
    public static let memory = Controller(rawValue: "memory")
    public static let hugetlb = Controller(rawValue: "hugetlb")
    public static let pids = Controller(rawValue: "pids")
    public static let rdma = Controller(rawValue: "rdma")
    public static let misc = Controller(rawValue: "misc")

    public var description: String { rawValue }

    /// What version 1 and `/proc/cgroups` call it.
    var version1Name: String { self == .io ? "blkio" : rawValue }

    /// The controller that an interface file belongs to; nil for the files that every cgroup has, as `cgroup.procs`
    /// and `cpu.pressure`.
    public init?(ofFile file: String) {
        guard let dot = file.firstIndex(of: "."), dot != file.startIndex else { return nil }
        let prefix = file[..<dot]
        if prefix == "cgroup" || file.hasSuffix(".pressure") { return nil }
        rawValue = String(prefix)
    }
}

/// Why a cgroup lacks a controller, and what to do about it.
public struct ControllerAbsence: Hashable, Sendable {
    /// What stands in the way.
    public enum Reason: Hashable, Sendable {
        /// A version 1 hierarchy uses it, mounted there; a controller serves one hierarchy at a time.
        case boundToVersion1(mountPoint: String?)
        /// Switched off at boot, with `cgroup_disable=`.
        case disabledAtBoot
        /// This kernel was built without it, or its module is not loaded.
        case notInKernel
        /// The kernel has it, but the root of what is mounted at this place was not given it.
        case notDelegated(to: String)
        /// The cgroup at this path does not offer it to its children.
        case notEnabled(in: String)
    }

    public var controller: Controller
    public var reason: Reason

    /// What would make the controller available.
    public var advice: String {
        switch reason {
        case .boundToVersion1(let mountPoint):
            "boot with cgroup_no_v1=\(controller.version1Name)"
                + (mountPoint.map { ", or unmount \(quoted($0)) once it has no cgroups" } ?? "")
        case .disabledAtBoot: "take cgroup_disable=\(controller.version1Name) from the kernel's command line"
        case .notInKernel: "use a kernel that has it"
        case .notDelegated: "ask the host to delegate it (systemd: Delegate=\(controller))"
        case .notEnabled(let parent): "write \"+\(controller)\" to cgroup.subtree_control of \(quoted(parent))"
        }
    }
}

extension ControllerAbsence: CustomStringConvertible {
    public var description: String {
        let why =
            switch reason {
            case .boundToVersion1(let mountPoint):
                "on this machine it is bound to a cgroup v1 hierarchy"
                    + (mountPoint.map { " mounted at \(quoted($0))" } ?? "")
            case .disabledAtBoot: "it was disabled at boot"
            case .notInKernel: "this kernel does not offer it"
            case .notDelegated(let root): "it is not in cgroup.controllers of \(quoted(root))"
            case .notEnabled(let parent): "it is not enabled in cgroup.subtree_control of \(quoted(parent))"
            }
        return "the controller \(controller) is missing: \(why); \(advice)"
    }
}

extension CgroupHierarchy {
    /// Why the hierarchy's root lacks a controller; nil when it has it.
    public func absence(of controller: Controller) throws(CgroupError) -> ControllerAbsence? {
        if try controllers().contains(controller) { return nil }
        let host = HostControllers()
        return ControllerAbsence(controller: controller, reason: host.reason(for: controller, missingAt: mountPoint))
    }
}

extension Cgroup {
    /// The controllers that this cgroup has: what its parent gives it; `cgroup.controllers`.
    public func availableControllers() throws(CgroupError) -> [Controller] {
        try controllerList("cgroup.controllers")
    }

    /// The controllers that this cgroup gives its children; `cgroup.subtree_control`.
    public func enabledControllers() throws(CgroupError) -> [Controller] {
        try controllerList("cgroup.subtree_control")
    }

    private func controllerList(_ file: String) throws(CgroupError) -> [Controller] {
        try read(file).split { $0 == " " || $0 == "\n" }.map { Controller(rawValue: String($0)) }
    }

    /// Gives controllers to this cgroup's children, and takes others from them; `cgroup.subtree_control`.
    ///
    /// - Throws: ``CgroupError/Cause-swift.enum/controllerMissing(_:)`` when this cgroup has it not itself; `EBUSY`
    ///   when it holds processes of its own, or when children still use what is to be taken.
    public func enable(_ controllers: [Controller], disable: [Controller] = []) throws(CgroupError) {
        if controllers.isEmpty && disable.isEmpty { return }
        let value =
            (controllers.map { "+\($0.rawValue)" } + disable.map { "-\($0.rawValue)" }).joined(separator: " ")
        let whole: CgroupError
        do throws(CgroupError) { return try write(value, to: "cgroup.subtree_control") } catch { whole = error }
        // The kernel refuses the whole list for one of its words: find out which.
        for controller in controllers {
            do throws(CgroupError) { try write("+\(controller.rawValue)", to: "cgroup.subtree_control") } catch {
                if error.errno == .noSuchFileOrDirectory || error.errno == .invalidArgument,
                    let absence = try absence(of: controller)
                {
                    throw CgroupError(.enable(controller), path: path, cause: .controllerMissing(absence))
                }
                throw CgroupError(.enable(controller), path: path, cause: error.cause, hint: error.hint)
            }
        }
        if !disable.isEmpty { throw whole }
    }

    /// Makes sure that this cgroup has the controllers, enabling them from the hierarchy's root downwards wherever an
    /// ancestor lacks them.
    public func acquire(_ controllers: [Controller]) throws(CgroupError) {
        let present = try availableControllers()
        let missing = controllers.filter { !present.contains($0) }
        if missing.isEmpty { return }
        guard let parent = try parent() else {
            let host = HostControllers()
            let absence = ControllerAbsence(
                controller: missing[0], reason: host.reason(for: missing[0], missingAt: path))
            throw CgroupError(.enable(missing[0]), path: path, cause: .controllerMissing(absence))
        }
        try parent.acquire(missing)
        try parent.enable(missing)
    }

    /// Why this cgroup lacks a controller; nil when it has it.
    public func absence(of controller: Controller) throws(CgroupError) -> ControllerAbsence? {
        if try availableControllers().contains(controller) { return nil }
        guard let parent = try parent() else {
            let host = HostControllers()
            return ControllerAbsence(controller: controller, reason: host.reason(for: controller, missingAt: path))
        }
        if let above = try parent.absence(of: controller) { return above }
        return ControllerAbsence(controller: controller, reason: .notEnabled(in: parent.path))
    }
}

/// What the host says of controllers outside the cgroup2 file system.
struct HostControllers {
    /// `/proc/cgroups`.
    var table: String
    /// `/proc/self/mountinfo`.
    var mounts: String

    init(table: String, mounts: String) {
        self.table = table
        self.mounts = mounts
    }

    init() {
        self.init(
            table: (try? readText("/proc/cgroups")) ?? "", mounts: (try? readText("/proc/self/mountinfo")) ?? "")
    }

    func reason(for controller: Controller, missingAt root: String) -> ControllerAbsence.Reason {
        let name = controller.version1Name
        for line in table.split(separator: "\n") {
            let fields = line.split { $0 == "\t" || $0 == " " }
            guard fields.count >= 4, fields[0] == name else { continue }
            if fields[3] == "0" { return .disabledAtBoot }
            if fields[1] != "0" { return .boundToVersion1(mountPoint: version1Mount(of: name)) }
            return .notDelegated(to: root)
        }
        return .notInKernel
    }

    private func version1Mount(of name: String) -> String? {
        for line in mounts.split(separator: "\n") {
            guard let mount = CgroupMount(line), mount.version == 1 else { continue }
            if mount.options.contains(where: { $0 == name }) { return mount.mountPoint }
        }
        return nil
    }
}
