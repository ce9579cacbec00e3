import Linux

/// A directory of the host's that the guest mounts; virtio 1.2, section 5.11.
///
/// The driver's requests are those of FUSE, and a server of this module's own answers them, in the loop's thread: a call
/// of the host's that takes long stops the other devices of that loop, so the device should have one for itself.
public final class FileSystem: Device, @unchecked Sendable {
    /// What can be chosen of the device.
    public struct Options: Hashable, Sendable {
        /// Queues for requests besides the one for what must not wait: 1 to 63.
        public var requestQueues: UInt16 = 1
        /// Entries of each queue: a power of two.
        public var queueSize: UInt16 = 512
        public var share = ShareOptions()

        public init() {}
    }

    /// The most bytes of a tag.
    public static let longestTag = 36

    public let type = DeviceType.fileSystem
    public let offered: Features = []
    public let queueSizes: [UInt16]
    public let lock = DeviceLock()
    /// The name by which the guest mounts it.
    public let tag: String
    let options: Options

    // Guarded by the lock.
    let server: FUSEServer
    let message = FUSEMessage()
    let chain = DescriptorChain()
    @safe @exclusivity(unchecked) var host: DeviceHost?
    @safe @exclusivity(unchecked) var readyQueues: UInt64 = 0

    /// - Parameters:
    ///   - directory: open, if only as a place (`O_PATH`).
    ///   - tag: 1 to 36 bytes, without a NUL.
    ///   - options: what can be chosen.
    /// - Throws: `ENOTDIR`, and `ENOENT` where there is no `/proc`.
    public init(
        _ directory: consuming Descriptor, tag: String, _ options: Options = Options()
    ) throws(SystemError) {
        precondition((1...63).contains(options.requestQueues), "a shared directory has 1 to 63 queues for requests")
        guard FileSystem.isTag(tag) else {
            throw SystemError("share a directory as \(quoted(tag))", .invalidArgument, hint: "a tag has 1 to 36 bytes")
        }
        self.tag = tag
        self.options = options
        queueSizes = Array(repeating: options.queueSize, count: 1 + Int(options.requestQueues))
        server = try FUSEServer(directory, options.share)
    }

    /// Shares a directory by its path.
    public static func open(
        _ path: String, tag: String, _ options: Options = Options()
    ) throws(SystemError) -> FileSystem {
        try FileSystem(try Descriptor.open(path, [.path, .directory]), tag: tag, options)
    }

    /// Whether a text can be a tag.
    public static func isTag(_ text: String) -> Bool {
        (1...longestTag).contains(text.utf8.count) && !text.utf8.contains(0)
    }

    /// Files that the guest knows, with the root; for a log.
    public var knownFiles: Int { lock.locked { server.nodes.count } }
    /// Files and directories that the guest has open; for a log.
    public var openFiles: Int { lock.locked { server.nodes.openFiles.count } }
}
