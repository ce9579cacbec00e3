extension Configuration {
    /// An entry of `linux.namespaces` (config-linux.md, Namespaces).
    public struct Namespace: Equatable, Sendable {
        /// The kinds of namespace, as the document names them.
        public enum Kind: String, CaseIterable, Sendable {
            /// Process ids.
            case pid
            /// Network devices, stacks and ports.
            case network
            /// Mounts.
            case mount
            /// System V IPC and POSIX message queues.
            case ipc
            /// Host and domain name.
            case uts
            /// User and group ids.
            case user
            /// The view of the cgroup hierarchy.
            case cgroup
            /// The monotonic and boot-time clocks.
            case time
        }

        /// `type`
        public var type: Kind
        /// `path`: the namespace to join, an absolute path; nil makes a new one.
        public var path: String?

        /// A namespace to make, or to join at `path`.
        public init(_ type: Kind, path: String? = nil) {
            self.type = type
            self.path = path
        }
    }

    /// `linux.timeOffsets` (config-linux.md, Offset for Time Namespace), by clock.
    public struct TimeOffsets: Equatable, Sendable {
        /// `monotonic`
        public var monotonic: TimeOffset?
        /// `boottime`
        public var boottime: TimeOffset?

        /// No offsets.
        public init() {}
    }

    /// What is added to a clock: `secs` and `nanosecs` together.
    public struct TimeOffset: Equatable, Sendable {
        /// `secs`
        public var secs: Int64
        /// `nanosecs`
        public var nanosecs: UInt32

        /// An offset.
        public init(secs: Int64, nanosecs: UInt32 = 0) {
            self.secs = secs
            self.nanosecs = nanosecs
        }
    }
}

extension Configuration.Namespace.Kind: DocumentName {
    package static var noun: String { "a namespace type" }
}

extension Configuration.Namespace: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        type = try fields.required("type")
        path = try fields.text("path")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("type", type)
        object.add("path", path)
        return object.json
    }
}

extension Configuration.TimeOffsets: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        monotonic = try fields.optional("monotonic")
        boottime = try fields.optional("boottime")
        // A clock's name is a value, not a property: to ignore one would run the container at the wrong time.
        try element.members { (name, value) throws(DocumentError) in
            guard name == "monotonic" || name == "boottime" else {
                throw value.problem("not a clock that a time namespace offsets (monotonic, boottime)")
            }
        }
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("monotonic", monotonic)
        object.add("boottime", boottime)
        return object.json
    }
}

extension Configuration.TimeOffset: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        secs = try fields.value("secs", default: 0)
        nanosecs = try fields.value("nanosecs", default: 0)
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("secs", secs)
        object.add("nanosecs", nanosecs)
        return object.json
    }
}
