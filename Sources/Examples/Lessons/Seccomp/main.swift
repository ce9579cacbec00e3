// Lesson: what a system call filter is. It needs no root: `swift run lesson-seccomp`.
//
// A profile says what each system call gets: allowed, an error, death. It is compiled to a small program that the kernel
// runs at every call of the thread from then on. The program can be read and tried out before it is installed.
import Glibc
import Linux
import Seccomp

do {
    var profile = SeccompProfile(defaultAction: .allow)
    profile.rules.append(SeccompRule(["mkdir", "mkdirat"], .errno(.permissionDenied)))
    // Arguments can be compared, but never followed: a filter sees a pointer, not what it points to.
    let internet = ArgumentTest(0, .equal, UInt64(AF_INET))
    profile.rules.append(SeccompRule(["socket"], .errno(.notPermitted), when: [internet]))

    let program = try profile.compile().program
    print("The filter, \(program.instructions.count) instructions:\n\(program.disassembly())")

    print("What a call would get; nothing is installed yet:")
    for call in [
        try SystemCall("mkdirat"), try SystemCall("socket", [UInt64(AF_INET)]),
        try SystemCall("socket", [UInt64(AF_UNIX)]), try SystemCall("getpid"),
    ] {
        print("  \(call): \(program.simulate(call))")
    }

    /// What the kernel says to the same calls.
    func tryOut() {
        func answer(_ result: CInt) -> String { result == -1 ? "\(Errno.current)" : "ok" }
        func openSocket(_ domain: CInt) -> String {
            let number = socket(domain, CInt(SOCK_STREAM.rawValue), 0)
            let text = answer(number)
            if number >= 0 { close(number) }
            return text
        }
        let path = "/tmp/lesson-seccomp-\(getpid())"
        let made = answer(mkdir(path, 0o700))
        rmdir(path)
        print("  mkdir: \(made); internet socket: \(openSocket(AF_INET)); local socket: \(openSocket(AF_UNIX))")
    }
    print("Before:")
    tryOut()
    // There is no way back, and children inherit it. A thread without CAP_SYS_ADMIN must first give up gaining
    // privileges by execve: a filter could otherwise fool a set-uid program.
    let status = try program.install(noNewPrivileges: true)
    print("After (no new privileges: \(status.noNewPrivileges)):")
    tryOut()
} catch {
    print("lesson-seccomp: \(error)")
    exit(1)
}
