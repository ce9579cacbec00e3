#if arch(x86_64)
    import Glibc
    import GuestMemory
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    /// A guest that counts, which even a KVM of software runs.
    struct CountingGuest {
        static let counter = GuestAddress(0x20_0000)
        /// `inc dword [0x200000]`, and again.
        static let code: [UInt8] = [0xff, 0x04, 0x25, 0, 0, 0x20, 0, 0xeb, 0xf7]

        static func count(_ machine: Machine) throws -> UInt32 { try machine.memory.load(at: counter) }

        /// Waits until it has counted further.
        static func goesOn(_ machine: Machine) throws -> Bool {
            let before = try count(machine)
            return eventually(60) { (try? count(machine)) != before }
        }

        /// Whether it stays where it is for a while.
        static func isStill(_ machine: Machine) throws -> Bool {
            let before = try count(machine)
            usleep(20_000)
            return try count(machine) == before
        }
    }

    extension MachineTests {
        @Suite(.serialized) struct PauseTests {
            private let scratch = Scratch()

            private func machine(_ change: (inout MachineConfiguration) -> Void = { _ in }) throws -> Machine {
                var configuration = MachineConfiguration(
                    kernel: try scratch.file("kernel", TestELF(code: CountingGuest.code).bytes))
                configuration.memory = 32 << 20
                configuration.acceptsEmulation = true
                change(&configuration)
                return try Machine(configuration)
            }

            @Test func aPausedGuestStandsStill() throws {
                let machine = try machine { $0.processors = 3 }
                try machine.start()
                #expect(try CountingGuest.goesOn(machine))
                for _ in 0..<3 {
                    try machine.pause()
                    // Once more is no harm.
                    try machine.pause()
                    #expect(machine.isPaused)
                    #expect(try CountingGuest.isStill(machine))
                    try machine.resume()
                    try machine.resume()
                    #expect(!machine.isPaused)
                    #expect(try CountingGuest.goesOn(machine))
                }
                machine.stop()
                #expect(machine.wait() == .stopped)
            }

            @Test func aPausedMachineEnds() throws {
                let machine = try machine()
                try machine.start()
                try machine.pause()
                machine.stop()
                #expect(machine.wait() == .stopped)
                #expect(throws: MachineError.self) { try machine.pause() }
                #expect(throws: MachineError.self) { try machine.resume() }
                #expect(!machine.isPaused)
                let dropped = try self.machine()
                try dropped.start()
                try dropped.pause()
            }

            @Test func aMachineThatWasNotStartedIsNotPaused() throws {
                let machine = try machine()
                #expect(throws: MachineError.self) { try machine.pause() }
                #expect(throws: MachineError.self) { try machine.resume() }
                #expect(!machine.isPaused)
            }

            @Test func manyThreadsPauseAndResume() throws {
                let machine = try machine { $0.processors = 2 }
                try machine.start()
                let threads = try (0..<4).map { _ in
                    try MachineThread("pauser") {
                        for _ in 0..<25 {
                            try? machine.pause()
                            try? machine.resume()
                        }
                    }
                }
                for thread in threads { thread.join() }
                #expect(!machine.isPaused)
                #expect(try CountingGuest.goesOn(machine))
                machine.stop()
                #expect(machine.wait() == .stopped)
            }

            @Test func theSerialPortStandsStill() throws {
                // Reads a byte when there is one, and sends it back, for ever.
                let echo: [UInt8] = [
                    0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7, 0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb,
                    0xef,
                ]
                let input = try Pipe()
                let output = try Pipe()
                var configuration = MachineConfiguration(
                    kernel: try scratch.file("kernel", TestELF(code: echo).bytes))
                configuration.memory = 32 << 20
                configuration.acceptsEmulation = true
                let machine = try Machine(
                    configuration,
                    console: SerialEnds(
                        input: try input.readEnd.duplicate(), output: try output.writeEnd.duplicate()))
                try machine.start()
                try input.writeEnd.write("a")
                #expect(try output.readEnd.read(upTo: 16) == Array("a".utf8))
                try machine.pause()
                try input.writeEnd.write("b")
                try output.readEnd.setNonBlocking(true)
                usleep(20_000)
                #expect(throws: SystemError.self) { try output.readEnd.read(upTo: 16) }
                try machine.resume()
                var answer: [UInt8] = []
                #expect(
                    eventually(60) {
                        answer += (try? output.readEnd.read(upTo: 16)) ?? []
                        return answer == Array("b".utf8)
                    })
                machine.stop()
                #expect(machine.wait() == .stopped)
            }
        }
    }
#endif
