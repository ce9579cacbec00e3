import Glibc
import Linux
import Testing

@Suite struct ErrorTests {
    @Test("an error reads as a sentence")
    func sentence() {
        let error = SystemError(
            "mount \"proc\" on \"/proc\"", .notPermitted, hint: "the user namespace does not own this pid namespace")
        #expect(
            "\(error)"
                == "mount \"proc\" on \"/proc\": operation not permitted (EPERM): "
                + "the user namespace does not own this pid namespace")
        #expect(
            "\(SystemError("open \"x\"", .noSuchFileOrDirectory))" == "open \"x\": no such file or directory (ENOENT)")
    }

    @Test func wider() {
        let error = SystemError("open \"x\"", .permissionDenied, hint: "why").during("start \"web\"")
        #expect("\(error)" == "start \"web\": open \"x\": permission denied (EACCES): why")
    }

    @Test(
        "names are the C constants'",
        arguments: [
            (EPERM, "EPERM"), (ENOENT, "ENOENT"), (EAGAIN, "EAGAIN"), (ELOOP, "ELOOP"), (EOPNOTSUPP, "EOPNOTSUPP"),
            (EXDEV, "EXDEV"),
        ])
    func names(number: CInt, name: String) { #expect(Errno(rawValue: number).name == name) }

    @Test("a number newer than this library survives", arguments: [4095, 531, -1] as [CInt])
    func unknown(number: CInt) {
        let errno = Errno(rawValue: number)
        #expect(errno.rawValue == number)
        #expect(errno.name == "errno \(number)")
        #expect("\(errno)" == "error number \(number)")
    }

    @Test("a name at the start of glibc's text keeps its letters")
    func capitals() {
        #expect("\(Errno(rawValue: EXFULL))" == "exchange full (EXFULL)")
        #expect("\(Errno(rawValue: EDOTDOT))".hasPrefix("RFS specific error"))
        #expect("\(Errno(rawValue: ELIBSCN))".hasPrefix(".lib section"))
    }

    @Test("a system call that a signal interrupted is made again; another errno is thrown, its text built only then")
    func systemCalls() throws {
        var attempts = 0
        let result = try systemCall(
            {
                Issue.record("the text was built"); return ""
            }()
        ) { () -> CInt in
            attempts += 1
            if attempts < 3 { set(EINTR) }
            return attempts < 3 ? -1 : 7
        }
        #expect(result == 7 && attempts == 3)
        let error = failure { () throws(SystemError) in
            try systemCall("try") { () -> Int in
                set(EOPNOTSUPP)
                return -1
            }
        }
        #expect(error == SystemError("try", .notSupported))
    }

    private func set(_ number: CInt) { errno = number }
}
