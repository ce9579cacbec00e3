/// A container's state: what `state` prints and what hooks read on their standard input (runtime.md, State).
public struct State: Equatable, Sendable {
    /// Where a container is in its life. Runtimes may add states, so any name is one.
    public struct Status: RawRepresentable, Hashable, Sendable {
        /// The name in the document.
        public var rawValue: String
        /// A state by its name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// It is being made.
        public static let creating = Status(rawValue: "creating")
        /// It is made, and its program has not started.
        public static let created = Status(rawValue: "created")
        /// Its program runs.
        public static let running = Status(rawValue: "running")
        /// Its program runs, and is frozen. Not in the specification; every runtime that can freeze says it so.
        public static let paused = Status(rawValue: "paused")
        /// Its process has exited.
        public static let stopped = Status(rawValue: "stopped")
    }

    /// `ociVersion`: the specification that the state complies with.
    public var ociVersion = Configuration.specificationVersion
    /// `id`: the container's id.
    public var id: String
    /// `status`
    public var status: Status
    /// `pid`: of the container's process; always there while it is created or running.
    public var pid: Int32?
    /// `bundle`: the absolute path of the bundle.
    public var bundle: String
    /// `annotations`: those of the configuration.
    public var annotations: [String: String] = [:]

    /// `rootfs`: the root file system's path. Not in the specification; runc and crun print it.
    public var rootfs: String?
    /// `created`: when, as RFC 3339 writes it. Not in the specification; runc and crun print it.
    public var created: String?
    /// `owner`: the user who made it. Not in the specification; runc and crun print it.
    public var owner: String?

    /// A container's state.
    public init(
        id: String, status: Status, pid: Int32? = nil, bundle: String, annotations: [String: String] = [:]
    ) {
        self.id = id
        self.status = status
        self.pid = pid
        self.bundle = bundle
        self.annotations = annotations
    }

    /// Reads a state.
    ///
    /// - Throws: ``DocumentError`` with the path of the first field at fault.
    public init(json bytes: some Collection<UInt8>) throws(DocumentError) { self = try decode(bytes) }

    /// Reads a state.
    ///
    /// - Throws: ``DocumentError`` with the path of the first field at fault.
    public init(json text: String) throws(DocumentError) { try self.init(json: text.utf8) }
}

extension State.Status: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) { self.init(rawValue: try element.string()) }
    package var json: JSON { .string(rawValue) }
}

extension State: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        ociVersion = try fields.required("ociVersion")
        id = try fields.required("id")
        status = try fields.required("status")
        pid = try fields.optional("pid")
        if pid == nil, status == .created || status == .running { pid = .some(try fields.required("pid")) }
        bundle = try fields.required("bundle")
        annotations = try fields.map("annotations")
        rootfs = try fields.text("rootfs")
        created = try fields.text("created")
        owner = try fields.optional("owner")
    }

    /// The document; ``JSON/encoded(indentation:)`` makes it text.
    public var json: JSON {
        var object = ObjectBuilder()
        object.add("ociVersion", ociVersion)
        object.add("id", id)
        object.add("pid", pid)
        object.add("status", status)
        object.add("bundle", bundle)
        object.add("rootfs", rootfs)
        object.add("created", created)
        object.add("annotations", map: annotations)
        object.add("owner", owner)
        return object.json
    }
}

/// What goes to a seccomp listener along with the notify descriptor (config-linux.md, The Container Process State).
public struct ContainerProcessState: Equatable, Sendable {
    /// What `fds` calls the seccomp notify descriptor.
    public static let seccompDescriptorName = "seccompFd"

    /// `ociVersion`: the specification that this complies with.
    public var ociVersion = Configuration.specificationVersion
    /// `fds`: the names of the descriptors, in the order in which they are sent.
    public var fds: [String]
    /// `pid`: of the container's process, as the runtime sees it.
    public var pid: Int32
    /// `metadata`: the configuration's `listenerMetadata`.
    public var metadata: String?
    /// `state`: the container's.
    public var state: State

    /// The state of a process, sent along with a notify descriptor.
    public init(pid: Int32, state: State, metadata: String? = nil, fds: [String] = [seccompDescriptorName]) {
        self.fds = fds
        self.pid = pid
        self.metadata = metadata
        self.state = state
    }

    /// Reads a process state.
    ///
    /// - Throws: ``DocumentError`` with the path of the first field at fault.
    public init(json bytes: some Collection<UInt8>) throws(DocumentError) { self = try decode(bytes) }
}

extension ContainerProcessState: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        ociVersion = try fields.required("ociVersion")
        fds = try fields.list("fds")
        pid = try fields.required("pid")
        metadata = try fields.text("metadata")
        state = try fields.required("state")
    }

    /// The document; ``JSON/encoded(indentation:)`` makes it text.
    public var json: JSON {
        var object = ObjectBuilder()
        object.add("ociVersion", ociVersion)
        object.add("fds", fds)
        object.add("pid", pid)
        object.add("metadata", metadata)
        object.add("state", state)
        return object.json
    }
}
