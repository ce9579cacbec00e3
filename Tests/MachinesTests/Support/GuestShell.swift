#if arch(x86_64)
    import Linux
    import TestSupport

    /// A shell of a guest's whose console is a terminal.
    final class GuestShell {
        let terminal: PseudoTerminal
        private var text = ""

        init() throws { terminal = try PseudoTerminal() }

        /// Reads until the guest has written something.
        func wait(for end: String) throws {
            while !text.contains(end) {
                let bytes = try terminal.master.next()
                if bytes.isEmpty { throw SystemError("read until \(end): \(text)", .ioError) }
                text += String(decoding: bytes, as: UTF8.self)
            }
        }

        /// Runs a command.
        ///
        /// - Returns: what it says, with a space for each run of white space.
        func callAsFunction(_ command: String) throws -> String {
            text = ""
            // Two words that the terminal's echo does not have so.
            try terminal.master.write("echo be''gin; \(command); echo e''nd\r")
            try wait(for: "end\r\n")
            return text.between("begin\r\n", "end\r\n").split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
    }

    extension String {
        /// What is behind the first of one text and before the next of the other.
        fileprivate func between(_ start: String, _ end: String) -> String {
            guard let begin = firstRange(of: start)?.upperBound,
                let stop = self[begin...].firstRange(of: end)?.lowerBound
            else { return "" }
            return String(self[begin..<stop])
        }
    }
#endif
