extension Configuration {
    /// An entry of `linux.devices` (config-linux.md, Devices): a node that the container must have.
    public struct Device: Equatable, Sendable {
        /// What mknod(1) calls the type.
        public enum Kind: String, CaseIterable, Sendable {
            /// A character device.
            case character = "c"
            /// A block device.
            case block = "b"
            /// An unbuffered character device: the same as ``character`` on Linux.
            case unbuffered = "u"
            /// A FIFO.
            case fifo = "p"
        }

        /// `type`
        public var type: Kind
        /// `path`: the full path in the container.
        public var path: String
        /// `major`: always there unless the type is ``Kind/fifo``.
        public var major: Int64?
        /// `minor`: always there unless the type is ``Kind/fifo``.
        public var minor: Int64?
        /// `fileMode`: permission bits; some clients set the type's bits too.
        public var fileMode: UInt32?
        /// `uid`: of the owner, in the container.
        public var uid: UInt32?
        /// `gid`: of the group, in the container.
        public var gid: UInt32?

        /// A device node.
        public init(_ type: Kind, path: String, major: Int64? = nil, minor: Int64? = nil) {
            self.type = type
            self.path = path
            self.major = major
            self.minor = minor
        }
    }

    /// A value of `linux.netDevices` (config-linux.md, Network Devices; 1.3): a device moved into the container.
    public struct NetworkDevice: Equatable, Sendable {
        /// The member's name: the device's, outside.
        public var device: String
        /// `name`: inside; nil keeps the name.
        public var name: String?

        /// A device, renamed or not.
        public init(device: String, name: String? = nil) {
            self.device = device
            self.name = name
        }
    }
}

extension Configuration.Device.Kind: DocumentName {
    package static var noun: String { "a device type" }
}

extension Configuration.Device: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        type = try fields.required("type")
        path = try fields.required("path")
        if type == .fifo {
            major = try fields.optional("major")
            minor = try fields.optional("minor")
        } else {
            major = .some(try fields.required("major"))
            minor = .some(try fields.required("minor"))
        }
        fileMode = try fields.optional("fileMode")
        uid = try fields.optional("uid")
        gid = try fields.optional("gid")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("path", path)
        object.add("type", type)
        object.add("major", major)
        object.add("minor", minor)
        object.add("fileMode", fileMode)
        object.add("uid", uid)
        object.add("gid", gid)
        return object.json
    }
}

extension Configuration.NetworkDevice {
    init(_ device: String, _ element: DocumentElement) throws(DocumentError) {
        self.device = device
        name = try element.fields().text("name")
    }

    var settings: JSON {
        var object = ObjectBuilder()
        object.add("name", name)
        return object.json
    }
}
