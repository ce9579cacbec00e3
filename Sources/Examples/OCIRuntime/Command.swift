/// One of the program's commands.
struct Command {
    let name: String
    let summary: String
    /// What follows the options, as in `ID [SIGNAL]`.
    let usage: String
    let options: [Option]
    /// How many arguments it takes.
    let arguments: ClosedRange<Int>
    /// Whether what follows the first argument belongs to another program.
    var endsAtFirstArgument = false
    /// Whether it looks at its options at all.
    var readsOptions = true
    /// Does it, and gives the exit status.
    let run: (Arguments, Session) throws(Failure) -> CInt

    /// Every command, in the order in which the help lists them.
    static let names = [
        "create", "start", "run", "exec", "state", "list", "ps", "events", "kill", "pause", "resume", "update",
        "delete", "spec", "features", "checkpoint", "restore",
    ]

    // A switch, so that a start makes only the command that it runs.
    static func named(_ name: String) -> Command? {
        switch name {
        case "create": .create
        case "start": .start
        case "run": .run
        case "exec": .exec
        case "state": .state
        case "list": .list
        case "ps": .ps
        case "events": .events
        case "kill": .kill
        case "pause": .pause
        case "resume": .resume
        case "update": .update
        case "delete": .delete
        case "spec": .spec
        case "features": .features
        case "checkpoint": .checkpoint
        case "restore": .restore
        default: nil
        }
    }

    /// Reads the words after the command's name.
    func parse(_ words: some Sequence<String>) throws(Failure) -> Arguments {
        // What stands after "--" is never an option.
        guard readsOptions else { return try Arguments(["--"] + words, options: []) }
        let parsed: Arguments
        do {
            parsed = try Arguments(words, options: options + [.help], endsAtFirstArgument: endsAtFirstArgument)
        } catch {
            throw Failure.usage("\(name): \(error)")
        }
        if parsed.isSet(.help) { return parsed }
        guard arguments.contains(parsed.positional.count) else {
            let count = parsed.positional.count
            throw Failure.usage("\(name): expected \(usage.isEmpty ? "no arguments" : usage), found \(count) arguments")
        }
        return parsed
    }
}
