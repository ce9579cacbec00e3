import CLinux
import Linux
import Seccomp
import TestSupport
import Testing

/// A filter stays: each of these runs in an exit test's own process.
@Suite struct KernelTests {
    private static func install(
        _ names: [String], _ action: SeccompAction, flags: SeccompFlags = []
    ) throws -> InstallationStatus {
        try SeccompProfile(defaultAction: .allow, rules: [SeccompRule(names, action)])
            .compile().program.install(flags: flags, noNewPrivileges: true)
    }

    @Test func killingEndsTheProcessWithSIGSYS() async {
        await #expect(processExitsWith: .signal(SIGSYS)) {
            _ = try Self.install(["getpriority"], .killProcess)
            _ = call("getpriority")
        }
    }

    @Test func trapSendsSIGSYS() async {
        await #expect(processExitsWith: .signal(SIGSYS)) {
            _ = try Self.install(["getpriority"], .trap)
            _ = call("getpriority")
        }
    }

    @Test func killingAThreadLeavesTheOthers() async {
        await #expect(processExitsWith: .success) {
            let thread = OSThread {
                _ = try? Self.install(["getpriority"], .killThread)
                _ = call("getpriority")
            }
            thread.join()
            #expect(!thread.returned)
        }
    }

    @Test func errnoTraceAndLogAnswerAsTheyShould() async {
        await #expect(processExitsWith: .success) {
            let profile = SeccompProfile(
                defaultAction: .allow,
                rules: [
                    SeccompRule(["getpriority"], .errno(Errno(rawValue: 4095))),
                    SeccompRule(["getppid"], .errno(Errno(rawValue: 0))),
                    SeccompRule(["getuid"], .trace(5)),
                    SeccompRule(["geteuid"], .log),
                ])
            let status = try profile.compile().program.install(noNewPrivileges: true)
            #expect(status == InstallationStatus.expected)
            #expect(call("getpriority") == .failure(Errno(rawValue: 4095)))
            #expect(call("getppid") == .success(0))
            // Nobody traces.
            #expect(call("getuid") == .failure(.noSystemCall))
            #expect(call("geteuid") == .success(Int(geteuid())))
            #expect(call("getgid") == .success(Int(getgid())))
        }
    }

    /// The kernel answers each call as the simulator said, for each comparison around its border.
    @Test func theKernelAgreesWithTheSimulator() async {
        await #expect(processExitsWith: .success) {
            let names = ["getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "gettid"]
            let values: [UInt64] = [1, 0xffff_ffff, 0x3_0000_0007]
            for (round, value) in values.enumerated() {
                var profile = SeccompProfile(defaultAction: .allow)
                for (name, comparison) in zip(names, ArgumentTest.Comparison.allCases) {
                    profile.rules.append(
                        SeccompRule(
                            [name], .errno(Errno(rawValue: CInt(100 + round))),
                            when: [
                                ArgumentTest(3, comparison, value, valueTwo: 1), ArgumentTest(0, .equal, UInt64(round)),
                            ]))
                }
                // Where libseccomp 2.5.4 goes wrong: alternatives that look at the same argument.
                profile.rules.append(
                    SeccompRule(
                        ["getpgrp"], .errno(.busy),
                        when: [ArgumentTest(3, .greaterOrEqual, 0x3_0000_0007), ArgumentTest(3, .less, 1)]))
                let program = try profile.compile(with: .direct).program
                try program.install(noNewPrivileges: true)
                for name in names + ["getpgrp"] {
                    for argument in [0, 1, 2, 5, value &- 1, value, value + 1, value ^ 1 << 32, value ^ 1 << 63, .max] {
                        let first = name == "getpgrp" ? 99 : UInt64(round)
                        let expected = try program.simulate(SystemCall(name, [first, 0, 0, argument]))
                        let result = call(name, first, 0, 0, argument)
                        switch result {
                        case .success: #expect(expected == .allow, "\(name) \(argument)")
                        case .failure(let errno): #expect(expected == .errno(errno), "\(name) \(argument)")
                        }
                    }
                }
            }
        }
    }

    @Test func theLargeProfileIsLivable() async {
        await #expect(processExitsWith: .success) {
            var profile = largeProfile()
            profile.rules[0].names += ["exit_group", "mseal"]
            try profile.compile().program.install(noNewPrivileges: true)
            #expect(call("mount") == .failure(.notPermitted))
            #expect(call("clone3") == .failure(.noSystemCall))
            #expect(call("socket", 40, 1, 0) == .failure(.notPermitted))
            #expect(call("personality", 0xffff_ffff) != .failure(.notPermitted))
            #expect(call("file_setattr") == .failure(.noSystemCall))
        }
    }

    /// What this module refuses the kernel refuses too; and the largest program fits.
    @Test func theKernelRefusesWhatTheCheckRefuses() async {
        await #expect(processExitsWith: .success) {
            _ = bh_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            for (instructions, _) in ProgramTests.malformed where !instructions.isEmpty {
                var words = instructions.map {
                    UInt64($0.code) | UInt64($0.jumpTrue) << 16 | UInt64($0.jumpFalse) << 24 | UInt64($0.operand) << 32
                }
                words.withUnsafeMutableBytes { bytes in
                    var program = (UInt64(instructions.count), UInt64(UInt(bitPattern: bytes.baseAddress)))
                    let result = withUnsafeMutablePointer(to: &program) {
                        bh_syscall3(CLong(SYS_seccomp), 1, 0, CLong(Int(bitPattern: $0)))
                    }
                    #expect(result == -1 && Errno.current == .invalidArgument, "\(instructions)")
                }
            }
            let allow = BPFInstruction(code: 0x06, operand: SeccompAction.allow.rawValue)
            try SeccompProgram(Array(repeating: allow, count: 4096)).install(noNewPrivileges: true)
        }
    }

    @Test(.needs(.root)) func withoutPrivilegesNoNewPrivilegesIsNeeded() async {
        await #expect(processExitsWith: .success) {
            let program = try SeccompProfile(defaultAction: .allow).compile().program
            // Root may do without it, and then it is not in force.
            let status = try program.install(noNewPrivileges: false)
            #expect(!status.noNewPrivileges)
            #expect(setresuid(65534, 65534, 65534) == 0)
            do {
                try program.install(noNewPrivileges: false)
                Issue.record("installed")
            } catch {
                #expect("\(error)".contains("needs no_new_privs or CAP_SYS_ADMIN"), "\(error)")
            }
            #expect(try program.install(noNewPrivileges: true).noNewPrivileges)
        }
    }

    @Test func synchronizingCoversThreadsThatAreThere() async {
        await #expect(processExitsWith: .success) {
            let start = try Pipe()
            let done = try Pipe()
            let (readEnd, writeEnd) = (start.readEnd.rawValue, done.writeEnd.rawValue)
            let thread = OSThread {
                var byte: UInt8 = 0
                _ = read(readEnd, &byte, 1)
                byte = call("getpriority") == .failure(.busy) ? 1 : 0
                _ = write(writeEnd, &byte, 1)
            }
            let status = try Self.install(["getpriority"], .errno(.busy), flags: .synchronizeThreads)
            #expect(status.coversAllThreads)
            try start.writeEnd.write([1])
            #expect(try done.readEnd.read(upTo: 1) == [1])
            thread.join()
        }
    }

    @Test func aThreadWithItsOwnFilterCannotBeSynchronized() async {
        await #expect(processExitsWith: .success) {
            let ready = try Pipe()
            let end = try Pipe()
            let (writeEnd, readEnd) = (ready.writeEnd.rawValue, end.readEnd.rawValue)
            let thread = OSThread {
                _ = try? Self.install(["getpriority"], .errno(.busy))
                var byte: UInt8 = 0
                _ = write(writeEnd, &byte, 1)
                _ = read(readEnd, &byte, 1)
            }
            _ = try ready.readEnd.read(upTo: 1)
            do {
                _ = try Self.install(["getppid"], .errno(.busy), flags: .synchronizeThreads)
                Issue.record("installed")
            } catch SeccompError.threadNotSynchronized(let id) {
                #expect(id > 0 && id != getpid())
            }
            #expect(call("getppid") != .failure(.busy))
            try end.writeEnd.write([1])
            thread.join()
        }
    }

    @Test func unknownFlagsAreRefused() async {
        await #expect(processExitsWith: .success) {
            let program = try SeccompProfile(defaultAction: .allow).compile().program
            #expect(throws: SeccompError.self) {
                try program.install(flags: SeccompFlags(rawValue: 1 << 30), noNewPrivileges: true)
            }
            #expect(throws: SeccompError.self) { try program.install(flags: .newListener, noNewPrivileges: true) }
        }
    }

    @Test func supportIsWhatTheKernelSays() throws {
        let support = SeccompSupport.probe()
        let listed = Set(try readText("/proc/sys/kernel/seccomp/actions_avail").split(whereSeparator: \.isWhitespace))
        #expect(support.actions.count == listed.count)
        #expect(support.actionNames.contains("allow"))
        #expect(support.flags.contains([.synchronizeThreads, .log, .allowSpeculation, .newListener]))
        #expect(!SeccompSupport.isAvailable(SeccompAction(rawValue: 0x1234_0000)))
        #expect(!SeccompSupport.isAvailable(SeccompFlags(rawValue: 1 << 30)))
        #expect(support.libraryVersion.split(separator: ".").count == 3)
    }
}

extension InstallationStatus {
    /// One thread, `no_new_privs`, no flags.
    fileprivate static var expected: InstallationStatus? {
        try? SeccompProfile(defaultAction: .allow).compile().program.install(noNewPrivileges: true)
    }
}
