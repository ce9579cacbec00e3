import Glibc
import Linux
import Testing

@Suite struct FileIOTests {
    let folder = try! TemporaryFolder()

    @Test(
        "a file up to the limit is read whole, one byte more is refused",
        arguments: [0, 1, 10, 4095, 4096, 4097, 8192, 70_000])
    func limits(size: Int) throws {
        let text = String(repeating: "x", count: size)
        try folder.makeFile("f", text)
        #expect(try readText(folder("f"), limit: size) == text)
        #expect(try readText(folder("f"), limit: size + 1) == text)
        #expect(try readText(folder("f"), limit: .max) == text)
        if size > 0 {
            let error = failure { () throws(SystemError) in _ = try readFile(folder("f"), limit: size - 1) }
            #expect(error?.errno == Errno(rawValue: EFBIG))
            #expect(error?.description.hasSuffix("more than \(size - 1) bytes") == true)
        }
    }

    @Test("a file without an end is refused at the limit")
    func endless() {
        let error = failure { () throws(SystemError) in _ = try readFile("/dev/zero", limit: 100_000) }
        #expect(error?.errno == Errno(rawValue: EFBIG))
        #expect(error?.operation == "read \"/dev/zero\"")
    }

    @Test("files whose size reads as zero are read to their end")
    func proc() throws {
        #expect(try readText("/proc/self/status").contains("Umask:"))
        #expect(try readText("/proc/self/mountinfo").contains(" - "))
    }

    @Test func writes() throws {
        try folder.makeFile("f", "before")
        try writeText("after!", to: folder("f"))
        #expect(try readText(folder("f")) == "after!")
        try writeText("", to: folder("f"))
        #expect(try readText(folder("f")) == "after!")
        #expect(
            failure { () throws(SystemError) in try writeText("x", to: folder("none")) }?.errno
                == .noSuchFileOrDirectory)
    }

    @Test("a refused write names what was written and where")
    func refusedWrite() {
        let error = failure { () throws(SystemError) in try writeText("x", to: "/dev/full") }
        #expect(error?.description == "write \"x\" to \"/dev/full\": no space left on device (ENOSPC)")
    }

    @Test func notUTF8() throws {
        try Descriptor.open(folder("f"), [.writeOnly, .create], mode: 0o600).write([0x61, 0xff, 0x62])
        #expect(try readText(folder("f")) == "a\u{fffd}b")
        #expect(try readFile(folder("f")) == [0x61, 0xff, 0x62])
    }

    @Test func directories() {
        #expect(failure { () throws(SystemError) in _ = try readFile(folder.path) }?.errno == .isADirectory)
    }

    @Test func status() throws {
        try folder.makeFile("f", "12345")
        try folder.makeLink("l", to: "f")
        let file = try Descriptor.open(folder("f"), [.path]).status()
        #expect(file.isRegularFile && file.size == 5 && file.owner == getuid())
        #expect(try Descriptor.open(folder("l"), [.path]).status() == file)
        #expect(try Descriptor.open(folder("l"), [.path, .noFollow]).status().isSymbolicLink)
        #expect(try folder.open().status().isDirectory)
        let null = try Descriptor.open("/dev/null", [.path]).status()
        #expect(null.isCharacterDevice && null.representedDevice == 0x103)
    }
}
