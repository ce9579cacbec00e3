import Glibc
import Linux
import TestSupport
import Testing

@Suite struct ChannelTests {
    @Test func pipe() throws {
        let pipe = try Pipe()
        try pipe.writeEnd.write("hello")
        #expect(try pipe.readEnd.read(upTo: 100) == Array("hello".utf8))
        // What is left of the pipe when one end is taken: the other end is closed, so the reader sees the end.
        let reader = pipe.takeReadEnd()
        #expect(try reader.read(upTo: 1).isEmpty)
    }

    @Test("the writer of a pipe that no one reads gets EPIPE")
    func brokenPipe() throws {
        signal(SIGPIPE, SIG_IGN)
        let writer = try Pipe().takeWriteEnd()
        #expect(isOtherEndClosed(of: writer.rawValue))
        #expect(failure { () throws(SystemError) in try writer.write("x") }?.errno == .brokenPipe)
    }

    @Test("a pipe takes more than it holds, in as many writes as that needs")
    func longWrite() throws {
        let pipe = try Pipe()
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        let reader = try pipe.readEnd.duplicate()
        let child = try spawn([
            "/bin/sh", "-c", "exec cat /proc/\(getpid())/fd/\(reader.rawValue) | tail -c 5 >/dev/null",
        ])
        try pipe.writeEnd.write(bytes)
        try pipe.takeWriteEnd().close()
        #expect(try ProcessDescriptor(pid: child).wait() == .exited(0))
    }

    @Test("a socket pair keeps messages apart")
    func socketPair() throws {
        let pair = try SocketPair()
        try pair.first.write("one")
        try pair.first.write("two")
        #expect(try pair.second.read(upTo: 100) == Array("one".utf8))
        #expect(try pair.second.read(upTo: 100) == Array("two".utf8))
        let left = pair.takeSecond()
        #expect(try left.read(upTo: 1).isEmpty)
    }

    @Test func eventCounter() throws {
        let counter = try EventCounter(initialValue: 3)
        #expect(try counter.take() == 3)
        #expect(try counter.take() == 0)
        try counter.add()
        try counter.add(40)
        #expect(try counter.take() == 41)
        try counter.add(.max - 1)
        #expect(failure { () throws(SystemError) in try counter.add() }?.errno == .wouldBlock)
        #expect(failure { () throws(SystemError) in try counter.add(.max) }?.errno == .invalidArgument)
        #expect(try counter.take() == .max - 1)
    }

    @Test("a descriptor travels over a socket, and a second one that was sent along is not left open")
    func passing() throws {
        let folder = try TemporaryFolder()
        try folder.makeFile("f", "sent")
        try folder.makeFile("g")
        let pair = try SocketPair()
        do {
            let file = try Descriptor.open(folder("f"), .readOnly)
            try UnixSocket.send(file, with: [1], over: pair.first)
        }
        var received: Descriptor?
        #expect(try UnixSocket.receive(from: pair.second, descriptor: &received) == [1])
        if let file = received.take() { #expect(try file.readToEnd() == Array("sent".utf8)) } else { Issue.record() }
        #expect(descriptors(leadingTo: folder("f")) == 0)

        do {
            let one = try Descriptor.open(folder("f"), .readOnly)
            let two = try Descriptor.open(folder("g"), .readOnly)
            try sendTwo(one.rawValue, two.rawValue, over: pair.first.rawValue)
        }
        #expect(try UnixSocket.receive(from: pair.second, descriptor: &received) == [9])
        #expect(descriptors(leadingTo: folder("f")) == 1)
        #expect(descriptors(leadingTo: folder("g")) == 0)

        // Bytes alone bring no descriptor.
        received = nil
        try pair.first.write("plain")
        #expect(try UnixSocket.receive(from: pair.second, descriptor: &received) == Array("plain".utf8))
        let cameAlong = received != nil
        #expect(!cameAlong)
    }

    @Test func namedSockets() throws {
        let folder = try TemporaryFolder()
        let listener = try UnixSocket.listen(at: folder("socket"))
        let client = try UnixSocket.connect(to: folder("socket"))
        let server = try UnixSocket.accept(on: listener)
        try client.write("hello")
        #expect(try server.read(upTo: 5) == Array("hello".utf8))
        #expect(
            failure { () throws(SystemError) in _ = try UnixSocket.listen(at: folder("socket")) }?.errno
                == Errno(rawValue: EADDRINUSE))
        let long = folder(String(repeating: "x", count: 120))
        #expect(failure { () throws(SystemError) in _ = try UnixSocket.connect(to: long) }?.errno == .nameTooLong)
    }

    /// One message of one byte, 9, with two descriptors: what this package never sends.
    private func sendTwo(_ one: CInt, _ two: CInt, over socket: CInt) throws {
        var byte: UInt8 = 9
        // A cmsghdr (length, level, type) and two descriptors, which fill it to the alignment.
        var control: (Int, CInt, CInt, CInt, CInt) = (24, SOL_SOCKET, 1, one, two)
        let sent = withUnsafeMutablePointer(to: &byte) { byte in
            withUnsafeMutablePointer(to: &control) { control in
                var part = iovec(iov_base: byte, iov_len: 1)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = UnsafeMutableRawPointer(control)
                    message.msg_controllen = 24
                    return sendmsg(socket, &message, 0)
                }
            }
        }
        try #require(sent == 1)
    }
}
