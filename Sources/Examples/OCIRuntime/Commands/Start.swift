extension Command {
    static var start: Command {
        Command(
            name: "start", summary: "Run the program of a created container.", usage: "ID", options: [],
            arguments: 1...1
        ) { arguments, session in
            try session.runtime().container(arguments.positional[0]).start()
            return 0
        }
    }
}
