extension Configuration {
    /// `linux.resources` (config-linux.md, Control groups). Also the document that `update --resources` reads.
    public struct Resources: Equatable, Sendable {
        /// `devices`: what may be opened; applied in order, the last match counts (Allowed Device list).
        public var devices: [DeviceRule] = []
        /// `memory`
        public var memory: Memory?
        /// `cpu`
        public var cpu: CPU?
        /// `pids`
        public var pids: PIDs?
        /// `blockIO`
        public var blockIO: BlockIO?
        /// `hugepageLimits`: by page size (Huge page limits).
        public var hugepageLimits: [HugepageLimit] = []
        /// `network`: cgroup v1 only.
        public var network: Network?
        /// `rdma`: a device each. A list, where the document has an object: a dictionary of a type of our own would have
        /// the runtime search every conformance of the program, at each container's start.
        public var rdma: [RDMA] = []
        /// `unified`: cgroup v2 files to write as they stand, such as `io.max` (Unified).
        public var unified: [String: String] = [:]

        /// No limits.
        public init() {}

        /// Reads a resources document, as `update --resources FILE` takes it, and checks it with ``validate()``.
        ///
        /// - Throws: ``DocumentError`` with the path of the first field at fault.
        public init(json bytes: some Collection<UInt8>) throws(DocumentError) {
            self = try decode(bytes)
            try validate()
        }

        /// Reads a resources document and checks it with ``validate()``.
        ///
        /// - Throws: ``DocumentError`` with the path of the first field at fault.
        public init(json text: String) throws(DocumentError) { try self.init(json: text.utf8) }
    }
}

extension Configuration.Resources {
    /// An entry of `linux.resources.devices` (config-linux.md, Allowed Device list).
    public struct DeviceRule: Equatable, Sendable {
        /// The devices that a rule is about.
        public enum Kind: String, CaseIterable, Sendable {
            /// Both.
            case all = "a"
            /// Character devices.
            case character = "c"
            /// Block devices.
            case block = "b"
        }

        /// `allow`: else it denies.
        public var allow: Bool
        /// `type`: of the devices; absent means all.
        public var type: Kind = .all
        /// `major`: nil for all. The -1 that docker writes for all reads as nil.
        public var major: Int64?
        /// `minor`: nil for all.
        public var minor: Int64?
        /// `access`: made of `r`, `w` and `m` (mknod).
        public var access: String?

        /// A rule.
        public init(
            allow: Bool, type: Kind = .all, major: Int64? = nil, minor: Int64? = nil, access: String? = nil
        ) {
            self.allow = allow
            self.type = type
            self.major = major
            self.minor = minor
            self.access = access
        }
    }

    /// `linux.resources.memory` (config-linux.md, Memory): bytes, and -1 for no limit.
    public struct Memory: Equatable, Sendable {
        /// `limit`
        public var limit: Int64?
        /// `reservation`: the soft limit.
        public var reservation: Int64?
        /// `swap`: memory and swap together.
        public var swap: Int64?
        /// `kernel`: deprecated, cgroup v1 only.
        public var kernel: Int64?
        /// `kernelTCP`: deprecated, cgroup v1 only.
        public var kernelTCP: Int64?
        /// `swappiness`: from 0 to 100, cgroup v1 only.
        public var swappiness: UInt64?
        /// `disableOOMKiller`: cgroup v1 only.
        public var disableOOMKiller: Bool?
        /// `useHierarchy`: cgroup v1 only.
        public var useHierarchy: Bool?
        /// `checkBeforeUpdate`: refuse a new limit below what is in use.
        public var checkBeforeUpdate: Bool?

        /// Nothing set.
        public init() {}
    }

    /// `linux.resources.cpu` (config-linux.md, CPU): times in microseconds.
    public struct CPU: Equatable, Sendable {
        /// `shares`: the relative weight, as cgroup v1 counts it: 1024 by default.
        public var shares: UInt64?
        /// `quota`: the time in each period; negative for no limit.
        public var quota: Int64?
        /// `burst`: what may be saved up for later periods.
        public var burst: UInt64?
        /// `period`
        public var period: UInt64?
        /// `realtimeRuntime`: cgroup v1 only.
        public var realtimeRuntime: Int64?
        /// `realtimePeriod`: cgroup v1 only.
        public var realtimePeriod: UInt64?
        /// `cpus`: a list such as `0-3,7`.
        public var cpus: String?
        /// `mems`: memory nodes, a list such as `0-3,7`.
        public var mems: String?
        /// `idle`: 1 for SCHED_IDLE, 0 for not.
        public var idle: Int64?

        /// Nothing set.
        public init() {}
    }

    /// `linux.resources.pids` (config-linux.md, PIDs).
    public struct PIDs: Equatable, Sendable {
        /// `limit`: tasks; -1 for no limit, and 0 is a limit.
        public var limit: Int64?

        /// A limit.
        public init(limit: Int64? = nil) { self.limit = limit }
    }

    /// An entry of `linux.resources.hugepageLimits` (config-linux.md, Huge page limits).
    public struct HugepageLimit: Equatable, Sendable {
        /// `pageSize`: such as `2MB`: a number and KB, MB or GB, base 1024.
        public var pageSize: String
        /// `limit`: in bytes.
        public var limit: UInt64

        /// A limit.
        public init(pageSize: String, limit: UInt64) {
            self.pageSize = pageSize
            self.limit = limit
        }
    }

    /// `linux.resources.network` (config-linux.md, Network): the net_cls and net_prio controllers of cgroup v1.
    public struct Network: Equatable, Sendable {
        /// The priority of traffic through an interface.
        public struct InterfacePriority: Equatable, Sendable {
            /// `name`: in the runtime's network namespace.
            public var name: String
            /// `priority`
            public var priority: UInt32

