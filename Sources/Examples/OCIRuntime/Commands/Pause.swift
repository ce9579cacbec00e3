extension Command {
    static var pause: Command {
        Command(
            name: "pause", summary: "Freeze a container's processes.", usage: "ID", options: [], arguments: 1...1
        ) { arguments, session in
            try session.runtime().container(arguments.positional[0]).pause()
            return 0
        }
    }
}
