#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    extension MachineTests {
        /// Debuggers at machines that run a few instructions.
        @Suite(.needs(.kvm), .serialized) struct DebuggerTests {
            private let scratch = Scratch()

            /// mov eax, 0x1234; inc eax; mov [0x3000], eax; nop; out: off
            private static let code: [UInt8] =
                [0xb8, 0x34, 0x12, 0, 0, 0xff, 0xc0, 0x89, 0x04, 0x25, 0x00, 0x30, 0x00, 0x00, 0x90]
                + [0x66, 0xba, 0x00, 0x06, 0xb0, 0x34, 0xee]
            private static let forEver: [UInt8] = [0xeb, 0xfe]

            private func machine(_ code: [UInt8], processors: Int = 1) throws -> Machine {
                var configuration = MachineConfiguration(
                    kernel: try scratch.file("kernel", TestELF(code: code + Self.forEver).bytes))
                configuration.memory = 32 << 20
                configuration.acceptsEmulation = true
                configuration.processors = processors
                return try Machine(configuration)
            }

            private var path: String { "\(scratch.path)/gdb" }

            /// A machine that waits for its debugger.
            private func debugged(_ code: [UInt8], processors: Int = 1) throws -> Machine {
                let machine = try machine(code, processors: processors)
                try machine.serveDebugger(at: .path(path))
                try machine.start()
                return machine
            }

            @Test func theGuestStandsAndSteps() throws {
                let machine = try debugged(Self.code)
                let client = try DebuggerClient(path)
                #expect(try client.ask("?") == "S05")
                #expect(try client.ask("qfThreadInfo") == "m1")
                #expect(try client.ask("qsThreadInfo") == "l")
                #expect(try client.ask("qXfer:features:read:target.xml:0,10") == "m<?xml version=\"1")
                // rip, and the first bytes of code.
                #expect(try client.ask("p10") == "0000100000000000")
                #expect(try client.ask("m100000,7") == "b834120000ffc0")
                // Nothing is mapped above the first GiB.
                #expect(try client.ask("mffff800000000000,4") == "E0e")
                #expect(try client.ask("P0=0102030405060708") == "OK")
                #expect(try client.ask("p0") == "0102030405060708")
                #expect(try client.ask("M3000,2:abcd") == "OK")
                #expect(try client.ask("m3000,2") == "abcd")
                #expect(try client.ask("p99") == "E16")
                let registers = try client.ask("g")
                #expect(try client.ask("G" + registers) == "OK")
                #expect(try client.ask("g") == registers)
                #expect(try client.ask("s") == "T05thread:1;")
                #expect(try client.ask("p0") == "3412000000000000")
                #expect(try client.ask("vCont;s:1;c") == "T05thread:1;")
                #expect(try client.ask("p0") == "3512000000000000")
                #expect(try client.ask("D") == "OK")
                #expect(machine.wait() == .powerOff)
                #expect(try machine.memory.load(UInt32.self, at: .init(0x3000)) == 0x1235)
                #expect(access(path, F_OK) == 0)
            }

            /// Neither QEMU's emulation of SVM, in the test machine, nor a KVM of software hands over what a breakpoint
            /// raises; a step they do.
            private static let breakpointsAreLost: Comment = "this KVM's breakpoints end in the guest"

            @Test func aBreakpointIsWrittenAndTakenBack() throws {
                let machine = try debugged(Self.code)
                let client = try DebuggerClient(path)
                #expect(try client.ask("Z0,100007,1") == "OK")
                #expect(try client.ask("Z0,100007,1") == "OK")
                #expect(try client.ask("m100007,1") == "cc")
                #expect(try client.ask("z0,100007,1") == "OK")
                #expect(try client.ask("z0,100007,1") == "E16")
                #expect(try client.ask("m100007,1") == "89")
                // Where nothing is mapped.
                #expect(try client.ask("Z0,ffff800000000000,1") == "E16")
                // What the debugger leaves behind goes with it.
                #expect(try client.ask("Z0,10000f,1") == "OK")
                #expect(try client.ask("D") == "OK")
                #expect(machine.wait() == .powerOff)
            }

            @Test func aBreakpointStopsTheGuest() throws {
                let machine = try debugged(Self.code)
                let client = try DebuggerClient(path)
                #expect(try client.ask("Z0,100007,1") == "OK")
                withKnownIssue(Self.breakpointsAreLost, isIntermittent: true) {
                    let (answer, place) = (try client.ask("c"), try client.ask("p10"))
                    #expect(answer == "T05thread:1;swbreak:;")
                    #expect(place == "0700100000000000")
                }
                machine.stop()
                _ = machine.wait()
            }

            @Test func theProcessorsOwnBreakpointsStopTheGuest() throws {
                let machine = try debugged(Self.code)
                let client = try DebuggerClient(path)
                #expect(try client.ask("Z1,100005,1") == "OK")
                #expect(try client.ask("Z1,4,1") == "OK")
                #expect(try client.ask("z1,4,1") == "OK")
                #expect(try client.ask("z1,4,1") == "E16")
                #expect(try client.ask("Z1,1,1") == "OK")
                #expect(try client.ask("Z1,2,1") == "OK")
                #expect(try client.ask("Z1,3,1") == "OK")
                // There are four.
                #expect(try client.ask("Z1,5,1") == "E16")
                try withKnownIssue(Self.breakpointsAreLost, isIntermittent: true) {
                    let (answer, place) = (try client.ask("c"), try client.ask("p10"))
                    #expect(answer == "T05thread:1;hwbreak:;")
                    #expect(place == "0500100000000000")
                    try client.send(GDBPacket.encode(Array("k".utf8)))
                    #expect(machine.wait() == .stopped)
                } when: {
                    insideTestVM
                }
                machine.stop()
                _ = machine.wait()
            }

            @Test func aGuestThatRunsIsInterrupted() throws {
                // The others wait for a kernel that never starts them.
                let machine = try machine(Self.forEver, processors: 3)
                let port = try #require(try machine.serveDebugger(at: .port(0)))
                #expect(port > 0)
                try machine.start()
                machine.stop()
                #expect(machine.wait() == .stopped)

                let other = try debugged(Self.forEver, processors: 3)
                var client = try DebuggerClient(path)
                #expect(try client.ask("qfThreadInfo") == "m1,2,3")
                #expect(try client.ask("T3") == "OK")
                #expect(try client.ask("T4") == "E03")
                for _ in 0..<3 {
                    try client.send(GDBPacket.encode(Array("c".utf8)))
                    try client.send([3])
                    #expect(try client.next() == "T02thread:1;")
                }
                #expect(try client.ask("Hg2") == "OK")
                // The reset vector of a processor that was not started.
                #expect(try client.ask("p10") == "f0ff000000000000")
                // One that goes without a word: the guest goes on, and the next finds it.
                client = try DebuggerClient(path)
                #expect(try client.ask("?") == "S05")
                #expect(try client.ask("p10") == "0000100000000000")
                other.stop()
                #expect(other.wait() == .stopped)
                #expect(try client.next() == "W00")
            }

            @Test func aHostileDebuggerDoesNoHarm() throws {
                let machine = try debugged(Self.forEver)
                let client = try DebuggerClient(path)
                try client.send(Array("$$$#00+-$zz#".utf8) + [UInt8](repeating: 0x24, count: 1000))
                try client.send(Array("m0,4#00".utf8))
                for text in [
                    "", "vCont;s:7fffffffffffffff", "Hg7fffffffffffffff", "Hc-7fffffffffffffff", "T0",
                    "m0,7fffffffffffffff", "mfffffffffffffffe,10", "Z0,ffffffffffffffff,1", "qThreadExtraInfo,0",
                    "qThreadExtraInfo,7fffffffffffffff",
                    "qXfer:features:read:target.xml:7fffffffffffffff,7fffffffffffffff",
                    "G00", "P0=00", "p7fffffffffffffff", "s\(String(repeating: "f", count: 17))",
                ] { _ = try client.ask(text) }
                machine.stop()
                #expect(machine.wait() == .stopped)
            }

            /// GDB itself: it reads the description of the registers, and believes it.
            @Test(.needs(.program("gdb"))) func gdbDebugsTheGuest() throws {
                let machine = try machine(Self.code)
                try machine.serveDebugger(at: .path(path))
                try machine.start()
                let log = try scratch.file("log", [])
                var commands = [
                    "target remote \(path)", "p/x $pc", "x/2xb $pc", "stepi", "p/x $rax", "p $eflags", "p $mxcsr",
                    "set var *(int *)0x3000 = 7", "p *(int *)0x3000", "set var $rbx = 0x5a5a", "p/x $rbx",
                    "info threads",
                ]
                var answers = [
                    "$1 = 0x100000", "0xb8\t0x34", "$2 = 0x1234", "$4 = 8064", "$5 = 7", "$6 = 0x5a5a", "vCPU 0",
                    "[Inferior 1 (Remote target) detached]",
                ]
                // In the test machine breakpoints are lost, as above.
                if !insideTestVM {
                    commands += ["hbreak *0x10000e", "continue", "p/x *(int *)0x3000"]
                    answers.append("$7 = 0x1235")
                }
                commands.append("detach")
                let line = commands.map { "-ex '\($0)'" }.joined(separator: " ")
                #expect(system("timeout 100 gdb -nx -batch \(line) </dev/null >\(log) 2>&1") == 0)
                #expect(machine.wait() == .powerOff)
                let said = try readText(log)
                for expected in answers { #expect(said.contains(expected), "\(expected) in \(said)") }
            }
        }
    }
#endif