            /// A priority.
            public init(name: String, priority: UInt32) {
                self.name = name
                self.priority = priority
            }
        }

        /// `classID`: tags the packets.
        public var classID: UInt32?
        /// `priorities`
        public var priorities: [InterfacePriority] = []

        /// Nothing set.
        public init() {}
    }

    /// A member of `linux.resources.rdma` (config-linux.md, RDMA): at least one of the two limits.
    public struct RDMA: Equatable, Sendable {
        /// The member's name.
        public var device: String
        /// `hcaHandles`
        public var hcaHandles: UInt32?
        /// `hcaObjects`
        public var hcaObjects: UInt32?

        /// Limits.
        public init(device: String, hcaHandles: UInt32? = nil, hcaObjects: UInt32? = nil) {
            self.device = device
            self.hcaHandles = hcaHandles
            self.hcaObjects = hcaObjects
        }
    }
}

extension Configuration.Resources: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        devices = try fields.list("devices")
        memory = try fields.optional("memory")
        cpu = try fields.optional("cpu")
        pids = try fields.optional("pids")
        blockIO = try fields.optional("blockIO")
        hugepageLimits = try fields.list("hugepageLimits")
        network = try fields.optional("network")
        try fields.element("rdma")?.members { (device, element) throws(DocumentError) in
            if rdma.contains(where: { $0.device == device }) { throw element.problem("given 2 times") }
            rdma.append(try RDMA(device, element))
        }
        unified = try fields.map("unified")
    }

    /// The document; ``JSON/encoded(indentation:)`` makes it text.
    public var json: JSON {
        var object = ObjectBuilder()
        object.add("devices", list: devices)
        object.add("memory", memory)
        object.add("cpu", cpu)
        object.add("pids", pids)
        object.add("blockIO", blockIO)
        object.add("hugepageLimits", list: hugepageLimits)
        object.add("network", network)
        object.add("rdma", unless: rdma.isEmpty, JSON.object(rdma.map { JSON.Member($0.device, $0.limits) }))
        object.add("unified", map: unified)
        return object.json
    }
}

extension Configuration.Resources.DeviceRule.Kind: DocumentName {
    package static var noun: String { "a device type" }
}

extension Configuration.Resources.DeviceRule: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        allow = try fields.required("allow")
        if try fields.text("type") != nil { type = try fields.required("type") }
        major = try fields.optional("major")
        minor = try fields.optional("minor")
        if major == -1 { major = nil }
        if minor == -1 { minor = nil }
        access = try fields.text("access")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("allow", allow)
        object.add("type", unless: type == .all, type)
        object.add("major", major)
        object.add("minor", minor)
        object.add("access", access)
        return object.json
    }
}

extension Configuration.Resources.Memory: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        limit = try fields.optional("limit")
        reservation = try fields.optional("reservation")
        swap = try fields.optional("swap")
        kernel = try fields.optional("kernel")
        kernelTCP = try fields.optional("kernelTCP")
        swappiness = try fields.optional("swappiness")
        disableOOMKiller = try fields.optional("disableOOMKiller")
        useHierarchy = try fields.optional("useHierarchy")
        checkBeforeUpdate = try fields.optional("checkBeforeUpdate")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("limit", limit)
        object.add("reservation", reservation)
        object.add("swap", swap)
        object.add("kernel", kernel)
        object.add("kernelTCP", kernelTCP)
        object.add("swappiness", swappiness)
        object.add("disableOOMKiller", disableOOMKiller)
        object.add("useHierarchy", useHierarchy)
        object.add("checkBeforeUpdate", checkBeforeUpdate)
        return object.json
    }
}

extension Configuration.Resources.CPU: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        shares = try fields.optional("shares")
        quota = try fields.optional("quota")
        burst = try fields.optional("burst")
        period = try fields.optional("period")
        realtimeRuntime = try fields.optional("realtimeRuntime")
        realtimePeriod = try fields.optional("realtimePeriod")
        cpus = try fields.text("cpus")
        mems = try fields.text("mems")
        idle = try fields.optional("idle")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("shares", shares)
        object.add("quota", quota)
        object.add("burst", burst)
        object.add("period", period)
        object.add("realtimeRuntime", realtimeRuntime)
        object.add("realtimePeriod", realtimePeriod)
        object.add("cpus", cpus)
        object.add("mems", mems)
        object.add("idle", idle)
        return object.json
    }
}

extension Configuration.Resources.PIDs: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        limit = try element.fields().optional("limit")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("limit", limit)
        return object.json
    }
}

extension Configuration.Resources.HugepageLimit: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        pageSize = try fields.required("pageSize")
        limit = try fields.required("limit")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("pageSize", pageSize)
        object.add("limit", limit)
        return object.json
    }
}

extension Configuration.Resources.Network: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        classID = try fields.optional("classID")
        priorities = try fields.list("priorities")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("classID", classID)
        object.add("priorities", list: priorities)
        return object.json
    }
}

extension Configuration.Resources.Network.InterfacePriority: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        name = try fields.required("name")
        priority = try fields.required("priority")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("name", name)
        object.add("priority", priority)
        return object.json
    }
}

extension Configuration.Resources.RDMA {
    fileprivate init(_ device: String, _ element: DocumentElement) throws(DocumentError) {
        self.device = device
        let fields = try element.fields()
        hcaHandles = try fields.optional("hcaHandles")
        hcaObjects = try fields.optional("hcaObjects")
    }

    fileprivate var limits: JSON {
        var object = ObjectBuilder()
        object.add("hcaHandles", hcaHandles)
        object.add("hcaObjects", hcaObjects)
        return object.json
    }
}
