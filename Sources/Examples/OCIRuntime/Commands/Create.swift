import Containers

extension Command {
    static var create: Command {
        Command(
            name: "create", summary: "Make a container whose program waits for start.", usage: "ID",
            options: ContainerOptions.all, arguments: 1...1
        ) { arguments, session throws(Failure) in
            let options = try ContainerOptions.read(arguments)
            let (runtime, id) = (try session.runtime(), arguments.positional[0])
            if arguments.isSet(ContainerOptions.explain) { return try explain(runtime, id, options) }
            let creation = try attempt(try runtime.create(id, options))
            if options.isTraced { complain(traceReport(creation.times())) }
            return 0
        }
    }

    static func explain(_ runtime: Runtime, _ id: String, _ options: CreateOptions) throws(Failure) -> CInt {
        try output(try attempt(try runtime.explain(id, options)) + "\n")
        return 0
    }
}
