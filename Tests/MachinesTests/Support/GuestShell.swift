#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport

    /// A shell of a guest's whose console is a terminal.
    final class GuestShell {
        let terminal: PseudoTerminal
        /// The program whose terminal it is.
        var monitor: Monitor?
        fileprivate var text = ""

        init() throws { terminal = try PseudoTerminal() }

        /// Reads until the guest has written something.
        func wait(for end: String) throws {
            var patience = 150
            while !text.contains(end) {
                var polled = pollfd(fd: terminal.master.rawValue, events: Int16(POLLIN), revents: 0)
                if poll(&polled, 1, 1000) > 0 {
                    text += String(decoding: try terminal.master.read(upTo: 4096), as: UTF8.self)
                    continue
                }
                patience -= 1
                // Its terminal has no end, as this side has it open, too.
                guard patience > 0, monitor?.hasEnded != true else {
                    throw SystemError("read until \(end): \(text)\(monitor?.complaints ?? "")", .ioError)
                }
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

    extension GuestShell {
        /// Sends many more bytes than the port holds, at once.
        ///
        /// - Returns: whether the guest got each of them.
        func takesLongInput(_ count: Int) throws -> Bool {
            text = ""
            let digits = "yes 0123456789 | tr -d '\\n' | head -c \(count) | md5sum"
            try terminal.master.write(
                "echo be''gin; \(digits); stty -icanon -echo; echo rea''dy; head -c \(count) | md5sum; "
                    + "stty icanon echo; echo e''nd\r")
            try wait(for: "ready\r\n")
            let bytes = Array(String(repeating: "0123456789", count: (count + 9) / 10).utf8.prefix(count))
            // The terminal itself takes no more than a few KiB before somebody reads.
            for start in stride(from: 0, to: count, by: 1000) {
                try terminal.master.write(Array(bytes[start..<min(start + 1000, count)]))
            }
            try wait(for: "end\r\n")
            let sums = text.between("begin\r\n", "end\r\n").split(whereSeparator: \.isWhitespace).filter {
                $0.count == 32
            }
            return sums.count == 2 && sums[0] == sums[1]
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
