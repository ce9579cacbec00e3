/// What a runtime has been built to do: what `features` prints (features.md).
///
/// A nil property means "unknown", which is not the same as false or an empty list: the specification tells them apart.
public struct Features: Equatable, Sendable {
    /// `ociVersionMin`: the oldest specification that the runtime knows.
    public var ociVersionMin: SemanticVersion
    /// `ociVersionMax`: the newest.
    public var ociVersionMax: SemanticVersion
    /// `hooks`: names of ``Configuration/Hooks``.
    public var hooks: [String]?
    /// `mountOptions`: not those of single file systems.
    public var mountOptions: [String]?
    /// `linux`
    public var linux: LinuxSection?
    /// `annotations`: about the runtime itself.
    public var annotations: [String: String]?
    /// `potentiallyUnsafeConfigAnnotations`: annotations of a configuration that change what the runtime does; one
    /// that ends in a dot is a prefix.
    public var potentiallyUnsafeConfigAnnotations: [String]?

    /// Features of which nothing is known yet but the versions.
    public init(ociVersionMin: SemanticVersion, ociVersionMax: SemanticVersion) {
        self.ociVersionMin = ociVersionMin
        self.ociVersionMax = ociVersionMax
    }

    /// Reads the features of any runtime.
    ///
    /// - Throws: ``DocumentError`` with the path of the first field at fault.
    public init(json bytes: some Collection<UInt8>) throws(DocumentError) { self = try decode(bytes) }

    /// Reads the features of any runtime.
    ///
    /// - Throws: ``DocumentError`` with the path of the first field at fault.
    public init(json text: String) throws(DocumentError) { try self.init(json: text.utf8) }
}

extension Features {
    /// `linux` (features-linux.md). Names of other runtimes may be newer than these types, so they are text.
    public struct LinuxSection: Equatable, Sendable {
        /// `namespaces`: of ``Configuration/Namespace/Kind``.
        public var namespaces: [String]?
        /// `capabilities`: such as `CAP_CHOWN`.
        public var capabilities: [String]?
        /// `cgroup`
        public var cgroup: Cgroup?
        /// `seccomp`
        public var seccomp: Seccomp?
        /// `apparmor`
        public var apparmor: Switch?
        /// `selinux`
        public var selinux: Switch?
        /// `intelRdt`
        public var intelRdt: IntelRDT?
        /// `memoryPolicy` (1.3)
        public var memoryPolicy: MemoryPolicy?
        /// `mountExtensions`
        public var mountExtensions: MountExtensions?
        /// `netDevices` (1.3)
        public var netDevices: Switch?

        /// Nothing known.
        public init() {}
    }

    /// A feature that is there or not.
    public struct Switch: Equatable, Sendable {
        /// `enabled`
        public var enabled: Bool?

        /// A feature that is there or not.
        public init(enabled: Bool? = nil) { self.enabled = enabled }
    }

    /// `linux.cgroup`
    public struct Cgroup: Equatable, Sendable {
        /// `v1`
        public var v1: Bool?
        /// `v2`
        public var v2: Bool?
        /// `systemd`
        public var systemd: Bool?
        /// `systemdUser`
        public var systemdUser: Bool?
        /// `rdma`
        public var rdma: Bool?

        /// Nothing known.
        public init() {}
    }

    /// `linux.seccomp`
    public struct Seccomp: Equatable, Sendable {
        /// `enabled`
        public var enabled: Bool?
        /// `actions`: of ``Configuration/Seccomp/Action``.
        public var actions: [String]?
        /// `operators`: of ``Configuration/Seccomp/Operator``.
        public var operators: [String]?
        /// `archs`: of ``Configuration/Seccomp/Architecture``.
        public var archs: [String]?
        /// `knownFlags`: of ``Configuration/Seccomp/Flag``.
        public var knownFlags: [String]?
        /// `supportedFlags`: those that kernel and libseccomp support too.
        public var supportedFlags: [String]?

        /// Nothing known.
        public init() {}
    }

    /// `linux.intelRdt`
    public struct IntelRDT: Equatable, Sendable {
        /// `enabled`
        public var enabled: Bool?
        /// `schemata` (1.3)
        public var schemata: Bool?
        /// `monitoring` (1.3)
        public var monitoring: Bool?

        /// Nothing known.
        public init() {}
    }

