import Cgroups
import Glibc
import Launch
import Linux
import OCI

extension Runtime {
    /// Makes a container from a bundle, up to where its program waits for ``Container/start(reportingTo:)``.
    ///
    /// The caller may exit then. When it fails, nothing of the container is left.
    public func create(_ id: String, _ options: CreateOptions) throws(ContainerError) -> Creation {
        try make(id, options, staysHere: false)
    }

    /// Makes a container whose first process is the caller's child, to be started by ``Creation/start(reportingTo:)`` and waited
    /// for by the caller.
    public func prepareRun(_ id: String, _ options: CreateOptions) throws(ContainerError) -> Creation {
        try make(id, options, staysHere: true)
    }

    /// Every step that a create of this bundle takes, in order. Nothing runs and nothing is changed.
    public func explain(_ id: String, _ options: CreateOptions) throws(ContainerError) -> String {
        try validate(id: id)
        let bundle = try options.readBundle()
        let cgroup = makesCgroups ? try cgroupPath(bundle.configuration, id: id) : nil
        let limits = try ResourceLimits(bundle.configuration.linux.resources ?? .init())
        let hasTerminal = bundle.configuration.process?.terminal == true
        let state = "\(stateRoot)/\(id)"
        let notify = options.managerSocket.map { _ in "\(state)/\(StateDirectory.notifyName)" }
        var builder = try PlanBuilder(
            bundle, options: options,
            channels: .init(
                startListener: -1, consoleSocket: hasTerminal ? -1 : nil, cgroup: cgroup == nil ? nil : -1,
                notifyDirectory: notify))
        let plan = try builder.build()
        var lines = ["make directory \(quoted(state))"]
        if let notify { lines.append("make directory \(quoted(notify))") }
        if let cgroup {
            lines.append("make cgroup \(quoted(cgroup))")
            lines += limits.settings.map { "set \($0)" }
            if let rules = limits.devices { lines.append("attach a device program of \(rules.count) rules") }
        }
        let hooks = bundle.configuration.hooks
        let wait = Operation.synchronize(PlanBuilder.hooksPoint).description
        let networkWait = Operation.synchronize(PlanBuilder.networkPoint).description
        for step in plan.description.split(separator: "\n") {
            lines.append(String(step))
            // What the runtime itself does while the process waits there is no operation of the plan's.
            if step.hasSuffix(networkWait) {
                lines += bundle.configuration.linux.netDevices.map {
                    "move network device \(quoted($0.device))" + ($0.name.map { " as \(quoted($0))" } ?? "")
                }
            }
            guard step.hasSuffix(wait) else { continue }
            lines += hooks.prestart.map { "run prestart hook \(quoted($0.path))" }
            lines += hooks.createRuntime.map { "run createRuntime hook \(quoted($0.path))" }
        }
        lines += hooks.poststart.map { "run poststart hook \(quoted($0.path))" }
        return lines.joined(separator: "\n")
    }

    private func make(
        _ id: String, _ options: CreateOptions, staysHere: Bool
    ) throws(ContainerError) -> Creation {
        try validate(id: id)
        // Before anything is opened: a number that the caller left free would become a descriptor of the runtime's.
        try checkOpen(preserved: options.preservedDescriptors)
        let bundle = try options.readBundle()
        try bundle.checkTerminal(options)
        let maker = ContainerMaker(runtime: self, id: id, bundle: bundle, options: options, staysHere: staysHere)
        return try maker.make()
    }
}
