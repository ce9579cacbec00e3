import Containers

extension Command {
    static var start: Command {
        Command(
            name: "start", summary: "Run the program of a created container.", usage: "ID", options: [],
            arguments: 1...1
        ) { arguments, session throws(Failure) in
            let container = try session.container(arguments.positional[0])
            let readiness = try attempt(try container.start(reportingTo: ContainerOptions.managerSocket))
            try session.log.waitFor(readiness)
            return 0
        }
    }
}
