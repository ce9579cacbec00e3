extension Configuration {
    /// `linux.memoryPolicy` (config-linux.md, Memory policy; 1.3): what set_mempolicy(2) takes.
    public struct MemoryPolicy: Equatable, Sendable {
        /// The modes of set_mempolicy(2).
        public enum Mode: String, CaseIterable, Sendable {
            /// The system's.
            case `default` = "MPOL_DEFAULT"
            /// From these nodes only.
            case bind = "MPOL_BIND"
            /// From these nodes in turn.
            case interleave = "MPOL_INTERLEAVE"
            /// From these nodes in turn, by weight.
            case weightedInterleave = "MPOL_WEIGHTED_INTERLEAVE"
            /// From this node first.
            case preferred = "MPOL_PREFERRED"
            /// From these nodes first.
            case preferredMany = "MPOL_PREFERRED_MANY"
            /// From the node of the processor.
            case local = "MPOL_LOCAL"
        }

        /// The mode flags of set_mempolicy(2).
        public enum Flag: String, CaseIterable, Sendable {
            /// The kernel may move pages closer.
            case numaBalancing = "MPOL_F_NUMA_BALANCING"
            /// Nodes count within those the process may use.
            case relativeNodes = "MPOL_F_RELATIVE_NODES"
            /// Nodes are not remapped when those the process may use change.
            case staticNodes = "MPOL_F_STATIC_NODES"
        }

        /// `mode`
        public var mode: Mode
        /// `nodes`: a list such as `0-3,7`.
        public var nodes: String?
        /// `flags`
        public var flags: [Flag] = []

        /// A policy.
        public init(mode: Mode, nodes: String? = nil, flags: [Flag] = []) {
            self.mode = mode
            self.nodes = nodes
            self.flags = flags
        }
    }

    /// `linux.personality` (config-linux.md, Personality): what personality(2) takes.
    public struct Personality: Equatable, Sendable {
        /// The execution domains that the specification allows.
        public enum Domain: String, CaseIterable, Sendable {
            /// Linux.
            case linux = "LINUX"
            /// Linux, with uname(2) showing a 32-bit machine.
            case linux32 = "LINUX32"
        }

        /// `domain`
        public var domain: Domain
        /// `flags`: the specification defines none so far.
        public var flags: [String] = []

        /// A domain.
        public init(domain: Domain) { self.domain = domain }
    }
}

extension Configuration.MemoryPolicy.Mode: DocumentName {
    package static var noun: String { "a memory policy" }
}

extension Configuration.MemoryPolicy.Flag: DocumentName {
    package static var noun: String { "a memory policy flag" }
}

extension Configuration.MemoryPolicy: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        mode = try fields.required("mode")
        nodes = try fields.text("nodes")
        flags = try fields.list("flags")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("mode", mode)
        object.add("nodes", nodes)
        object.add("flags", list: flags)
        return object.json
    }
}

extension Configuration.Personality.Domain: DocumentName {
    package static var noun: String { "an execution domain" }
}

extension Configuration.Personality: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        domain = try fields.required("domain")
        flags = try fields.list("flags")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("domain", domain)
        object.add("flags", list: flags)
        return object.json
    }
}
