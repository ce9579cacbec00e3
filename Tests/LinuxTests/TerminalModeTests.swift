import Glibc
import Linux
import TestSupport
import Testing

@Suite struct TerminalModeTests {
    @Test func rawWhileItLives() throws {
        let terminal = try PseudoTerminal()
        let number = terminal.master.rawValue
        func isCanonical() -> Bool {
            var mode = termios()
            tcgetattr(number, &mode)
            return mode.c_lflag & tcflag_t(ICANON) != 0
        }
        let isTerminal = terminal.program.isTerminal
        #expect(isCanonical() && isTerminal)
        do {
            let raw = try RawTerminal(try terminal.program.duplicate())
            #expect(!isCanonical())
            // One byte without a newline comes through.
            try terminal.master.write("x")
            #expect(try raw.descriptor.read(upTo: 10) == [UInt8(ascii: "x")])
        }
        #expect(isCanonical())
    }

    @Test func sizes() throws {
        let terminal = try PseudoTerminal()
        try terminal.master.setTerminalSize(TerminalSize(rows: 33, columns: 101))
        #expect(try terminal.program.terminalSize() == TerminalSize(rows: 33, columns: 101))
    }

    @Test func aPipeIsNoTerminal() throws {
        let pipe = try Pipe()
        let isTerminal = pipe.readEnd.isTerminal
        #expect(!isTerminal)
        #expect { try pipe.readEnd.terminalSize() } throws: { ($0 as? SystemError)?.errno.name == "ENOTTY" }
        let end = try pipe.readEnd.duplicate()
        #expect { _ = try RawTerminal(end.duplicate()) } throws: { ($0 as? SystemError)?.errno.name == "ENOTTY" }
    }

    @Test func waitingCanBeSwitchedOff() throws {
        let pipe = try Pipe()
        try pipe.readEnd.setNonBlocking(true)
        #expect { try pipe.readEnd.read(upTo: 1) } throws: { ($0 as? SystemError)?.errno == .wouldBlock }
        try pipe.readEnd.setNonBlocking(false)
        try pipe.writeEnd.write("x")
        #expect(try pipe.readEnd.read(upTo: 1).count == 1)
    }
}
