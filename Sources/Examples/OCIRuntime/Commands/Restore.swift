extension Command {
    static var restore: Command { refused("restore", "Not supported: go on from a checkpoint.") }

    /// A command of runc's that answers with one line, whatever its options.
    static func refused(_ name: String, _ summary: String) -> Command {
        Command(name: name, summary: summary, usage: "ID", options: [], arguments: 0...Int.max, readsOptions: false) {
            _, _ throws(Failure) in
            throw Failure("\(name) is not supported: this runtime has no CRIU")
        }
    }
}
