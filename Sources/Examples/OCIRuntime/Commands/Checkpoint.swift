extension Command {
    static var checkpoint: Command { refused("checkpoint", "Not supported: write a container to disk.") }
}
