import Containers

extension Command {
    static var delete: Command {
        let force = Option("force", short: "f", "end the container first; one that does not exist is fine")
        return Command(
            name: "delete", summary: "Remove a stopped container and all that belongs to it.", usage: "ID",
            options: [force], arguments: 1...1
        ) { arguments, session throws(Failure) in
            let runtime = try session.runtime()
            try attempt(try runtime.delete(arguments.positional[0], force: arguments.isSet(force)))
            return 0
        }
    }
}
