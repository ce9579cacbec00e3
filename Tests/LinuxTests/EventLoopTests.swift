import Glibc
import Linux
import TestSupport
import Testing

@Suite struct EventLoopTests {
    /// The tokens and readiness of one wait.
    private func events(_ loop: borrowing EventLoop, _ timeout: CInt = 0) throws -> [UInt64: Readiness] {
        var seen: [UInt64: Readiness] = [:]
        let count = try loop.wait(timeoutMilliseconds: timeout) { seen[$0] = $1 }
        #expect(count == seen.count)
        return seen
    }

    @Test("each event brings the token of its descriptor")
    func tokens() throws {
        let loop = try EventLoop()
        let one = try EventCounter()
        let two = try EventCounter()
        try loop.add(one.descriptor, for: .readable, token: 1)
        try loop.add(two.descriptor, for: .readable, token: .max)
        #expect(try events(loop).isEmpty)
        try two.add()
        #expect(try events(loop) == [.max: .readable])
        try one.add()
        #expect(try events(loop) == [1: .readable, .max: .readable])
        _ = try two.take()
        #expect(try events(loop) == [1: .readable])
    }

    @Test func modifiesAndRemoves() throws {
        let loop = try EventLoop()
        let counter = try EventCounter(initialValue: 1)
        try loop.add(counter.descriptor, for: .readable, token: 1)
        try loop.modify(counter.descriptor, for: [.readable, .writable], token: 2)
        #expect(try events(loop) == [2: [.readable, .writable]])
        try loop.remove(counter.descriptor)
        #expect(try events(loop).isEmpty)
    }

    @Test func edges() throws {
        let loop = try EventLoop()
        let counter = try EventCounter(initialValue: 1)
        try loop.add(counter.descriptor, for: [.readable, .edgeTriggered], token: 1)
        #expect(try events(loop).count == 1)
        #expect(try events(loop).isEmpty)
        try loop.modify(counter.descriptor, for: [.readable, .oneShot], token: 1)
        #expect(try events(loop).count == 1)
        try counter.add()
        #expect(try events(loop).isEmpty)
    }

    @Test("the other end's close is reported without being asked for")
    func hangUp() throws {
        let loop = try EventLoop()
        let reader = try Pipe().takeReadEnd()
        try loop.add(reader, for: [], token: 5)
        #expect(isOtherEndClosed(of: reader.rawValue))
        #expect(try events(loop) == [5: .hangUp])
    }

    @Test("more than 64 events come in several waits")
    func many() throws {
        let loop = try EventLoop()
        var numbers: [CInt] = []
        defer { numbers.forEach { close($0) } }
        for token in 0..<100 as Range<UInt64> {
            let counter = try EventCounter(initialValue: 1)
            let copy = try counter.descriptor.duplicate()
            try loop.add(copy, for: [.readable, .oneShot], token: token)
            numbers.append(copy.release())
        }
        var seen = Set<UInt64>()
        #expect(try loop.wait(timeoutMilliseconds: 0) { token, _ in seen.insert(token) } == 64)
        #expect(try loop.wait(timeoutMilliseconds: 0) { token, _ in seen.insert(token) } == 36)
        #expect(seen.count == 100)
    }

    @Test("the time runs out")
    func timeout() throws {
        let loop = try EventLoop()
        let begin = ContinuousClock.now
        #expect(try loop.wait(timeoutMilliseconds: 30) { _, _ in } == 0)
        #expect(begin.duration(to: .now) >= .milliseconds(29))
    }

    @Test func refusals() throws {
        let loop = try EventLoop()
        let counter = try EventCounter()
        #expect(
            failure { () throws(SystemError) in try loop.remove(counter.descriptor) }?.errno
                == .noSuchFileOrDirectory)
        try loop.add(counter.descriptor, for: .readable, token: 0)
        #expect(
            failure { () throws(SystemError) in
                try loop.add(counter.descriptor, for: .readable, token: 0)
            }?.errno == .fileExists)
        let file = try Descriptor.open("/proc/self/exe", .readOnly)
        #expect(
            failure { () throws(SystemError) in try loop.add(file, for: .readable, token: 0) }?.errno
                == .notPermitted)
    }
}
