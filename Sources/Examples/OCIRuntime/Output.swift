import Glibc
import Linux

/// Writes text to standard output, all of it.
func output(_ text: String) throws { try write(text, to: STDOUT_FILENO) }

/// Writes text to standard error. What can't be written there can't be reported anywhere.
func complain(_ text: String) { try? write(text, to: STDERR_FILENO) }

private func write(_ text: String, to descriptor: CInt) throws {
    var text = text
    try text.withUTF8 { bytes in
        var offset = 0
        while offset < bytes.count {
            offset += try systemCall("write to descriptor \(descriptor)") {
                Glibc.write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
            }
        }
    }
}
