import Glibc
import Linux
import Testing

@Suite struct ProcessDescriptorTests {
    @Test(arguments: [0, 1, 77, 255] as [CInt])
    func exitCodes(code: CInt) throws {
        let process = try ProcessDescriptor(pid: spawn(["/bin/sh", "-c", "exit \(code)"]))
        let status = try process.wait()
        #expect(status == .exited(code))
        #expect(status.shellCode == code)
    }

    @Test func signals() throws {
        let process = try ProcessDescriptor(pid: spawn(["/bin/sleep", "1000"]))
        #expect(try !process.hasExited())
        try process.send(signal: 0)
        try process.send(signal: SIGTERM)
        #expect(try process.waitForExit(timeoutMilliseconds: 10_000))
        // Ended, but not reaped: a zombie still has its number.
        #expect(try process.hasExited())
        let status = try process.wait()
        #expect(status == .signaled(SIGTERM))
        #expect(status.shellCode == 143)
        #expect(failure { () throws(SystemError) in try process.send(signal: 0) }?.errno == .noSuchProcess)
        #expect(failure { () throws(SystemError) in _ = try process.wait() }?.errno == .noChildProcess)
        #expect(try process.hasExited())
    }

    @Test("a core dump is a death by signal too")
    func aborts() throws {
        let process = try ProcessDescriptor(pid: spawn(["/bin/sh", "-c", "ulimit -c 0; kill -ABRT $$"]))
        #expect(try process.wait() == .signaled(SIGABRT))
    }

    @Test func waitsNoLongerThanAsked() throws {
        let process = try ProcessDescriptor(pid: spawn(["/bin/sleep", "1000"]))
        let begin = ContinuousClock.now
        #expect(try !process.waitForExit(timeoutMilliseconds: 50))
        #expect(begin.duration(to: .now) >= .milliseconds(49))
        try process.send(signal: SIGKILL)
        #expect(try process.wait() == .signaled(SIGKILL))
    }

    @Test("an event loop learns of the end")
    func polls() throws {
        let process = try ProcessDescriptor(pid: spawn(["/bin/sleep", "0.05"]))
        let loop = try EventLoop()
        try loop.add(process.descriptor, for: .readable, token: 9)
        var token: UInt64 = 0
        #expect(try loop.wait(timeoutMilliseconds: 10_000) { seen, _ in token = seen } == 1)
        #expect(token == 9)
        #expect(try process.wait() == .exited(0))
    }

    @Test func strangers() throws {
        // Process 1 is no child of ours.
        let first = try ProcessDescriptor(pid: 1)
        #expect(try !first.hasExited())
        #expect(failure { () throws(SystemError) in _ = try first.wait() }?.errno == .noChildProcess)
        #expect(
            failure { () throws(SystemError) in _ = try ProcessDescriptor(pid: 0x3fff_ffff) }?.errno
                == .noSuchProcess)
        #expect(failure { () throws(SystemError) in _ = try ProcessDescriptor(pid: -5) }?.errno == .invalidArgument)
        let own = try ProcessDescriptor(pid: getpid())
        #expect(failure { () throws(SystemError) in try own.send(signal: 4000) }?.errno == .invalidArgument)
    }

    @Test("a descriptor of another process can be copied out of it", .needs(.root))
    func copiesDescriptors() throws {
        let folder = try TemporaryFolder()
        try folder.makeFile("f", "theirs")
        let pipe = try Pipe()
        let ready = "/proc/\(getpid())/fd/\(pipe.writeEnd.rawValue)"
        let process = try ProcessDescriptor(
            pid: spawn(["/bin/sh", "-c", "exec 7<\(folder("f")); echo >\(ready); exec sleep 1000"]))
        _ = try pipe.readEnd.read(upTo: 1)
        let copy = try process.descriptor(copying: 7)
        #expect(try copy.readToEnd() == Array("theirs".utf8))
        #expect(failure { () throws(SystemError) in _ = try process.descriptor(copying: 900) }?.errno == .badDescriptor)
        try process.send(signal: SIGKILL)
        _ = try process.wait()
    }
}
