#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    // In the suite of machines, so that they boot one after the other.
    extension MachineTests {
        /// `bulkhead-vm` with Debian's kernel and the initramfs of `scripts/vm-demo`, which does what the command line says.
        @Suite(.needs(.testVM), .serialized) struct DebianGuestTests {
            private let scratch = Scratch()

            private func words(_ append: String, _ more: [String]) throws -> [String] {
                let kernel = try #require(debianKernel)
                let files = try #require(demoFiles)
                return [
                    "run", "--kernel", kernel.elf, "--initrd", "\(files)/initramfs.cpio", "--append",
                    "console=ttyS0 quiet panic=-1 \(append)",
                ] + more
            }

            private func monitor(_ append: String, _ more: String..., terminal: CInt? = nil) throws -> Monitor {
                try Monitor(try words(append, more), terminal: terminal)
            }

            /// A copy of the demo's disk, which a guest may write to.
            private func disk() throws -> String {
                try scratch.file("disk", try readFile("\(try #require(demoFiles))/disk.img", limit: 32 << 20))
            }

            @Test func memoryOnBothSidesOfTheHoleIsThere() throws {
                // Half a GiB of it is above 4 GiB.
                let outcome = try monitor("", "--memory", "3584").finish()
                #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
                let line = outcome.out.split(whereSeparator: \.isNewline).first { $0.hasPrefix("  memory") }
                let mebibytes = line.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
                #expect(mebibytes > 3200 && mebibytes <= 3584, "\(outcome.out)")
            }

            @Test func eightProcessorsStart() throws {
                withKnownIssue("a triple fault now and then, under emulation; not understood", isIntermittent: true) {
                    let outcome = try monitor("", "--cpus", "8").finish()
                    #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
                    #expect(outcome.out.contains("processors   8\r\n"), "\(outcome.out)")
                }
            }

            @Test func vsockGoesBothWays() throws {
                let path = "\(scratch.path)/vsock"
                let listener = try UnixSocket.listen(at: "\(path)_1234")
                defer { unlink("\(path)_1234") }
                let running = try monitor("demo.vsock", "--vsock", "3,\(path)")
                // The guest's call, which waits while the host calls the guest.
                try listener.waitReadable()
                let called = try UnixSocket.accept(on: listener)
                #expect(try called.next() == Array("hello".utf8))
                let calling = try UnixSocket.connect(to: path)
                try calling.write("CONNECT 1234\n")
                #expect(String(decoding: try calling.next(), as: UTF8.self).hasPrefix("OK "))
                try calling.write("there and back")
                var answer: [UInt8] = []
                while answer.count < 14 { answer += try calling.next() }
                #expect(answer == Array("there and back".utf8))
                try called.write("well heard")
                let outcome = try running.finish()
                #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
                #expect(outcome.out.contains("vsock        well heard"), "\(outcome.out)")
                #expect(access(path, F_OK) != 0)
            }

            /// A pair of queues for each of two processors, which Linux asks for by itself, and which are one core.
            @Test func theHostIsReachedThroughTheCard() throws {
                let path = "PATH=$PATH:/usr/sbin:/sbin"
                try #require(
                    system(
                        """
                        \(path); ip tuntap add name bhguest mode tap multi_queue vnet_hdr &&
                        ip address add 10.111.0.1/30 dev bhguest && ip link set bhguest up
                        """) == 0)
                defer { system("\(path); ip link delete bhguest") }
                let outcome = try monitor("", "--cpus", "2,threads=2", "--net", "tap=bhguest,queues=2").finish()
                #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
                #expect(outcome.out.contains("core         processors 0-1\r\n"), "\(outcome.out)")
                #expect(
                    outcome.out.contains("network      2 packets transmitted, 2 packets received"), "\(outcome.out)")
            }

            @Test func aVirtioConsoleKnowsTheTerminalsSize() throws {
                let terminal = try PseudoTerminal()
                try terminal.program.setTerminalSize(TerminalSize(rows: 33, columns: 111))
                let boot = "\(scratch.path)/boot.log"
                defer { unlink(boot) }
                let running = try monitor(
                    "console=hvc0 demo.size", "--console", "virtio", "--console", "serial,file=\(boot)",
                    terminal: terminal.program.rawValue)
                var text = ""
                func more() throws { text += String(decoding: try terminal.master.next(), as: UTF8.self) }
                func read(until end: String) throws { while !text.contains(end) { try more() } }
                try read(until: "size         33 111")
                try terminal.program.setTerminalSize(TerminalSize(rows: 44, columns: 122))
                // The terminal is nobody's, so nobody is told.
                running.signal(SIGWINCH)
                while !text.contains("size         44 122") {
                    try terminal.master.write("and now\r")
                    let seen = text.split(separator: "size  ").count
                    while text.split(separator: "size  ").count == seen { try more() }
                }
                try terminal.master.write("enough\r")
                #expect(try running.finish().status == 0)
                #expect(try readText(boot).contains("reboot: Power down"))
            }

            @Test func aFullDiskIsAnErrorOfTheGuests() throws {
                // Room for a quarter of the disk.
                let folder = "\(scratch.path)/small"
                try #require(mkdir(folder, 0o700) == 0)
                try #require(mount("small", folder, "tmpfs", 0, "size=4m") == 0)
                defer {
                    umount2(folder, CInt(MNT_DETACH))
                    rmdir(folder)
                }
                try Descriptor.open("\(folder)/disk", [.writeOnly, .create]).write([])
                try #require(truncate("\(folder)/disk", 16 << 20) == 0)
                let outcome = try monitor("demo.fill", "--disk", "\(folder)/disk").finish()
                #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
                #expect(outcome.out.contains("fill         error"), "\(outcome.out)")
                #expect(outcome.out.contains("after that   2"), "\(outcome.out)")
            }

            @Test func aFileSystemSurvivesTheMonitorsDeath() throws {
                let disk = try disk()
                let running = try monitor("demo.churn", "--disk", disk)
                running.wait(for: "churn        one round")
                running.signal(SIGKILL)
                #expect(try running.finish().status == 128 + SIGKILL)
                // Replays the journal, and finds nothing that a person would have to decide.
                let log = try scratch.file("fsck.log", [])
                let path = "PATH=$PATH:/usr/sbin:/sbin"
                let mended = system("\(path) e2fsck -p \(disk) >\(log) 2>&1") >> 8
                #expect(mended <= 1, "\((try? readText(log)) ?? "")")
                let checked = system("\(path) e2fsck -f -n \(disk) >\(log) 2>&1")
                #expect(checked == 0, "\((try? readText(log)) ?? "")")
            }
        }
    }
#endif
