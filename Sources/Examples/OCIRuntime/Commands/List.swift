import Containers
import OCI

extension Command {
    static var list: Command {
        let format = Option("format", short: "f", value: "FORMAT", "table (default) or json")
        let quiet = Option("quiet", short: "q", "show the ids only")
        return Command(
            name: "list", summary: "List the containers.", usage: "", options: [format, quiet], arguments: 0...0
        ) { arguments, session throws(Failure) in
            let format = try listingFormat(arguments[format])
            let runtime = try session.runtime()
            let containers = try attempt(try runtime.containers())
            if arguments.isSet(quiet) {
                try output(containers.map { "\($0.id)\n" }.joined())
                return 0
            }
            let states = containers.compactMap { container -> State? in
                do throws(ContainerError) { return try container.state() } catch {
                    // Deleted since it was listed.
                    if error.kind == .doesNotExist { return nil }
                    session.log.warning("container \(container.id): \(error)")
                    return nil
                }
            }
            switch format {
            case .table: try output(containerTable(states))
            case .json: try output(JSON.array(states.map { stateDocument($0) }).encoded() + "\n")
            }
            return 0
        }
    }
}

enum ListingFormat: String {
    case table
    case json
}

func listingFormat(_ name: String?) throws(Failure) -> ListingFormat {
    guard let format = ListingFormat(rawValue: name ?? "table") else {
        throw Failure.usage("option --format: expected table or json, found \"\(name ?? "")\"")
    }
    return format
}

/// The containers in runc's columns.
func containerTable(_ states: [State]) -> String {
    let header = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    let rows = states.map { state in
        [
            state.id, String(state.pid ?? 0), state.status.rawValue, state.bundle, state.created ?? "",
            state.owner ?? "",
        ]
    }
    return alignedColumns([header] + rows, minimumWidth: 12, padding: 3)
}
