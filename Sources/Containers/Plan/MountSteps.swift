import Cgroups
import Glibc
import Launch
import Linux
import Namespaces
import OCI

extension PlanBuilder {
    /// The container's whole view of files, up to the new root.
    mutating func addMountTree() throws(ContainerError) {
        // Nothing that is mounted from here on shows up on the host, whatever the host shares.
        plan.append(.propagation(path: "/", flags: recursiveSlave))
        try addRoot()
        for (index, mount) in configuration.mounts.enumerated() { try addMount(mount, index) }
        try addNotifyDirectory()
        if !hasForeignDevices { addDevices() }
        addWorkingDirectory()
        addHooksBeforeRoot()
        if process.terminal, let consoleSocket = channels.consoleSocket {
            plan.append(
                .terminal(
                    receiver: .inherited(consoleSocket), root: root,
                    columns: UInt16(truncatingIfNeeded: process.consoleSize?.width ?? 0),
                    rows: UInt16(truncatingIfNeeded: process.consoleSize?.height ?? 0)))
        }
        for path in configuration.linux.readonlyPaths { plan.append(.readOnly(root: root, path: path)) }
        for path in configuration.linux.maskedPaths { plan.append(.mask(root: root, path: path)) }
        // /dev was writable for its devices until here.
        for mount in configuration.mounts where isDeviceFileSystem(mount) && mount.options.contains("ro") {
            plan.append(
                .pathAttributes(
                    root: root, path: mount.destination, set: MountAttributes.readOnly.rawValue, clear: 0))
        }
        if configuration.root.readonly {
            plan.append(.mountAttributes(root, set: MountAttributes.readOnly.rawValue, clear: 0))
        }
        plan.append(options.noPivot ? .moveRoot(root) : .pivotRoot(root))
        if let propagation = configuration.linux.rootfsPropagation {
            plan.append(.propagation(path: "/", flags: propagation.flags))
        }
    }

    /// The root is attached on top of the old one: no path to it is walked again, and the mapped root, who may not be
    /// allowed to walk to the bundle, does not have to.
    private mutating func addRoot() throws(ContainerError) {
        if isMapped && geteuid() == 0 {
            root = .inherited(try cloneTree(rootfs, recursive: true))
            plan.append(.mountAttributes(root, set: 0, clear: 0, propagation: slave, recursive: true))
        } else {
            let slot = plan.makeSlot()
            plan.append(.cloneTree(path: rootfs, from: .workingDirectory, recursive: true, into: slot))
            root = .slot(slot)
        }
        plan.append(.attachAtPath(root, path: "/"))
    }

    /// Whether the host's devices are shown: nothing is made among them.
    private var hasForeignDevices: Bool {
        configuration.mounts.contains { normalized($0.destination) == "/dev" && isBind($0) }
    }

    private func isDeviceFileSystem(_ mount: Configuration.Mount) -> Bool {
        normalized(mount.destination) == "/dev" && !isBind(mount)
    }

    private func isBind(_ mount: Configuration.Mount) -> Bool {
        mount.type == "bind" || mount.options.contains("bind") || mount.options.contains("rbind")
    }

    private mutating func addMount(_ mount: Configuration.Mount, _ index: Int) throws(ContainerError) {
        var options: MountOptions
        do throws(MountOptionError) { options = try MountOptions(parsing: mount.options) } catch {
            throw ContainerError(.badDocument, "config.json: mounts[\(index)].options: \(error)")
        }
        if mount.type == "bind" && !options.isBind { options.flags.formUnion([.bind, .recursive]) }
        if options.isRemount {
            addRemount(mount, options)
        } else if options.isBind {
            try addBind(mount, options, index)
        } else {
            try addFileSystem(mount, options, index)
        }
    }

    private mutating func addRemount(_ mount: Configuration.Mount, _ options: MountOptions) {
        let change = options.attributes
        plan.append(
            .pathAttributes(
                root: root, path: mount.destination, set: change.set.rawValue, clear: change.clear.rawValue))
        if !options.data.isEmpty {
            plan.append(
                .reconfigure(
                    root: root, path: mount.destination, options: options.data.map(fileSystemOption)))
        }
    }

