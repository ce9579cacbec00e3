import Glibc
import Linux
import Testing

@Suite struct SignalTests {
    @Test(arguments: [
        ("TERM", SIGTERM), ("SIGTERM", SIGTERM), ("sigterm", SIGTERM), ("Kill", SIGKILL), ("9", 9), ("0", 0),
        ("64", 64), ("IOT", SIGABRT), ("CLD", SIGCHLD), ("POLL", SIGIO), ("IO", SIGIO), ("WINCH", SIGWINCH),
        ("RTMIN", 34), ("rtmin+3", 37), ("SIGRTMAX-1", 63), ("RTMAX", 64), ("RTMIN+30", 64),
    ])
    func names(text: String, number: CInt) { #expect(Signal(text)?.rawValue == number) }

    @Test(arguments: [
        "", "SIG", "NOPE", "65", "-9", "9x", "RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN+-1", "RTMI",
        "SIGSIGTERM",
    ])
    func namesThatAreNone(text: String) { #expect(Signal(text) == nil) }

    @Test func everyNameReadsBack() {
        for number in 1...Signal.maximum {
            let signal = Signal(rawValue: number)
            // Two numbers are the C library's own and have no name.
            if number == 32 || number == 33 { continue }
            #expect(Signal(signal.description) == signal, "\(signal)")
        }
        #expect(Signal(rawValue: 99).description == "signal 99")
    }

    @Test func aSetHoldsNumbersFrom1To64() {
        let set = SignalSet([Signal(rawValue: 1), Signal(rawValue: 64), Signal(rawValue: 0), Signal(rawValue: 65)])
        #expect(set.rawValue == 0x8000_0000_0000_0001)
        #expect(set.contains(.hangUp) && !set.contains(.terminate) && !set.contains(Signal(rawValue: 0)))
    }

    @Test func whatIsForwarded() {
        let set = SignalSet.forwardable
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGWINCH, SIGTSTP, SIGCONT, 34, 64] {
            #expect(set.contains(Signal(rawValue: signal)))
        }
        for signal in [SIGCHLD, SIGKILL, SIGSTOP, SIGPIPE, SIGSEGV, 32] {
            #expect(!set.contains(Signal(rawValue: signal)))
        }
    }

    @Test func aBlockedSignalIsRead() throws {
        let user = Signal(rawValue: SIGUSR2)
        let before = try SignalSet([user]).block()
        defer { try? before.setAsMask() }
        let signals = try SignalDescriptor(SignalSet([user]))
        #expect(try signals.next() == nil)
        pthread_kill(pthread_self(), SIGUSR2)
        #expect(try signals.next() == user)
        #expect(try signals.next() == nil)
        // Blocking again tells what was blocked before.
        #expect(try SignalSet([user]).block().contains(user))
    }
}
