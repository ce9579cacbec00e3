import Glibc
import Launch
import Linux
import OCI

extension PlanBuilder {
    /// The plan of a further process in a container, which joins all that the container has of its own.
    mutating func buildExec(joining pidfd: CInt) throws(ContainerError) -> LaunchPlan {
        plan.cgroup = channels.cgroup
        var kinds: NamespaceFlags = []
        for namespace in configuration.linux.namespaces { kinds.insert(namespace.type.flag) }
        let early = kinds.subtracting(.time)
        if !early.isEmpty { plan.joinsBeforeClone = [.init(early, pidfd)] }
        // Only a process of its own memory may join a time namespace.
        if kinds.contains(.time) { plan.append(.join(.time, .inherited(pidfd))) }
        if process.terminal, let consoleSocket = channels.consoleSocket {
            plan.append(
                .terminal(
                    receiver: .inherited(consoleSocket), root: nil,
                    columns: UInt16(truncatingIfNeeded: process.consoleSize?.width ?? 0),
                    rows: UInt16(truncatingIfNeeded: process.consoleSize?.height ?? 0)))
        }
        try addProcess(ready: { plan in plan.append(.synchronize(Self.startPoint)) })
        return plan
    }
}
