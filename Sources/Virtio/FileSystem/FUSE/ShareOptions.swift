/// What a guest may do with a shared directory, and how much of the host it may take for it.
public struct ShareOptions: Hashable, Sendable {
    /// Whether everything that would change the directory is refused.
    public var isReadOnly = false
    /// The most files that the guest may know at a time; each takes some hundred bytes of the host's memory.
    public var nodeLimit = 1 << 18
    /// The most descriptors that the server keeps to find files again: 128 or more.
    public var placeLimit = 256
    /// The most files and directories that the guest may have open, each a descriptor of the host's.
    public var openLimit = 4096
    /// For how long the guest may believe what it was told of a file: milliseconds. Longer is faster, and shows changes
    /// that others make later.
    public var cacheTime: UInt32 = 1000

    public init() {}
}
