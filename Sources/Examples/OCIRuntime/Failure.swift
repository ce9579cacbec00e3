import Containers
import Linux

/// Why the program ends without having done what it was asked to: one line, and the exit status.
struct Failure: Error, CustomStringConvertible {
    let description: String
    var status: CInt = 1

    init(_ description: String, status: CInt = 1) {
        self.description = description
        self.status = status
    }

    /// The command line itself is wrong.
    static func usage(_ description: String) -> Failure { Failure(description) }
}

/// Has a container do something; why it can't becomes why the program fails.
func attempt<Value: ~Copyable>(
    _ work: @autoclosure () throws(ContainerError) -> Value
) throws(Failure) -> Value {
    do throws(ContainerError) { return try work() } catch { throw Failure("\(error)") }
}

/// The same for what only the kernel can refuse.
func attemptCall<Value: ~Copyable>(
    _ work: @autoclosure () throws(SystemError) -> Value
) throws(Failure) -> Value {
    do throws(SystemError) { return try work() } catch { throw Failure("\(error)") }
}