    private mutating func addBind(
        _ mount: Configuration.Mount, _ options: MountOptions, _ index: Int
    ) throws(ContainerError) {
        guard let source = mount.source, !source.isEmpty else {
            throw ContainerError(.badDocument, "config.json: mounts[\(index)].source: required for a bind mount")
        }
        let path = absolute(source, in: bundle)
        let tree: DescriptorReference
        let map = try ownerMap(mount, options, index)
        if geteuid() == 0 && (isMapped || map != nil) {
            // Copied by the parent: the mapped root may not reach the source, and may not map its owners.
            tree = .inherited(try cloneTree(path, recursive: options.isRecursiveBind, mappingOwners: map))
            plan.append(.mountAttributes(tree, set: 0, clear: 0, propagation: slave, recursive: true))
        } else {
            let slot = slotForMount()
            plan.append(
                .cloneTree(path: path, from: .workingDirectory, recursive: options.isRecursiveBind, into: slot))
            tree = .slot(slot)
        }
        addAttributes(tree, options)
        plan.append(.attach(tree, root: root, path: mount.destination, create: .file))
        addPropagation(tree, options)
    }

    private mutating func addAttributes(_ mount: DescriptorReference, _ options: MountOptions) {
        for (change, recursive) in [(options.attributes, false), (options.recursiveAttributes, true)]
        where !change.isEmpty {
            plan.append(
                .mountAttributes(
                    mount, set: change.set.rawValue, clear: change.clear.rawValue, recursive: recursive))
        }
    }

    private mutating func addPropagation(_ mount: DescriptorReference, _ options: MountOptions) {
        for propagation in options.propagation {
            plan.append(
                .mountAttributes(
                    mount, set: 0, clear: 0, propagation: UInt64(propagation.kind.flag.rawValue),
                    recursive: propagation.recursive))
        }
    }

    private mutating func addFileSystem(
        _ mount: Configuration.Mount, _ options: MountOptions, _ index: Int
    ) throws(ContainerError) {
        guard var type = mount.type, !type.isEmpty, type != "none" else {
            throw ContainerError(.badDocument, "config.json: mounts[\(index)].type: required but for a bind mount")
        }
        if type == "cgroup" { type = "cgroup2" }
        var attributes = options.attributes.set.union(options.recursiveAttributes.set)
        if type == "cgroup2", !has(.cgroup), !isMapped, let hierarchy = try? CgroupHierarchy.find() {
            return addHostCgroups(hierarchy, at: mount.destination, attributes, options)
        }
        // Its devices, or the copies, come first.
        let closesLater = options.copiesUp && attributes.contains(.readOnly)
        if isDeviceFileSystem(mount) || closesLater { attributes.remove(.readOnly) }
        let slot = slotForMount()
        plan.append(
            .fileSystem(
                type: type, source: mount.source.flatMap { $0.isEmpty ? nil : $0 } ?? type,
                options: fileSystemOptions(type, options) + (try mountLabel(type)), attributes: attributes.rawValue,
                into: slot))
        if options.copiesUp {
            plan.append(.copyUp(into: .slot(slot), root: root, path: mount.destination))
            if closesLater && !isDeviceFileSystem(mount) {
                plan.append(.mountAttributes(.slot(slot), set: MountAttributes.readOnly.rawValue, clear: 0))
            }
        }
        plan.append(.attach(.slot(slot), root: root, path: mount.destination, create: .directory))
        addPropagation(.slot(slot), options)
    }

    /// The host's cgroups as the host has them mounted: a mount made anew from within the host's cgroup namespace would
    /// set the hierarchy's own options, such as `nsdelegate`, for the whole machine.
    private mutating func addHostCgroups(
        _ hierarchy: CgroupHierarchy, at destination: String, _ attributes: MountAttributes, _ options: MountOptions
    ) {
        let slot = slotForMount()
        let all: MountAttributes = [
            .readOnly, .noSuid, .noDev, .noExec, .accessTimesMask, .noDirAtime, .noSymFollow,
        ]
        plan.append(.cloneTree(path: hierarchy.mountPoint, from: .workingDirectory, recursive: false, into: slot))
        plan.append(
            .mountAttributes(
                .slot(slot), set: attributes.rawValue, clear: all.rawValue,
                propagation: Configuration.RootfsPropagation.private.flags))
        plan.append(.attach(.slot(slot), root: root, path: destination, create: .directory))
        addPropagation(.slot(slot), options)
    }

