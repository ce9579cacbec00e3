#if arch(x86_64)
    import Glibc
    import Linux
    import Machines
    import TestSupport
    import Testing

    @testable import bulkhead_vm

    // In the suite of machines, so that they run one after the other.
    extension MachineTests {
        /// Many requests and rude clients while a guest has a processor for itself; `Benchmarks/vm/run api` has a minute
        /// of it.
        @Suite(.needs(.kvm)) struct LoadTests {
            private let scratch = Scratch()

            /// Counts on the serial port, slowly, and never waits.
            private static let counts: [UInt8] = [
                0x66, 0xba, 0xf8, 0x03,  // mov $0x3f8, %dx
                0x30, 0xc0,  // xor %al, %al
                0xee,  // out %al, (%dx)
                0xfe, 0xc0,  // inc %al
                0xb9, 0x00, 0x00, 0x02, 0x00,  // mov $0x20000, %ecx
                0xff, 0xc9,  // dec %ecx
                0x75, 0xfc,  // jnz to the dec
                0xeb, 0xf2,  // jmp to the out
            ]

            private func kibibytes(_ pid: pid_t) throws -> Int {
                // The guest's memory is none of it: it has that from the start.
                let line = try readText("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
                return try #require(line.flatMap { Int($0.split(separator: " ").dropLast().last ?? "") })
            }

            @Test func manyRequestsLeaveNothingAndDisturbNobody() throws {
                let output = try scratch.file("serial", [])
                let kernel = try scratch.file("kernel", TestELF(code: Self.counts).bytes)
                let api = try APIClient("--accept-emulation")
                #expect(try api("PUT", "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#) == .done)
                #expect(try api("PUT", "/serial", #"{"serial_out_path": "\#(output)"}"#) == .done)
                #expect(try api("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)

                let clients = try (0..<7).map { _ in try APIConnection(api.socket) }
                let requests = [
                    ("GET /machine-config HTTP/1.1\r\n\r\n", 200), ("GET /vm/config HTTP/1.1\r\n\r\n", 200),
                    ("PATCH /vm HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400),
                    ("PUT /none HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400),
                ]
                let half = "PUT /machine-config HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"
                let large = "PUT /machine-config HTTP/1.1\r\nContent-Length: 104857600\r\n\r\n"
                func load(_ count: Int) throws {
                    let begin = ContinuousClock.now
                    var hanging: APIConnection?
                    for index in 0..<count {
                        let (request, status) = requests[index % requests.count]
                        guard try clients[index % clients.count].status(of: request) == status else {
                            Issue.record("request \(index)")
                            return
                        }
                        switch index % 400 {
                        case 100:
                            hanging = try APIConnection(api.socket)
                            hanging?.send(half)
                        case 200: try APIConnection(api.socket).send(large, andThen: 100 << 20)
                        case 300: try APIConnection(api.socket).send("GET /vm/config HTTP/1.1\r\n\r\n")
                        default: break
                        }
                        // A thousand a second, and no more.
                        while ContinuousClock.now < begin + .milliseconds(index) { usleep(200) }
                    }
                    _ = hanging
                }
                let pid = api.monitor.pid
                func descriptors() throws -> Int { try #require(names(in: "/proc/\(pid)/fd")).count }
                // What the first ones need, the others use again.
                try load(400)
                let (memory, open) = (try kibibytes(pid), try descriptors())
                let begin = try readFile(output, limit: 1 << 24)
                try load(1000)
                #expect(try kibibytes(pid) <= memory + 256)
                #expect(try eventually(20) { try descriptors() <= open })
                let end = try readFile(output, limit: 1 << 24)
                #expect(end.count > begin.count, "the guest went on")
                #expect(end.enumerated().allSatisfy { $0.element == UInt8(truncatingIfNeeded: $0.offset) })
                api.monitor.signal(SIGTERM)
                #expect(try api.monitor.finish().status == 128 + SIGTERM)
            }
        }
    }
#endif
