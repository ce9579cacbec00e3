extension Configuration {
    /// An entry of `mounts` (config.md, Mounts).
    public struct Mount: Equatable, Sendable {
        /// `destination`: where it is mounted in the container; a relative path, which is deprecated, means one from
        /// the root.
        public var destination: String
        /// `type`: the file system, as /proc/filesystems names it; a dummy for bind mounts.
        public var type: String?
        /// `source`: a device, a dummy or, for bind mounts, a path, absolute or relative to the bundle.
        public var source: String?
        /// `options`: those of mount(8), and the file system's own.
        public var options: [String] = []
        /// `uidMappings`: of an id-mapped mount.
        public var uidMappings: [IDMapping] = []
        /// `gidMappings`: of an id-mapped mount.
        public var gidMappings: [IDMapping] = []

        /// A mount.
        public init(destination: String, type: String? = nil, source: String? = nil, options: [String] = []) {
            self.destination = destination
            self.type = type
            self.source = source
            self.options = options
        }
    }

    /// A range of user or group ids (config-linux.md, User namespace mappings).
    public struct IDMapping: Equatable, Sendable {
        /// `containerID`: the first id inside.
        public var containerID: UInt32
        /// `hostID`: the first id outside.
        public var hostID: UInt32
        /// `size`: how many.
        public var size: UInt32

        /// A range of ids.
        public init(containerID: UInt32, hostID: UInt32, size: UInt32) {
            self.containerID = containerID
            self.hostID = hostID
            self.size = size
        }
    }
}

extension Configuration.Mount: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        destination = try fields.required("destination")
        type = try fields.text("type")
        source = try fields.text("source")
        options = try fields.list("options")
        uidMappings = try fields.list("uidMappings")
        gidMappings = try fields.list("gidMappings")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("destination", destination)
        object.add("type", type)
        object.add("source", source)
        object.add("options", list: options)
        object.add("uidMappings", list: uidMappings)
        object.add("gidMappings", list: gidMappings)
        return object.json
    }
}

extension Configuration.IDMapping: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        containerID = try fields.required("containerID")
        hostID = try fields.required("hostID")
        size = try fields.required("size")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("containerID", containerID)
        object.add("hostID", hostID)
        object.add("size", size)
        return object.json
    }
}
