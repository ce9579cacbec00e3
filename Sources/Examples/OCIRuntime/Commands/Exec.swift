import Containers
import Linux
import OCI

extension Command {
    static var exec: Command {
        Command(
            name: "exec", summary: "Run a further program in a container.", usage: "ID [PROGRAM [ARGUMENTS]]",
            options: ProcessOptions.all, arguments: 1...Int.max, endsAtFirstArgument: true
        ) { arguments, session throws(Failure) in
            // runc's callers tell its own failures from the program's by this status.
            do throws(Failure) { return try exec(arguments, session) } catch { throw Failure("\(error)", status: 255) }
        }
    }

    private static func exec(_ arguments: Arguments, _ session: Session) throws(Failure) -> CInt {
        let container = try session.container(arguments.positional[0])
        var process = try ProcessOptions.process(arguments) { () throws(ContainerError) in
            try container.configuration().process
        }
        var options = try ProcessOptions.execOptions(arguments)
        if arguments.isSet(ProcessOptions.detach) {
            guard !process.terminal || options.consoleSocket != nil else {
                throw Failure.usage("exec: a terminal with --detach takes --console-socket: nobody else would hold it")
            }
            _ = try attempt(try container.execute(process, options))
            return 0
        }
        guard options.consoleSocket == nil else {
            throw Failure.usage("exec: a console socket takes --detach: in the foreground the terminal stays here")
        }
        // The program runs at once, so its terminal has its size from the start.
        if process.terminal, let size = TerminalRelay.hostSize() {
            process.consoleSize = .init(height: UInt64(size.rows), width: UInt64(size.columns))
        }
        let foreground = try attemptCall(try Foreground())
        var socket = process.terminal ? try ConsoleSocket() : nil
        options.consoleSocket = socket?.path
        let execution = try attempt(try container.execute(process, options))
        let relay: TerminalRelay?
        do throws(Failure) {
            relay = try TerminalRelay.make(master: try socket?.receiveMaster())
        } catch {
            execution.withProcess { process in try? process.send(signal: Signal.kill.rawValue) }
            throw error
        }
        socket = nil
        let result = execution.withProcess { process in
            Result { () throws(SystemError) in try foreground.attend(process, relay) }
        }
        try attemptCall(try result.get())
        return try attempt(try execution.wait()).shellCode
    }
}
