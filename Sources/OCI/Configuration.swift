/// A container's `config.json`: runtime-spec 1.3 (and so 1.0 to 1.2) for Linux.
///
/// Every property has the name that the document gives it. What the document leaves out is nil, or empty for lists and
/// maps, which the specification never tells apart. Properties that this version of the specification does not know,
/// and the sections for other systems (`windows`, `solaris`, `vm`, `zos`, `freebsd`), are ignored.
///
/// ```swift
/// let configuration = try Configuration(json: bytes)
/// print(configuration.process?.args ?? [], configuration.root.path)
/// ```
public struct Configuration: Equatable, Sendable {
    /// The specification that these types follow: what new documents carry as `ociVersion`.
    public static let specificationVersion = SemanticVersion(1, 3, 0)

    /// `ociVersion`: the version of the specification that the bundle complies with (config.md, Specification version).
    public var ociVersion: SemanticVersion

    /// `process`: what runs in the container (config.md, Process). Needed to start one.
    public var process: Process?

    /// `root`: the root file system (config.md, Root).
    public var root: Root

    /// `hostname`: set in the container's UTS namespace (config.md, Hostname).
    public var hostname: String?

    /// `domainname`: set in the container's UTS namespace (config.md, Domainname).
    public var domainname: String?

    /// `mounts`: made on top of the root, in this order (config.md, Mounts).
    public var mounts: [Mount] = []

    /// `hooks`: programs run along the container's life (config.md, POSIX-platform Hooks).
    public var hooks = Hooks()

    /// `annotations`: metadata, by name (config.md, Annotations).
    public var annotations: [String: String] = [:]

    /// `linux`: all that only Linux has (config-linux.md).
    public var linux = LinuxSection()

    /// A configuration with nothing but a root file system.
    public init(root: Root, process: Process? = nil) {
        self.ociVersion = Configuration.specificationVersion
        self.root = root
        self.process = process
    }

    /// Reads a `config.json` and checks it with ``validate()``.
    ///
    /// - Throws: ``DocumentError`` with the path of the first field at fault, or the line and column where the text is
    ///   not JSON. A name that stands twice in one object is an error if the name is known.
    public init(json bytes: some Collection<UInt8>) throws(DocumentError) {
        self = try decode(bytes)
        try validate()
    }

    /// Reads a `config.json` and checks it with ``validate()``.
    ///
    /// - Throws: ``DocumentError`` with the path of the first field at fault.
    public init(json text: String) throws(DocumentError) { try self.init(json: text.utf8) }

    /// `root` (config.md, Root).
    public struct Root: Equatable, Sendable {
        /// `path`: absolute, or relative to the bundle.
        public var path: String
        /// `readonly`
        public var readonly = false

        /// A writable root at `path`.
        public init(path: String, readonly: Bool = false) {
            self.path = path
            self.readonly = readonly
        }
    }
}

extension Configuration: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        ociVersion = try fields.required("ociVersion")
        process = try fields.optional("process")
        root = try fields.required("root")
        hostname = try fields.text("hostname")
        domainname = try fields.text("domainname")
        mounts = try fields.list("mounts")
        hooks = try fields.value("hooks", default: Hooks())
        annotations = try fields.map("annotations")
        linux = try fields.value("linux", default: LinuxSection())
    }

    /// The document; ``JSON/encoded(indentation:)`` makes it text.
    public var json: JSON {
        var object = ObjectBuilder()
        object.add("ociVersion", ociVersion)
        object.add("process", process)
        object.add("root", root)
        object.add("hostname", hostname)
        object.add("domainname", domainname)
        object.add("mounts", list: mounts)
        object.add("hooks", unless: hooks == Hooks(), hooks)
        object.add("annotations", map: annotations)
        object.add("linux", unless: linux == LinuxSection(), linux)
        return object.json
    }
}

extension Configuration.Root: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        path = try fields.required("path")
        readonly = try fields.flag("readonly")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("path", path)
        object.add("readonly", flag: readonly)
        return object.json
    }
}
