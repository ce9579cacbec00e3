import Containers

extension Command {
    static var pause: Command {
        Command(
            name: "pause", summary: "Freeze a container's processes.", usage: "ID", options: [], arguments: 1...1
        ) { arguments, session throws(Failure) in
            let container = try session.container(arguments.positional[0])
            try attempt(try container.pause())
            return 0
        }
    }
}