    /// `linux.memoryPolicy` (1.3)
    public struct MemoryPolicy: Equatable, Sendable {
        /// `modes`: of ``Configuration/MemoryPolicy/Mode``.
        public var modes: [String]?
        /// `flags`: of ``Configuration/MemoryPolicy/Flag``.
        public var flags: [String]?

        /// Nothing known.
        public init() {}
    }

    /// `linux.mountExtensions`
    public struct MountExtensions: Equatable, Sendable {
        /// `idmap`: id-mapped mounts.
        public var idmap: Switch?

        /// Nothing known.
        public init() {}
    }
}

extension Features: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        ociVersionMin = try fields.required("ociVersionMin")
        ociVersionMax = try fields.required("ociVersionMax")
        guard ociVersionMin <= ociVersionMax else {
            throw DocumentError(
                path: "ociVersionMax",
                problem: "must not be less than ociVersionMin (\(ociVersionMin)), found \(ociVersionMax)")
        }
        hooks = try fields.optional("hooks")
        mountOptions = try fields.optional("mountOptions")
        linux = try fields.optional("linux")
        annotations = try fields.optional("annotations")
        potentiallyUnsafeConfigAnnotations = try fields.optional("potentiallyUnsafeConfigAnnotations")
    }

    /// The document; ``JSON/encoded(indentation:)`` makes it text.
    public var json: JSON {
        var object = ObjectBuilder()
        object.add("ociVersionMin", ociVersionMin)
        object.add("ociVersionMax", ociVersionMax)
        object.add("hooks", hooks)
        object.add("mountOptions", mountOptions)
        object.add("linux", linux)
        object.add("annotations", annotations)
        object.add("potentiallyUnsafeConfigAnnotations", potentiallyUnsafeConfigAnnotations)
        return object.json
    }
}

extension Features.LinuxSection: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        namespaces = try fields.optional("namespaces")
        capabilities = try fields.optional("capabilities")
        cgroup = try fields.optional("cgroup")
        seccomp = try fields.optional("seccomp")
        apparmor = try fields.optional("apparmor")
        selinux = try fields.optional("selinux")
        intelRdt = try fields.optional("intelRdt")
        memoryPolicy = try fields.optional("memoryPolicy")
        mountExtensions = try fields.optional("mountExtensions")
        netDevices = try fields.optional("netDevices")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("namespaces", namespaces)
        object.add("capabilities", capabilities)
        object.add("cgroup", cgroup)
        object.add("seccomp", seccomp)
        object.add("apparmor", apparmor)
        object.add("selinux", selinux)
        object.add("intelRdt", intelRdt)
        object.add("memoryPolicy", memoryPolicy)
        object.add("mountExtensions", mountExtensions)
        object.add("netDevices", netDevices)
        return object.json
    }
}

extension Features.Switch: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        enabled = try element.fields().optional("enabled")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("enabled", enabled)
        return object.json
    }
}

extension Features.Cgroup: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        v1 = try fields.optional("v1")
        v2 = try fields.optional("v2")
        systemd = try fields.optional("systemd")
        systemdUser = try fields.optional("systemdUser")
        rdma = try fields.optional("rdma")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("v1", v1)
        object.add("v2", v2)
        object.add("systemd", systemd)
        object.add("systemdUser", systemdUser)
        object.add("rdma", rdma)
        return object.json
    }
}

extension Features.Seccomp: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        enabled = try fields.optional("enabled")
        actions = try fields.optional("actions")
        operators = try fields.optional("operators")
        archs = try fields.optional("archs")
        knownFlags = try fields.optional("knownFlags")
        supportedFlags = try fields.optional("supportedFlags")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("enabled", enabled)
        object.add("actions", actions)
        object.add("operators", operators)
        object.add("archs", archs)
        object.add("knownFlags", knownFlags)
        object.add("supportedFlags", supportedFlags)
        return object.json
    }
}

extension Features.IntelRDT: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        enabled = try fields.optional("enabled")
        schemata = try fields.optional("schemata")
        monitoring = try fields.optional("monitoring")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("enabled", enabled)
        object.add("schemata", schemata)
        object.add("monitoring", monitoring)
        return object.json
    }
}

extension Features.MemoryPolicy: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        modes = try fields.optional("modes")
        flags = try fields.optional("flags")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("modes", modes)
        object.add("flags", flags)
        return object.json
    }
}

extension Features.MountExtensions: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        idmap = try element.fields().optional("idmap")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("idmap", idmap)
        return object.json
    }
}
