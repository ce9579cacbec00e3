import Linux
import OCI

/// Where containers live: the directory of their states, and how their cgroups are found.
///
/// ```swift
/// let runtime = Runtime(stateRoot: "/run/bulkhead")
/// let creation = try runtime.create("web", CreateOptions(bundle: "/srv/web"))
/// try creation.container.start()
/// print(try creation.container.state().status)
/// ```
public struct Runtime: Sendable {
    /// A directory with one subdirectory for each container; made when it is first needed.
    public var stateRoot: String
    /// Reads `cgroupsPath` as `slice:prefix:name`, as callers with systemd's naming write it.
    public var systemdCgroupNames = false
    /// Whether a new container gets a cgroup of its own. One without stays in its maker's, has no limits, and can't be
    /// paused; of its processes only the first is known.
    public var makesCgroups = true
    /// Where the cgroup2 file system is mounted; nil looks for it.
    public var cgroupMount: String?
    /// Told what went wrong without failing anything: a poststart or poststop hook, which the specification lets a
    /// runtime only log.
    public var warn: (@Sendable (String) -> Void)?
    /// Called in a create and in an exec while the new process sets itself up: what the caller does here takes no time of
    /// its own.
    public var whileWaiting: (@Sendable () -> Void)?

    public init(stateRoot: String) { self.stateRoot = stateRoot }
}
