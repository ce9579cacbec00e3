import Containers
import Linux

extension Command {
    static var kill: Command {
        let all = Option("all", short: "a", "signal every process in the container")
        return Command(
            name: "kill", summary: "Send a signal (default: TERM) to a container's first process.",
            usage: "ID [SIGNAL]", options: [all], arguments: 1...2
        ) { arguments, session throws(Failure) in
            let name = arguments.positional.count > 1 ? arguments.positional[1] : "TERM"
            guard let signal = Signal(name) else {
                throw Failure.usage("kill: unknown signal \(quoted(name))")
            }
            let container = try session.container(arguments.positional[0])
            try attempt(try container.kill(signal.rawValue, all: arguments.isSet(all)))
            return 0
        }
    }
}