    private func fileSystemOptions(_ type: String, _ options: MountOptions) -> [Operation.FileSystemOption] {
        // The kernel's own file systems have one superblock for all: being read-only is the mount's matter there.
        let isShared = ["proc", "sysfs", "cgroup2", "mqueue", "tmpfs", "devpts"].contains(type)
        var parameters: [Operation.FileSystemOption] = []
        if !isShared && options.flags.contains(.readOnly) { parameters.append(.flag("ro")) }
        for (flag, word) in [
            (MountFlags.synchronous, "sync"), (.directorySynchronous, "dirsync"), (.lazyTime, "lazytime"),
        ]
        where options.flags.contains(flag) { parameters.append(.flag(word)) }
        // cgroup v1 words of a `cgroup` mount mean nothing to cgroup2.
        if type == "cgroup2" { return parameters + hierarchyFlags }
        return parameters + options.data.map(fileSystemOption)
    }

    /// How the host's cgroup2 is set up, in case that the cgroup namespace which is joined turns out to be the host's; see
    /// ``addHostCgroups(_:at:_:_:)``.
    private var hierarchyFlags: [Operation.FileSystemOption] {
        if isNew(.cgroup) { return [] }
        let mounts = (try? MountTable.current())?.mounts ?? []
        guard let hierarchy = mounts.first(where: { $0.fileSystemType == "cgroup2" }) else { return [] }
        return hierarchy.superblockOptions.split(separator: ",").map(String.init)
            .filter { $0 != "rw" && $0 != "ro" }.map(fileSystemOption)
    }

    private func fileSystemOption(_ word: String) -> Operation.FileSystemOption {
        guard let sign = word.firstIndex(of: "=") else { return .flag(word) }
        return .string(String(word[..<sign]), String(word[word.index(after: sign)...]))
    }

    /// SELinux's label for the files of a file system that has none of its own.
    private func mountLabel(_ type: String) throws(ContainerError) -> [Operation.FileSystemOption] {
        guard let label = configuration.linux.mountLabel, !label.isEmpty else { return [] }
        guard access("/sys/fs/selinux/enforce", F_OK) == 0 else {
            throw ContainerError(.badDocument, "config.json: linux.mountLabel: this kernel runs without SELinux")
        }
        // The kernel labels these itself, or refuses a label.
        return ["proc", "sysfs", "cgroup2", "mqueue"].contains(type) ? [] : [.string("context", label)]
    }

    /// The program starts in a directory that exists.
    private mutating func addWorkingDirectory() {
        if normalized(process.cwd) != "/" {
            plan.append(.makeDirectory(root: root, path: process.cwd, mode: 0o755))
        }
    }
}

let slave: UInt64 = 1 << 19
let recursiveSlave: UInt64 = 1 << 19 | 16384

/// A path without doubled and trailing slashes.
func normalized(_ path: String) -> String {
    var result = ""
    for part in path.split(separator: "/") where part != "." {
        result += "/"
        result += String(part)
    }
    return result.isEmpty ? "/" : result
}

extension Configuration.RootfsPropagation {
    /// `MS_*` bits.
    var flags: UInt64 {
        let recursive: UInt64 = 16384
        return switch self {
        case .private: 1 << 18
        case .shared: 1 << 20
        case .slave: 1 << 19
        case .unbindable: 1 << 17
        case .recursivePrivate: 1 << 18 | recursive
        case .recursiveShared: 1 << 20 | recursive
        case .recursiveSlave: 1 << 19 | recursive
        case .recursiveUnbindable: 1 << 17 | recursive
        }
    }
}
