import Linux
import TestSupport
import Testing

/// The shell of a guest that was booted with `demo.shell`, at a terminal of its own.
final class GuestShell {
    let terminal: PseudoTerminal
    private var text = ""

    init() throws { terminal = try PseudoTerminal() }

    func read(until end: String) throws {
        while !text.contains(end) {
            let bytes = try terminal.master.next()
            if bytes.isEmpty { throw SystemError("read until \(end): \(text)", .ioError) }
            text += String(decoding: bytes, as: UTF8.self)
        }
    }

    /// What a command says, between two words that the terminal's echo does not have so.
    func callAsFunction(_ command: String) throws -> String {
        text = ""
        try terminal.master.write("echo be''gin; \(command); echo e''nd\r")
        try read(until: "end\r\n")
        let lines = text.components(between: "begin\r\n", and: "end\r\n")
        return lines.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}

extension String {
    /// What is behind the first of one text and before the next of the other.
    fileprivate func components(between start: String, and end: String) -> String {
        guard let begin = firstRange(of: start)?.upperBound,
            let stop = self[begin...].firstRange(of: end)?.lowerBound
        else { return "" }
        return String(self[begin..<stop])
    }
}
