import Glibc
import Linux

/// Writes text to standard output, all of it.
func output(_ text: String) throws(Failure) { try attemptCall(try write(text, to: STDOUT_FILENO)) }

/// Writes text to standard error. What can't be written there can't be reported anywhere.
func complain(_ text: String) { try? write(text, to: STDERR_FILENO) }

private func write(_ text: String, to descriptor: CInt) throws(SystemError) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = try systemCall("write to descriptor \(descriptor)") {
            rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        }
        rest = rest.dropFirst(count)
    }
}
