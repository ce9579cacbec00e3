import Launch
import OCI

extension PlanBuilder {
    /// The hooks that see the container's namespaces and the old root.
    mutating func addHooksBeforeRoot() {
        let hooks = configuration.hooks
        if hooks.prestart.isEmpty && hooks.createRuntime.isEmpty && hooks.createContainer.isEmpty { return }
        plan.append(.synchronize(Self.hooksPoint))
        for hook in hooks.createContainer { plan.append(.hook(operation(hook)), label: label("createContainer", hook)) }
    }

    /// The hooks that run in the container, before its program.
    mutating func addHooksBeforeProgram() {
        for hook in configuration.hooks.startContainer {
            plan.append(.hook(operation(hook)), label: label("startContainer", hook))
        }
    }

    private func operation(_ hook: Configuration.Hook) -> Operation.Hook {
        Operation.Hook(
            path: hook.path, arguments: hook.args.isEmpty ? [hook.path] : hook.args, environment: hook.env,
            timeout: hook.timeout)
    }

    private func label(_ kind: String, _ hook: Configuration.Hook) -> String { "\(kind) hook \"\(hook.path)\"" }
}
