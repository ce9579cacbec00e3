import Containers

extension Command {
    static var resume: Command {
        Command(
            name: "resume", summary: "Let a paused container's processes go on.", usage: "ID", options: [],
            arguments: 1...1
        ) { arguments, session throws(Failure) in
            let container = try session.container(arguments.positional[0])
            try attempt(try container.resume())
            return 0
        }
    }
}
