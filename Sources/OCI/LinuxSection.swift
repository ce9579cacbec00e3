extension Configuration {
    /// `linux`: all that only Linux has (config-linux.md).
    public struct LinuxSection: Equatable, Sendable {
        /// `uidMappings`: of the user namespace (User namespace mappings).
        public var uidMappings: [IDMapping] = []
        /// `gidMappings`: of the user namespace (User namespace mappings).
        public var gidMappings: [IDMapping] = []
        /// `sysctl`: kernel parameters, by name (Sysctl).
        public var sysctl: [String: String] = [:]
        /// `resources`: limits of the container's cgroup (Control groups); nil leaves them alone.
        public var resources: Resources?
        /// `cgroupsPath`: the container's cgroup, below the mount point when it starts with a slash (Cgroups Path).
        public var cgroupsPath: String?
        /// `namespaces`: those made or joined; each kind at most once (Namespaces).
        public var namespaces: [Namespace] = []
        /// `devices`: device nodes beyond the default ones (Devices).
        public var devices: [Device] = []
        /// `netDevices`: network devices moved into the container, by their name outside (Network Devices; 1.3).
        public var netDevices: [NetworkDevice] = []
        /// `seccomp`: the system-call filter (Seccomp).
        public var seccomp: Seccomp?
        /// `rootfsPropagation`: of the root mount (Rootfs Mount Propagation).
        public var rootfsPropagation: RootfsPropagation?
        /// `maskedPaths`: hidden, absolute paths in the container (Masked Paths).
        public var maskedPaths: [String] = []
        /// `readonlyPaths`: made read-only, absolute paths in the container (Readonly Paths).
        public var readonlyPaths: [String] = []
        /// `mountLabel`: the SELinux context of the mounts (Mount Label).
        public var mountLabel: String?
        /// `intelRdt`: cache and memory bandwidth (IntelRdt).
        public var intelRdt: IntelRDT?
        /// `memoryPolicy`: the NUMA policy (Memory policy; 1.3).
        public var memoryPolicy: MemoryPolicy?
        /// `personality`: see personality(2) (Personality).
        public var personality: Personality?
        /// `timeOffsets`: of the time namespace's clocks (Offset for Time Namespace).
        public var timeOffsets = TimeOffsets()

        /// Nothing set.
        public init() {}

        /// The namespace of a kind, if the document lists it.
        public func namespace(_ kind: Namespace.Kind) -> Namespace? { namespaces.first { $0.type == kind } }
    }

    /// `linux.rootfsPropagation` (config-linux.md, Rootfs Mount Propagation).
    ///
    /// The specification lists the four plain ones; docker and podman write the recursive ones, and every runtime
    /// takes them.
    public enum RootfsPropagation: String, CaseIterable, Sendable {
        /// Nothing passes, either way.
        case `private`
        /// Mounts pass both ways.
        case shared
        /// Mounts pass from the host only.
        case slave
        /// As private, and cannot be bind-mounted.
        case unbindable
        /// As private, for all below too.
        case recursivePrivate = "rprivate"
        /// As shared, for all below too.
        case recursiveShared = "rshared"
        /// As slave, for all below too.
        case recursiveSlave = "rslave"
        /// As unbindable, for all below too.
        case recursiveUnbindable = "runbindable"
    }
}

extension Configuration.RootfsPropagation: DocumentName {
    package static var noun: String { "a mount propagation" }
}

extension Configuration.LinuxSection: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        uidMappings = try fields.list("uidMappings")
        gidMappings = try fields.list("gidMappings")
        sysctl = try fields.map("sysctl")
        resources = try fields.optional("resources")
        cgroupsPath = try fields.text("cgroupsPath")
        namespaces = try fields.list("namespaces")
        devices = try fields.list("devices")
        try fields.element("netDevices")?.members { (name, element) throws(DocumentError) in
            if netDevices.contains(where: { $0.device == name }) { throw element.problem("given 2 times") }
            netDevices.append(try Configuration.NetworkDevice(name, element))
        }
        seccomp = try fields.optional("seccomp")
        if try fields.text("rootfsPropagation") != nil { rootfsPropagation = try fields.optional("rootfsPropagation") }
        maskedPaths = try fields.list("maskedPaths")
        readonlyPaths = try fields.list("readonlyPaths")
        mountLabel = try fields.text("mountLabel")
        intelRdt = try fields.optional("intelRdt")
        memoryPolicy = try fields.optional("memoryPolicy")
        personality = try fields.optional("personality")
        timeOffsets = try fields.value("timeOffsets", default: Configuration.TimeOffsets())
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("uidMappings", list: uidMappings)
        object.add("gidMappings", list: gidMappings)
        object.add("sysctl", map: sysctl)
        object.add("resources", resources)
        object.add("cgroupsPath", cgroupsPath)
        object.add("namespaces", list: namespaces)
        object.add("devices", list: devices)
        object.add(
            "netDevices", unless: netDevices.isEmpty,
            JSON.object(netDevices.map { JSON.Member($0.device, $0.settings) }))
        object.add("seccomp", seccomp)
        object.add("rootfsPropagation", rootfsPropagation)
        object.add("maskedPaths", list: maskedPaths)
        object.add("readonlyPaths", list: readonlyPaths)
        object.add("mountLabel", mountLabel)
        object.add("intelRdt", intelRdt)
        object.add("memoryPolicy", memoryPolicy)
        object.add("personality", personality)
        object.add("timeOffsets", unless: timeOffsets == Configuration.TimeOffsets(), timeOffsets)
        return object.json
    }
}
