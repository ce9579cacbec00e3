import CLinux
import Linux
import Seccomp
import Testing

@Suite struct ListenerTests {
    /// Puts a thread under a filter that asks about `mkdir` and `getpriority`, runs the body there, and the answering
    /// side here.
    private static func ask(
        _ body: @escaping @Sendable () -> Void, _ answer: (borrowing NotificationListener) throws -> Void
    ) throws {
        let pipe = try Pipe()
        let writeEnd = pipe.writeEnd.rawValue
        let thread = OSThread {
            let profile = SeccompProfile(
                defaultAction: .allow, rules: [SeccompRule(["mkdir", "getpriority"], .notify)])
            guard let program = try? profile.compile().program,
                let listener = try? program.installWithListener(noNewPrivileges: true)
            else { return }
            var number = listener.descriptor.rawValue
            _ = write(writeEnd, &number, 4)
            body()
            // Left to the other side: it owns the number.
            _ = consume listener
        }
        _ = thread
        let bytes = try pipe.readEnd.read(upTo: 4)
        let number = bytes.withUnsafeBytes { $0.loadUnaligned(as: CInt.self) }
        // A descriptor of its own: the caller's thread may end at any time.
        let copy = bh_fcntl(number, F_DUPFD_CLOEXEC, 0)
        try answer(try NotificationListener(owning: Descriptor(owning: copy)))
        thread.join()
    }

    @Test func callsAreAnsweredFromAnotherThread() async {
        await #expect(processExitsWith: .success) {
            try Self.ask {
                let value = call("getpriority", 1, 2, 3)
                let failure = call("getpriority", 4)
                let made = call("mkdir", 0)
                // Exactly these: the answering side checks nothing but what it was asked.
                guard value == .success(77), failure == .failure(.busy), made == .failure(Errno(rawValue: EFAULT))
                else { _exit(3) }
            } _: { listener in
                #expect(try listener.wait(timeoutMilliseconds: 5000) == .call)
                let first = try #require(try listener.receive())
                #expect(first.call.name == "getpriority")
                #expect(first.call.architecture == .native)
                #expect(first.call.arguments == [1, 2, 3, 0, 0, 0])
                #expect(first.thread > 0 && first.thread != getpid())
                #expect(try listener.isWaiting(first))
                #expect(try listener.answer(first, .value(77)))
                // It is answered: nobody waits any more.
                #expect(try !listener.isWaiting(first))
                #expect(try !listener.answer(first, .value(78)))

                let second = try #require(try listener.receive())
                #expect(second.call.arguments[0] == 4)
                try listener.answer(second, .failure(.busy))

                let third = try #require(try listener.receive())
                #expect(third.call.name == "mkdir")
                try listener.answer(third, .proceed)
                #expect(try listener.wait(timeoutMilliseconds: 5000) == .ended)
            }
        }
    }

    @Test func aDescriptorCanBeTheAnswer() async {
        await #expect(processExitsWith: .success) {
            try Self.ask {
                guard case .success(let number) = call("getpriority") else { _exit(3) }
                var byte: UInt8 = 0
                // The same process here, so the number is one of ours too.
                guard number == 200, read(CInt(number), &byte, 1) == 1, byte == 42 else { _exit(4) }
            } _: { listener in
                let pipe = try Pipe()
                try pipe.writeEnd.write([42])
                let asked = try #require(try listener.receive())
                let lowest = try #require(try listener.addDescriptor(pipe.readEnd, to: asked))
                #expect(lowest >= 0)
                close(lowest)
                #expect(try listener.addDescriptor(pipe.readEnd, to: asked, as: 200, answering: true) == 200)
                #expect(try listener.addDescriptor(pipe.readEnd, to: asked) == nil)
            }
        }
    }

    @Test func nothingWaitsWhenNothingAsks() async {
        await #expect(processExitsWith: .success) {
            let program = try SeccompProfile(
                defaultAction: .allow, rules: [SeccompRule(["getpriority"], .notify)]
            ).compile().program
            let listener = try program.installWithListener(flags: .synchronizeThreads, noNewPrivileges: true)
            #expect(try listener.wait(timeoutMilliseconds: 0) == .timedOut)
            // One listener a thread.
            do {
                _ = try program.installWithListener(noNewPrivileges: true)
                Issue.record("a second listener")
            } catch SeccompError.system(let error) {
                #expect(error.errno == .busy)
            }
        }
    }
}
