#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    /// Options that start a passt fail before there is a machine, or with it.
    @Suite(.needs(.kvm), .needs(.program("passt"))) struct PasstFailureTests {
        private let scratch = Scratch()

        private func run(_ net: String) throws -> Monitor.Outcome {
            let kernel = try scratch.file("kernel", TestELF().bytes)
            return try runMonitor("--accept-emulation", "--memory", "32", "--kernel", kernel, "--net", net)
        }

        @Test func aSocketWithoutAListenerIsRefused() throws {
            let outcome = try run("socket=\(scratch.path)/nobody")
            #expect(outcome.status == 1)
            #expect(outcome.err.contains("--net: connect to \"\(scratch.path)/nobody\": "), "\(outcome.err)")
        }

        @Test func aQueuePairMoreIsRefused() throws {
            let outcome = try run("passt,queues=2")
            #expect(outcome.status == 2)
            #expect(outcome.err.contains("--net: a card on a socket has one pair of queues"), "\(outcome.err)")
        }
    }

    // In the suite of machines, so that they boot one after the other.
    extension MachineTests {
        /// `bulkhead-vm` with a passt of its own, as a user without rights: in a network namespace where the host has an
        /// interface and a web server on its loopback.
        @Suite(.needs(.testVM), .serialized) struct PasstTests {
            private let scratch = Scratch()

            /// Says something, and waits for ever.
            private static let waits: [UInt8] = [
                0x66, 0xba, 0xf8, 0x03, 0xb0, UInt8(ascii: "!"), 0xee, 0xf4, 0xeb, 0xfd,
            ]

            private func monitor(_ words: [String]) throws -> Monitor {
                #expect(chmod("/dev/kvm", 0o666) == 0)
                let script = """
                    set -e
                    PATH=$PATH:/usr/sbin:/sbin
                    chmod -R a+rX \(scratch.path)
                    ip link set lo up
                    ip link add up0 type dummy
                    ip address add 192.0.2.2/24 dev up0
                    ip link set up0 up
                    ip route add default via 192.0.2.1
                    setpriv --pdeathsig KILL busybox httpd -f -p 127.0.0.1:8080 -h \(scratch.path) &
                    exec setpriv --reuid 61000 --regid 61000 --clear-groups "$@"
                    """
                return try Monitor(["run"] + words, prefix: ["unshare", "--net", "sh", "-c", script, "sh"])
            }

            /// The passts that there are, by their parent.
            private func passts(of parent: pid_t) throws -> [pid_t] {
                var found: [pid_t] = []
                for name in try #require(names(in: "/proc")) {
                    // One that ends meanwhile can't be read.
                    guard let pid = pid_t(name), let text = try? readText("/proc/\(pid)/stat"),
                        text.contains("(passt"), let rest = text.split(separator: ")").last
                    else { continue }
                    let fields = rest.split(separator: " ")
                    if fields[0] != "Z", pid_t(fields[1]) == parent || parent == 0 { found.append(pid) }
                }
                return found
            }

            @Test func aGuestFetchesAFileFromTheHostsLoopback() throws {
                let (kernel, files) = (try #require(debianKernel), try #require(demoFiles))
                let image = try scratch.file("kernel", try readFile(kernel.image, limit: 64 << 20))
                let disk = try scratch.file("initrd", try readFile("\(files)/initramfs.cpio", limit: 64 << 20))
                // More than a window and a buffer hold.
                let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
                let served = try scratch.file("served", bytes)
                let append = "console=ttyS0 quiet panic=-1 demo.fetch=http://192.0.2.1:8080/served"
                let outcome = try monitor([
                    "--kernel", image, "--initrd", disk, "--memory", "192", "--append", append, "--net",
                    "passt,--ipv4-only,mac=02:00:00:00:00:02",
                ]).finish()
                #expect(outcome.status == 0, "\(outcome.out)\(outcome.err)")
                #expect(outcome.out.contains("lease        192.0.2.2/24 mtu 65520"), "\(outcome.out)")
                let sum = try scratch.file("sum", [])
                #expect(system("md5sum <\(served) >\(sum)") == 0)
                let line = try readText(sum).split(separator: "\n")[0]
                #expect(outcome.out.contains("fetched      \(line)"), "\(outcome.out)")
                #expect(try passts(of: 0) == [])
            }

            @Test func itEndsWithTheMonitorHoweverThatEnds() throws {
                let kernel = try scratch.file("kernel", TestELF(code: Self.waits).bytes)
                for signal in [SIGTERM, SIGKILL] {
                    let running = try monitor(["--memory", "32", "--kernel", kernel, "--net", "passt"])
                    running.wait(for: "!")
                    #expect(try passts(of: running.pid).count == 1)
                    running.signal(signal)
                    #expect(try running.finish().status == 128 + signal)
                    #expect(try eventually(20) { try passts(of: 0).isEmpty })
                }
            }

            @Test func theGuestGoesOnWithoutIt() throws {
                let kernel = try scratch.file("kernel", TestELF(code: Self.waits).bytes)
                let running = try monitor(["--memory", "32", "--kernel", kernel, "--net", "passt"])
                running.wait(for: "!")
                for passt in try passts(of: running.pid) { kill(passt, SIGKILL) }
                #expect(try eventually(20) { try passts(of: running.pid).isEmpty })
                running.signal(SIGTERM)
                let outcome = try running.finish()
                #expect(outcome.status == 128 + SIGTERM)
                // passt itself warns of what the host lacks.
                #expect(outcome.err.hasSuffix("bulkhead-vm: passt has ended: the guest's link is down\n"))
            }

            @Test func oneThatCanNotStartIsAnError() throws {
                let kernel = try scratch.file("kernel", TestELF(code: Self.waits).bytes)
                let outcome = try monitor(["--memory", "32", "--kernel", kernel, "--net", "passt,--no-such-option"])
                    .finish()
                #expect(outcome.status == 1)
                #expect(outcome.err.contains("--no-such-option"), "\(outcome.err)")
                #expect(outcome.err.contains("bulkhead-vm: --net: run passt: "), "\(outcome.err)")
            }
        }
    }
#endif
