import Containers
import OCI

extension Command {
    static var state: Command {
        Command(
            name: "state", summary: "Show a container's state.", usage: "ID", options: [], arguments: 1...1
        ) { arguments, session throws(Failure) in
            let container = try session.container(arguments.positional[0])
            let state = try attempt(try container.state())
            try output(stateDocument(state).encoded(indentation: "  ") + "\n")
            return 0
        }
    }
}

/// A state as runc prints it: a stopped container's pid is 0, which its callers compare with.
func stateDocument(_ state: State) -> JSON {
    var state = state
    state.pid = state.pid ?? 0
    state.owner = state.owner ?? ""
    return state.json
}
