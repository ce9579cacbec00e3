extension Configuration {
    /// `process`: the program and how it runs (config.md, Process). Also the document that `exec --process` reads.
    public struct Process: Equatable, Sendable {
        /// `terminal`: whether it gets a pseudoterminal.
        public var terminal = false
        /// `consoleSize`: of that terminal; without one, to be ignored.
        public var consoleSize: ConsoleSize?
        /// `user`: root, when the document is silent.
        public var user = User(uid: 0, gid: 0)
        /// `args`: the program and its arguments.
        public var args: [String]
        /// `env`: its environment, as `NAME=value`.
        public var env: [String] = []
        /// `cwd`: its working directory, an absolute path in the container.
        public var cwd: String
        /// `capabilities`: nil leaves them to the runtime.
        public var capabilities: Capabilities?
        /// `rlimits`: each resource at most once.
        public var rlimits: [ResourceLimit] = []
        /// `noNewPrivileges`: see prctl(2), PR_SET_NO_NEW_PRIVS.
        public var noNewPrivileges = false
        /// `apparmorProfile`: the AppArmor profile it runs under.
        public var apparmorProfile: String?
        /// `oomScoreAdj`: see proc(5); nil leaves what the runtime has.
        public var oomScoreAdj: Int?
        /// `scheduler`: see sched_setattr(2).
        public var scheduler: Scheduler?
        /// `selinuxLabel`: the SELinux context it runs in.
        public var selinuxLabel: String?
        /// `ioPriority`: see ioprio_set(2).
        public var ioPriority: IOPriority?
        /// `execCPUAffinity`: for processes that join the container later.
        public var execCPUAffinity: CPUAffinity?

        /// Runs `args` in `cwd` as root without capabilities stated.
        public init(args: [String], cwd: String = "/") {
            self.args = args
            self.cwd = cwd
        }

        /// Reads a process document, as `exec --process FILE` takes it, and checks it with ``validate()``.
        ///
        /// - Throws: ``DocumentError`` with the path of the first field at fault.
        public init(json bytes: some Collection<UInt8>) throws(DocumentError) {
            self = try decode(bytes)
            try validate()
        }

        /// Reads a process document and checks it with ``validate()``.
        ///
        /// - Throws: ``DocumentError`` with the path of the first field at fault.
        public init(json text: String) throws(DocumentError) { try self.init(json: text.utf8) }
    }
}

extension Configuration.Process {
    /// `process.consoleSize`, in characters.
    public struct ConsoleSize: Equatable, Sendable {
        /// `height`: lines.
        public var height: UInt64
        /// `width`: columns.
        public var width: UInt64

        /// A size in lines and columns.
        public init(height: UInt64, width: UInt64) {
            self.height = height
            self.width = width
        }
    }

    /// `process.user` (config.md, POSIX-platform User): ids inside the container.
    public struct User: Equatable, Sendable {
        /// `uid`
        public var uid: UInt32
        /// `gid`
        public var gid: UInt32
        /// `umask`: nil leaves what the runtime has.
        public var umask: UInt32?
        /// `additionalGids`: supplementary groups.
        public var additionalGids: [UInt32] = []

        /// A user and its group.
        public init(uid: UInt32, gid: UInt32) {
            self.uid = uid
            self.gid = gid
        }
    }

    /// `process.capabilities` (config.md, Linux Process): names such as `CAP_CHOWN`.
    ///
    /// Names that the kernel lacks are worth a warning, not an error, so they stay text here.
    public struct Capabilities: Equatable, Sendable {
        /// `bounding`
        public var bounding: [String] = []
        /// `effective`
        public var effective: [String] = []
        /// `inheritable`
        public var inheritable: [String] = []
        /// `permitted`
        public var permitted: [String] = []
        /// `ambient`
        public var ambient: [String] = []

        /// None.
        public init() {}
    }

