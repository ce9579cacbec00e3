import Linux
import OCI

/// What the caller of a create decides, beside the bundle's document.
public struct CreateOptions: Sendable {
    /// The bundle's directory; it holds `config.json`.
    public var bundle: String
    /// A Unix socket that receives the terminal's master (`SCM_RIGHTS`).
    public var consoleSocket: String?
    /// A Unix socket that receives a pidfd of the container's process (`SCM_RIGHTS`).
    public var pidfdSocket: String?
    /// A file to which the process's id is written.
    public var pidFile: String?
    /// How many descriptors from 3 on the program keeps, beside 0 to 2.
    public var preservedDescriptors = 0
    /// Variables added to the program's environment, as `NAME=value`, such as those of sd_listen_fds(3).
    public var environment: [String] = []
    /// The service manager's socket, as its `$NOTIFY_SOCKET` names it. The program gets a socket of its own on which to
    /// say that it is ready; see ``Container/start(reportingTo:)``.
    public var managerSocket: String?
    /// Moves the root over the old one instead of pivoting: for an initramfs.
    public var noPivot = false
    /// Leaves the process in the caller's session keyring.
    public var noNewKeyring = false
    /// Takes the time of each step; see ``Creation/times()``.
    public var isTraced = false
    #if DEBUG
        /// A fault to inject, for tests.
        public var fault: CreateFault?
    #endif

    /// The bundle, if it was read already.
    var loaded: Bundle?

    public init(bundle: String) { self.bundle = bundle }

    /// Reads the bundle now, once for the caller and for the create: for who has to look at the document first.
    ///
    /// - Returns: the document.
    @discardableResult
    public mutating func load() throws(ContainerError) -> Configuration {
        try checkOpen(preserved: preservedDescriptors)
        let loaded = try Bundle(bundle)
        self.loaded = loaded
        return loaded.configuration
    }

    func readBundle() throws(ContainerError) -> Bundle {
        if let loaded { return loaded }
        return try Bundle(bundle)
    }
}

/// What the caller of an exec decides, beside the process's document.
public struct ExecOptions: Sendable {
    public var consoleSocket: String?
    public var pidfdSocket: String?
    public var pidFile: String?
    public var preservedDescriptors = 0
    /// A cgroup below the container's, by relative path.
    public var cgroup: String?
    /// Goes on although the container is paused; the process then stands still until it resumes.
    public var ignorePaused = false

    public init() {}
}
