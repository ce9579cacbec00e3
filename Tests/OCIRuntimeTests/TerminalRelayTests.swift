import Glibc
import Linux
import TestSupport
import Testing

@testable import bulkhead_oci

/// A pseudoterminal whose container side the test holds, and pipes in the place of the user.
private struct Wiring: ~Copyable {
    let relay: TerminalRelay
    let program: Descriptor
    var user: Descriptor?
    var screen: Descriptor?
    private let ends: [CInt]

    init() throws {
        let terminal = try PseudoTerminal()
        let input = try Pipe()
        let output = try Pipe()
        let program = try terminal.program.duplicate()
        let user: Descriptor? = try input.writeEnd.duplicate()
        let screen: Descriptor? = try output.readEnd.duplicate()
        // The relay borrows plain numbers, as it does with 0 and 1.
        let ends = [input.takeReadEnd().release(), output.takeWriteEnd().release()]
        relay = try TerminalRelay(master: try terminal.master.duplicate(), input: ends[0], output: ends[1])
        self.program = program
        self.user = user
        self.screen = screen
        self.ends = ends
    }

    /// Lets bytes flow until nothing more moves.
    func settle() {
        for _ in 0..<1000 {
            var entries: [pollfd] = []
            _ = relay.prepare(&entries)
            if poll(&entries, nfds_t(entries.count), 20) == 0 { return }
            relay.handle(entries[...])
        }
    }

    func closeOutput() { close(ends[1]) }

    deinit { close(ends[0]) }
}

@Suite struct TerminalRelayTests {
    @Test func bytesGoBothWays() throws {
        let wiring = try Wiring()
        try wiring.user?.write("hello\n")
        wiring.settle()
        #expect(try wiring.program.read(upTo: 100) == Array("hello\n".utf8))
        // The container's terminal echoes, and turns each newline into two characters.
        #expect(try wiring.screen?.read(upTo: 100) == Array("hello\r\n".utf8))
        wiring.closeOutput()
    }

    @Test func theLastWordsOfAProgramArrive() throws {
        let wiring = try Wiring()
        let text = String(repeating: "x", count: 3000)
        try wiring.program.write(text)
        wiring.relay.finish()
        wiring.closeOutput()
        #expect(try wiring.screen?.readToEnd() == Array(text.utf8))
    }

    @Test func theEndOfAPipeEndsTheProgramsInput() throws {
        var wiring = try Wiring()
        try wiring.user?.write("a\n")
        wiring.user = nil
        wiring.settle()
        #expect(try wiring.program.read(upTo: 100) == Array("a\n".utf8))
        #expect(try wiring.program.read(upTo: 100) == [])
        wiring.closeOutput()
    }

    @Test func aReaderThatGoesAwayHoldsNothingUp() throws {
        let before = try SignalSet([.brokenPipe]).block()
        defer { try? before.setAsMask() }
        var wiring = try Wiring()
        wiring.screen = nil
        for _ in 0..<3 {
            try wiring.program.write("nobody reads this\n")
            wiring.settle()
        }
        try wiring.user?.write("x\n")
        wiring.settle()
        #expect(try wiring.program.read(upTo: 100) == Array("x\n".utf8))
        wiring.closeOutput()
        // The signal that the writes raised is taken, or it would end the tests.
        _ = try SignalDescriptor(SignalSet([.brokenPipe])).next()
    }
}