    /// An entry of `process.rlimits` (config.md, POSIX process).
    public struct ResourceLimit: Equatable, Sendable {
        /// What getrlimit(2) limits.
        public enum Resource: String, CaseIterable, Sendable {
            /// Address space, in bytes.
            case addressSpace = "RLIMIT_AS"
            /// Core file, in bytes.
            case core = "RLIMIT_CORE"
            /// Processor time, in seconds.
            case cpu = "RLIMIT_CPU"
            /// Data segment, in bytes.
            case data = "RLIMIT_DATA"
            /// Files it may make, in bytes.
            case fileSize = "RLIMIT_FSIZE"
            /// File locks.
            case locks = "RLIMIT_LOCKS"
            /// Locked memory, in bytes.
            case lockedMemory = "RLIMIT_MEMLOCK"
            /// POSIX message queues, in bytes.
            case messageQueue = "RLIMIT_MSGQUEUE"
            /// Ceiling of the nice value, as 20 minus nice.
            case nice = "RLIMIT_NICE"
            /// Open descriptors.
            case openFiles = "RLIMIT_NOFILE"
            /// Processes of the user.
            case processes = "RLIMIT_NPROC"
            /// Resident set, which today's kernels ignore.
            case residentSet = "RLIMIT_RSS"
            /// Ceiling of the real-time priority.
            case realtimePriority = "RLIMIT_RTPRIO"
            /// Processor time without a blocking call under a real-time policy, in microseconds.
            case realtimeTime = "RLIMIT_RTTIME"
            /// Queued signals.
            case pendingSignals = "RLIMIT_SIGPENDING"
            /// Stack, in bytes.
            case stack = "RLIMIT_STACK"
        }

        /// `type`
        public var type: Resource
        /// `soft`: the limit in force; `UInt64.max` for none.
        public var soft: UInt64
        /// `hard`: the ceiling of the soft limit; `UInt64.max` for none.
        public var hard: UInt64

        /// A limit.
        public init(type: Resource, soft: UInt64, hard: UInt64) {
            self.type = type
            self.soft = soft
            self.hard = hard
        }
    }
}

extension Configuration.Process: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        terminal = try fields.flag("terminal")
        consoleSize = try fields.optional("consoleSize")
        user = try fields.value("user", default: User(uid: 0, gid: 0))
        args = try fields.list("args")
        env = try fields.list("env")
        cwd = try fields.required("cwd")
        capabilities = try fields.optional("capabilities")
        rlimits = try fields.list("rlimits")
        noNewPrivileges = try fields.flag("noNewPrivileges")
        apparmorProfile = try fields.text("apparmorProfile")
        oomScoreAdj = try fields.optional("oomScoreAdj")
        scheduler = try fields.optional("scheduler")
        selinuxLabel = try fields.text("selinuxLabel")
        ioPriority = try fields.optional("ioPriority")
        execCPUAffinity = try fields.optional("execCPUAffinity")
    }

    /// The document; ``JSON/encoded(indentation:)`` makes it text.
    public var json: JSON {
        var object = ObjectBuilder()
        object.add("terminal", flag: terminal)
        object.add("consoleSize", consoleSize)
        object.add("user", user)
        object.add("args", list: args)
        object.add("env", list: env)
        object.add("cwd", cwd)
        object.add("capabilities", capabilities)
        object.add("rlimits", list: rlimits)
        object.add("noNewPrivileges", flag: noNewPrivileges)
        object.add("apparmorProfile", apparmorProfile)
        object.add("oomScoreAdj", oomScoreAdj)
        object.add("scheduler", scheduler)
        object.add("selinuxLabel", selinuxLabel)
        object.add("ioPriority", ioPriority)
        object.add("execCPUAffinity", execCPUAffinity)
        return object.json
    }
}

extension Configuration.Process.ConsoleSize: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        height = try fields.required("height")
        width = try fields.required("width")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("height", height)
        object.add("width", width)
        return object.json
    }
}

extension Configuration.Process.User: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        uid = try fields.required("uid")
        gid = try fields.required("gid")
        umask = try fields.optional("umask")
        additionalGids = try fields.list("additionalGids")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("uid", uid)
        object.add("gid", gid)
        object.add("umask", umask)
        object.add("additionalGids", list: additionalGids)
        return object.json
    }
}

extension Configuration.Process.Capabilities: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        bounding = try fields.list("bounding")
        effective = try fields.list("effective")
        inheritable = try fields.list("inheritable")
        permitted = try fields.list("permitted")
        ambient = try fields.list("ambient")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("bounding", list: bounding)
        object.add("effective", list: effective)
        object.add("inheritable", list: inheritable)
        object.add("permitted", list: permitted)
        object.add("ambient", list: ambient)
        return object.json
    }
}

extension Configuration.Process.ResourceLimit.Resource: DocumentName {
    package static var noun: String { "a resource of getrlimit(2), such as RLIMIT_NOFILE" }
}

extension Configuration.Process.ResourceLimit: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        type = try fields.required("type")
        soft = try fields.required("soft")
        hard = try fields.required("hard")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("type", type)
        object.add("hard", hard)
        object.add("soft", soft)
        return object.json
    }
}
