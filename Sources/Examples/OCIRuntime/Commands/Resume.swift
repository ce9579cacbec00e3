extension Command {
    static var resume: Command {
        Command(
            name: "resume", summary: "Let a paused container's processes go on.", usage: "ID", options: [],
            arguments: 1...1
        ) { arguments, session in
            try session.runtime().container(arguments.positional[0]).resume()
            return 0
        }
    }
}
