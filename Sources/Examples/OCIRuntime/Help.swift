let version = "0.1.0"

extension Command {
    var help: String {
        let line = ["bulkhead-oci [GLOBAL OPTIONS] \(name) [OPTIONS]", usage].filter { !$0.isEmpty }
        return "\(summary)\n\nUsage: \(line.joined(separator: " "))\n\nOptions:\n" + optionList(options + [.help])
    }
}

var programHelp: String {
    let commands = Command.names.compactMap { name in Command.named(name).map { [name, $0.summary] } }
    return """
        Runs containers from OCI bundles; takes what runc takes.

        Usage: bulkhead-oci [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]

        Commands:
        \(alignedColumns(commands, indentation: 2, padding: 2))
        Global options:
        \(optionList(Session.options))
        """
}

private func optionList(_ options: [Option]) -> String {
    let rows = options.map { option in
        let short = option.short.map { "-\($0), " } ?? "    "
        return ["\(short)--\(option.name)\(option.value.map { " \($0)" } ?? "")", option.help]
    }
    return alignedColumns(rows, indentation: 2, padding: 2)
}
