import Cgroups
import Linux
import OCI

extension Container {
    /// Freezes all processes of a running container.
    public func pause() throws(ContainerError) {
        let directory = try openLocked()
        try require([.created, .running], status(try read(directory), directory), to: "pause")
        try withCgroup { cgroup throws(CgroupError) in try cgroup.freeze() }
    }

    /// Lets the processes of a paused container go on.
    public func resume() throws(ContainerError) {
        let directory = try openLocked()
        try require([.paused], status(try read(directory), directory), to: "resume")
        try withCgroup { cgroup throws(CgroupError) in try cgroup.thaw() }
    }

    /// Changes the limits that the resources name; others stay.
    public func update(_ resources: Configuration.Resources) throws(ContainerError) {
        let directory = try openLocked()
        try require([.created, .running, .paused], status(try read(directory), directory), to: "update")
        let limits = try ResourceLimits(resources)
        try withCgroup { cgroup throws(CgroupError) in try cgroup.apply(limits) }
    }
}
