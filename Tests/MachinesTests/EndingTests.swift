#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    /// `bulkhead-vm` with guests of a few instructions: its exit status, its consoles, and that nothing is left.
    @Suite(.needs(.kvm)) struct EndingTests {
        private let scratch = Scratch()

        private static func out(_ port: UInt16, _ value: UInt8) -> [UInt8] {
            [0x66, 0xba, UInt8(port & 0xff), UInt8(port >> 8), 0xb0, value, 0xee]
        }
        private static let up = out(0x3f8, UInt8(ascii: "!"))
        private static let powerOff = out(0x600, 0x34)
        private static let waitForEver: [UInt8] = [0xf4, 0xeb, 0xfd]
        /// Sends back each byte that it gets, one higher, and switches off after a full stop.
        private static let echo: [UInt8] = [
            0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7,  //      wait: in al, 0x3fd; test al, 1; jz wait
            0x66, 0xba, 0xf8, 0x03, 0xec, 0x3c, 0x2e, 0x74, 0x05,  //      in al, 0x3f8; cmp al, '.'; je end
            0xfe, 0xc0, 0xee, 0xeb, 0xe7,  //                              inc al; out dx, al; jmp wait
        ]

        private func kernel(_ code: [UInt8]) throws -> String {
            try scratch.file("kernel", TestELF(code: code + Self.waitForEver).bytes)
        }

        private func monitor(_ code: [UInt8], _ words: String..., terminal: CInt? = nil) throws -> Monitor {
            try Monitor(
                ["run", "--accept-emulation", "--memory", "32", "--kernel", try kernel(code)] + words,
                terminal: terminal)
        }

        @Test func theStatusSaysHowTheGuestEnded() throws {
            func status(_ code: [UInt8]) throws -> CInt { try monitor(Self.up + code).finish().status }
            #expect(try status(Self.powerOff) == 0)
            #expect(try status(Self.out(0x604, 0x42)) == 10)
            #expect(try status(Self.out(0x64, 0xfe)) == 10)
            #expect(try status(Self.out(0x505, 1)) == 11)
        }

        @Test(.needs(.testVM)) func aTripleFaultIsSeen() throws {
            // ud2, without a table of interrupts.
            let outcome = try monitor(Self.up + [0x0f, 0x0b], "--verbose").finish()
            #expect(outcome.status == 12, "\(outcome.err)")
            #expect(outcome.out == "!")
            #expect(outcome.err.contains("ended: a triple fault"))
        }

        @Test(arguments: [SIGHUP, SIGINT, SIGTERM]) func aSignalEndsIt(_ number: CInt) throws {
            let socket = "\(scratch.path)/vsock"
            let running = try monitor(Self.up + Self.waitForEver, "--vsock", "3,\(socket)", "--cpus", "2")
            running.wait(for: "!")
            #expect(access(socket, F_OK) == 0)
            running.signal(number)
            #expect(try running.finish().status == 128 + number)
            #expect(access(socket, F_OK) != 0)
        }

        @Test func thirtyTwoProcessorsAreMade() throws {
            #expect(try monitor(Self.up + Self.powerOff, "--cpus", "32").finish().status == 0)
        }

        @Test func aDocumentDescribesAMachine() throws {
            let disk = try scratch.hole("disk", size: 1 << 20)
            let kernel = try kernel(Self.up + Self.powerOff)
            let path = try scratch.file(
                "vm.json",
                Array(
                    """
                    {"kernel": "\(kernel)", "memory": 32, "cpus": 2, "boot": "linux64", "append": "quiet",
                     "disks": [{"path": "\(disk)", "readOnly": true, "bandwidth": "10M",
                                "iops": {"size": 100, "refillTime": 500, "oneTimeBurst": 1000}}],
                     "vsock": {"cid": 3, "path": "\(scratch.path)/vsock"}, "balloon": "1M", "entropy": false,
                     "console": ["stdio", "virtio,none"], "acceptEmulation": true}
                    """.utf8))
            let outcome = try runMonitor("--config", path, "--disk", "\(disk),ro,queues=2,iops=7")
            #expect(outcome.status == 0, "\(outcome.err)")
            #expect(outcome.out == "!" && outcome.err == "")
        }

        @Test func aPersonLeavesByCtrlA() throws {
            let terminal = try PseudoTerminal()
            let before = try mode(terminal)
            let running = try monitor(Self.up + Self.echo, terminal: terminal.program.rawValue)
            #expect(try read(terminal, until: "!").hasSuffix("!"))
            try terminal.master.write("ab\u{1}\u{1}")
            // Ctrl-A twice is one for the guest.
            #expect(try read(terminal, until: "\u{2}").hasSuffix("bc\u{2}"))
            #expect(try mode(terminal) != before)
            try terminal.master.write("\u{1}x")
            #expect(try running.finish().status == 14)
            #expect(try mode(terminal) == before)
        }

        @Test func programsComeToASocketAndGo() throws {
            let path = "\(scratch.path)/console"
            let running = try monitor(Self.echo + Self.powerOff, "--console", "socket=\(path)")
            // There before it listens.
            #expect(eventually(60) { (try? UnixSocket.connect(to: path)) != nil })
            for text in ["abc", "xyz"] {
                let peer = try UnixSocket.connect(to: path)
                try peer.write(text)
                var answer: [UInt8] = []
                while answer.count < 3 { answer += try peer.next() }
                #expect(answer == text.utf8.map { $0 + 1 })
            }
            let last = try UnixSocket.connect(to: path)
            try last.write(".")
            #expect(try running.finish().status == 0)
            #expect(try last.next() == [])
            #expect(access(path, F_OK) != 0)
        }

        /// In a process of its own, where nothing else opens what would be counted.
        @Test(.needs(.testVM)) func fiftyBootsInARowLeaveNothing() async {
            await #expect(processExitsWith: .success) {
                func names(_ path: String) -> Set<String> {
                    guard let folder = opendir(path) else { return [] }
                    defer { closedir(folder) }
                    var names: Set<String> = []
                    while let entry = readdir(folder) {
                        names.insert(
                            withUnsafeBytes(of: &entry.pointee.d_name) {
                                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                            })
                    }
                    return names
                }
                do {
                    let scratch = Scratch()
                    var configuration = MachineConfiguration(
                        kernel: try scratch.file("kernel", TestELF(code: EndingTests.up + EndingTests.powerOff).bytes))
                    configuration.memory = 32 << 20
                    configuration.processors = 2
                    configuration.disks = [.init(path: try scratch.hole("disk", size: 1 << 20))]
                    configuration.networks = [.init(tap: "fifty")]
                    configuration.vsock = .init(cid: 3, path: "\(scratch.path)/vsock")
                    configuration.balloon = .init()
                    func boot() throws {
                        let machine = try Machine(configuration)
                        try machine.start()
                        guard machine.wait() == .powerOff else { exit(3) }
                    }
                    // What is made once, and kept, is made by the first.
                    try boot()
                    func threads() -> [String] {
                        // Those that Swift's own pool adds meanwhile are not the machine's.
                        names("/proc/self/task").compactMap { try? readText("/proc/self/task/\($0)/comm") }
                            .filter { $0.hasPrefix("vcpu") || $0.hasPrefix("devices") || $0.hasPrefix("serial") }
                    }
                    let (open, networks) = (names("/proc/self/fd"), names("/sys/class/net"))
                    let maps = try readText("/proc/self/maps").split(separator: "\n").count
                    for _ in 0..<50 { try boot() }
                    if names("/proc/self/fd") != open { exit(4) }
                    if !threads().isEmpty { exit(5) }
                    if names("/sys/class/net") != networks { exit(6) }
                    if access("\(scratch.path)/vsock", F_OK) == 0 { exit(7) }
                    // The allocator keeps some; fifty machines would be hundreds.
                    if try readText("/proc/self/maps").split(separator: "\n").count > maps + 25 { exit(8) }
                    exit(0)
                } catch {
                    perror("\(error)")
                    exit(2)
                }
            }
        }

        private func mode(_ terminal: borrowing PseudoTerminal) throws -> [tcflag_t] {
            var mode = termios()
            guard tcgetattr(terminal.program.rawValue, &mode) == 0 else { throw Errno.current }
            return [mode.c_iflag, mode.c_oflag, mode.c_cflag, mode.c_lflag]
        }

        private func read(_ terminal: borrowing PseudoTerminal, until end: String) throws -> String {
            var text = ""
            while !text.hasSuffix(end) {
                text += String(decoding: try terminal.master.next(), as: UTF8.self)
            }
            return text
        }
    }
#endif
