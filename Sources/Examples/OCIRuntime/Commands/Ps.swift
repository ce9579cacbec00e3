import Containers
import Glibc
import OCI

extension Command {
    static var ps: Command {
        let format = Option("format", short: "f", value: "FORMAT", "table (default) or json")
        return Command(
            name: "ps", summary: "List a container's processes; options after the ID are ps(1)'s (default: -ef).",
            usage: "ID [PS-OPTIONS]", options: [format], arguments: 1...Int.max, endsAtFirstArgument: true
        ) { arguments, session throws(Failure) in
            let format = try listingFormat(arguments[format])
            let container = try session.container(arguments.positional[0])
            let pids = try attempt(try container.processes())
            switch format {
            case .json: try output(JSON.array(pids.map { JSON($0) }).encoded() + "\n")
            case .table:
                let options = Array(arguments.positional.dropFirst())
                let listing = try outputOfProgram(["ps"] + (options.isEmpty ? ["-ef"] : options))
                try output(try processTable(listing, Set(pids)))
            }
            return 0
        }
    }
}

/// The header of ps(1)'s output, and its rows about these processes.
func processTable(_ listing: String, _ pids: Set<Int32>) throws(Failure) -> String {
    let lines = listing.split(separator: "\n")
    guard let header = lines.first,
        let column = header.split(whereSeparator: { $0.isWhitespace }).firstIndex(of: "PID")
    else { throw Failure("ps: its output has no PID column") }
    var text = "\(header)\n"
    for line in lines.dropFirst() {
        let fields = line.split(whereSeparator: { $0.isWhitespace })
        if column < fields.count, let pid = Int32(fields[column]), pids.contains(pid) { text += "\(line)\n" }
    }
    return text
}
