import Glibc
import Linux
import Testing

@Suite struct DescriptorTests {
    let folder = try! TemporaryFolder()

    @Test("a descriptor closes when its value ends")
    func closesAtTheEnd() throws {
        try folder.makeFile("f")
        do {
            let file = try Descriptor.open(folder("f"), .readOnly)
            #expect(openFiles()[file.rawValue] == folder("f"))
        }
        #expect(descriptors(leadingTo: folder("f")) == 0)
    }

    @Test("a descriptor closes when an error ends its value")
    func closesOnThrow() throws {
        try folder.makeFile("f")
        func fail() throws(SystemError) {
            let file = try Descriptor.open(folder("f"), .readOnly)
            try file.write("not open for writing")
        }
        #expect(failure(fail)?.errno == .badDescriptor)
        #expect(descriptors(leadingTo: folder("f")) == 0)
    }

    @Test func closesOnRequest() throws {
        try folder.makeFile("f")
        let file = try Descriptor.open(folder("f"), .readOnly)
        try file.close()
        #expect(descriptors(leadingTo: folder("f")) == 0)
    }

    @Test("close reports what the kernel says, and names the descriptor")
    func closeFails() {
        // A number that no process has: limits stay far below it.
        let error = failure { () throws(SystemError) in try Descriptor(owning: 0x7fff_fff0).close() }
        #expect(error?.description == "close descriptor 2147483632: bad file descriptor (EBADF)")
    }

    @Test("release hands the descriptor over, still open")
    func releases() throws {
        try folder.makeFile("f")
        let number = try Descriptor.open(folder("f"), .readOnly).release()
        #expect(openFiles()[number] == folder("f"))
        #expect(close(number) == 0)
    }

    @Test func duplicates() throws {
        try folder.makeFile("f", "text")
        let file = try Descriptor.open(folder("f"), .readOnly)
        let second = try file.duplicate()
        #expect(second.rawValue != file.rawValue)
        #expect(try file.read(upTo: 2) == Array("te".utf8))
        // One open file, so one offset.
        #expect(try second.readToEnd() == Array("xt".utf8))
        #expect(try second.status() == file.status())
    }

    @Test("every descriptor is made close-on-exec")
    func closeOnExec() throws {
        func check(
            _ descriptor: borrowing Descriptor, isSet: Bool = true, _ location: SourceLocation = #_sourceLocation
        ) {
            let flags = fcntl(descriptor.rawValue, F_GETFD)
            #expect(flags == (isSet ? FD_CLOEXEC : 0), sourceLocation: location)
        }
        let directory = try folder.open()
        check(directory)
        check(try directory.duplicate())
        check(try directory.open("new", [.writeOnly, .create], mode: 0o600))
        check(try Pipe().takeReadEnd())
        check(try Pipe().takeWriteEnd())
        check(try SocketPair().takeFirst())
        check(try SocketPair().takeSecond())
        check(try EventCounter().descriptor)
        check(try EventLoop().descriptor)
        let process = try ProcessDescriptor(pid: getpid())
        check(process.descriptor)
        check(try process.descriptor(copying: directory.rawValue))
        check(try UnixSocket.listen(at: folder("socket")))

        try directory.setInheritable(true)
        check(directory, isSet: false)
        try directory.setInheritable(false)
        check(directory)
    }

    @Test func procPathReachesTheFile() throws {
        try folder.makeFile("f", "text")
        let file = try Descriptor.open(folder("f"), [.path])
        #expect(try readText(file.procPath) == "text")
    }

    @Test("a negative number is a programmer's error")
    func negative() async {
        await #expect(processExitsWith: .signal(SIGILL)) { _ = Descriptor(owning: -1) }
    }
}
