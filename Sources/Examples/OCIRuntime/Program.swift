import CProgram
import Glibc
import OCI

/// Runs the program with the words after its name, and gives its exit status.
func runProgram(_ words: [String]) -> CInt {
    var log = Session.logOfLastResort(words)
    do throws(Failure) {
        let global = try Arguments(words, options: Session.options, endsAtFirstArgument: true)
        if global.isSet(Session.version) {
            try output("bulkhead-oci version \(version)\nspec: \(Configuration.specificationVersion)\n")
            return 0
        }
        guard let name = global.positional.first, !global.isSet(.help), name != "help" else {
            try output(try helpText(global.positional))
            return 0
        }
        let session = try Session(global)
        log = session.log
        guard let command = Command.named(name) else {
            throw Failure.usage("unknown command \"\(name)\"; bulkhead-oci --help lists them")
        }
        let arguments = try command.parse(global.positional.dropFirst())
        if arguments.isSet(.help) {
            try output(command.help)
            return 0
        }
        if ["create", "run", "exec"].contains(name) && geteuid() == 0 && bh_is_sealed() == 0 {
            log.warning("\(name): could not be sealed: a container might overwrite this program")
        }
        log.debug("\(name) \(arguments.positional.joined(separator: " "))")
        return try command.run(arguments, session)
    } catch {
        log.error("\(error)")
        return error.status
    }
}

// `help`, `help COMMAND`, `--help COMMAND`.
private func helpText(_ words: [String]) throws(Failure) -> String {
    guard let name = words.first(where: { $0 != "help" }) else { return programHelp }
    guard let command = Command.named(name) else { throw Failure.usage("unknown command \"\(name)\"") }
    return command.help
}
