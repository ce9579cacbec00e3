import Containers
import Linux
import OCI

extension Command {
    static var run: Command {
        let detach = Option("detach", short: "d", "return when the program runs")
        let keep = Option("keep", "leave the container when its program has ended")
        let noSubreaper = Option("no-subreaper", "accepted for callers of runc: orphans are never this program's")
        return Command(
            name: "run", summary: "Make a container, run its program, and remove it.", usage: "ID",
            options: ContainerOptions.all + [detach, keep, noSubreaper], arguments: 1...1
        ) { arguments, session throws(Failure) in
            let options = try ContainerOptions.read(arguments)
            let (runtime, id) = (try session.runtime(), arguments.positional[0])
            if arguments.isSet(ContainerOptions.explain) { return try explain(runtime, id, options) }
            if arguments.isSet(detach) {
                try session.log.waitFor(try start(try attempt(try runtime.prepareRun(id, options)), options))
                return 0
            }
            return try runHere(runtime, id, options, keeps: arguments.isSet(keep), session.log)
        }
    }

    private static func start(
        _ creation: borrowing Creation, _ options: CreateOptions
    ) throws(Failure) -> ReadyNotification? {
        let readiness = try attempt(try creation.start(reportingTo: options.managerSocket))
        if options.isTraced { complain(traceReport(creation.times())) }
        return readiness
    }

    private static func runHere(
        _ runtime: Runtime, _ id: String, _ options: CreateOptions, keeps: Bool, _ log: Log
    ) throws(Failure) -> CInt {
        guard options.consoleSocket == nil else {
            throw Failure.usage("run: a console socket takes --detach: in the foreground the terminal stays here")
        }
        var options = options
        let terminal = try attempt(try options.load()).process?.terminal == true
        let foreground = try attemptCall(try Foreground())
        var socket = terminal ? try ConsoleSocket() : nil
        options.consoleSocket = socket?.path
        let creation = try attempt(try runtime.prepareRun(id, options))
        do throws(Failure) {
            let relay = try TerminalRelay.make(master: try socket?.receiveMaster())
            socket = nil
            let readiness = try start(creation, options)
            let status = try attend(foreground, creation, relay, readiness)
            log.warnOf(readiness)
            if !keeps { try attempt(try runtime.delete(id, force: true)) }
            return status.shellCode
        } catch {
            // Whatever failed, nothing of the container stays.
            do throws(ContainerError) { try runtime.delete(id, force: true) } catch { log.warning("\(error)") }
            throw error
        }
    }

    private static func attend(
        _ foreground: borrowing Foreground, _ creation: borrowing Creation, _ relay: TerminalRelay?,
        _ readiness: ReadyNotification?
    ) throws(Failure) -> ExitStatus {
        let result = creation.withProcess { process in
            Result { () throws(SystemError) in try foreground.attend(process, relay, readiness) }
        }
        try attemptCall(try result.get())
        return try attempt(try creation.wait())
    }
}
