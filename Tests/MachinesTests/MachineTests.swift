import Glibc
import GuestMemory
import Linux
import Testing
import TestSupport

@testable import Machines

#if arch(x86_64)
    /// Machines that run code of a few instructions, which even a KVM of software does.
    @Suite(.needs(.kvm), .serialized) struct MachineTests {
        private let scratch = Scratch()

        // out dx, al is one byte, and mov dx, imm16 is the same in 32-bit and 64-bit code.
        private static func out(_ port: UInt16, _ value: UInt8) -> [UInt8] {
            [0x66, 0xba, UInt8(port & 0xff), UInt8(port >> 8), 0xb0, value, 0xee]
        }
        /// Sends eax to the serial port.
        private static let sendEAX: [UInt8] =
            [0x66, 0xba, 0xf8, 0x03] + [0xee, 0xc1, 0xe8, 0x08, 0xee, 0xc1, 0xe8, 0x08, 0xee, 0xc1, 0xe8, 0x08, 0xee]
        private static let powerOff = out(0x600, 0x34)
        private static let waitForEver: [UInt8] = [0xf4, 0xeb, 0xfd]

        private func configuration(_ kernel: TestELF) throws -> MachineConfiguration {
            var configuration = MachineConfiguration(kernel: try scratch.file("kernel", kernel.bytes))
            configuration.memory = 32 << 20
            configuration.acceptsEmulation = true
            return configuration
        }

        /// How a guest ends, and what it says.
        private func run(_ code: [UInt8], pvh: Bool = false, processors: Int = 1) throws -> (Ending, [UInt8]) {
            var elf = TestELF(code: code + Self.waitForEver)
            if pvh { elf.pvhEntry = 0x100000 }
            var configuration = try configuration(elf)
            configuration.processors = processors
            let pipe = try Pipe()
            let machine = try Machine(
                configuration, console: SerialEnds(output: try pipe.writeEnd.duplicate()))
            try machine.start()
            let ending = machine.wait()
            // All that was said is in the pipe once the machine has ended.
            try pipe.readEnd.setNonBlocking(true)
            return (ending, (try? pipe.readEnd.read(upTo: 65536)) ?? [])
        }

        @Test func theGuestSwitchesOff() throws {
            let (ending, said) = try run("hi".utf8.flatMap { Self.out(0x3f8, $0) } + Self.powerOff)
            #expect(ending == .powerOff)
            #expect(said == Array("hi".utf8))
        }

        @Test func theGuestEndsInEveryWay() throws {
            #expect(try run(Self.out(0x604, 0x42)).0 == .reset)
            #expect(try run(Self.out(0x64, 0xfe)).0 == .reset)
            #expect(try run(Self.out(0x505, 1)).0 == .panic)
        }

        @Test func theResetVectorResets() throws {
            // Linux jumps there in real mode. In 32-bit code the first byte takes two more: mov edx, …
            #expect(ResetVector.code.count <= 16)
            let kernel = TestELF(code: [0xba] + Array(ResetVector.code[1...2]) + [0, 0] + ResetVector.code[3...])
            let machine = try Machine(try configuration(kernel))
            try machine.start()
            #expect(machine.wait() == .reset)
        }

        @Test func whatIsNoWishToEndDoesNotEnd() throws {
            // Another sleep, another value, a command of the keyboard's; only the last ends it.
            let code = Self.out(0x600, 0x20) + Self.out(0x604, 1) + Self.out(0x64, 0xaa) + Self.out(0x505, 2)
            #expect(try run(code + Self.powerOff).0 == .powerOff)
        }

        @Test func linuxIsEnteredWithItsParameters() throws {
            // mov eax, [rsi + 0x202]
            let (ending, said) = try run([0x8b, 0x86, 0x02, 0x02, 0, 0] + Self.sendEAX + Self.powerOff)
            #expect(ending == .powerOff)
            #expect(said == Array("HdrS".utf8))
        }

        @Test func pvhIsEnteredWithItsStartInfo() throws {
            // mov eax, [ebx]
            let (ending, said) = try run([0x8b, 0x03] + Self.sendEAX + Self.powerOff, pvh: true)
            #expect(ending == .powerOff)
            #expect(said == [0x78, 0xc5, 0x6e, 0x33])
        }

        @Test func registersOfADeviceAnswer() throws {
            // mov eax, [0xc0001000] by way of ebx: paging maps the first GiB only, so in 32-bit code.
            let (ending, said) = try run(
                [0xbb, 0, 0x10, 0, 0xc0, 0x8b, 0x03] + Self.sendEAX + Self.powerOff, pvh: true)
            #expect(ending == .powerOff)
            #expect(said == Array("virt".utf8))
        }

        @Test func theOldInterruptControllersAreMaskedAtFirst() throws {
            // in al, 0x21; in al, 0xa1: each sent.
            let send: [UInt8] = [0x66, 0xba, 0xf8, 0x03, 0xee]
            let (ending, said) = try run([0xe4, 0x21] + send + [0xe4, 0xa1] + send + Self.powerOff)
            #expect(ending == .powerOff && said == [0xff, 0xff])
        }

        @Test func aKernelWithoutACPIIsToldOnlyWhereItIsAskedFor() throws {
            for isAsked in [false, true] {
                var configuration = try configuration(TestELF(code: Self.waitForEver))
                configuration.commandLine = "quiet -- single"
                configuration.tellsKernelsWithoutACPI = isAsked
                let machine = try Machine(configuration)
                var said = [UInt8](repeating: 0, count: 60)
                for index in said.indices {
                    said[index] = try machine.memory.load(UInt8.self, at: GuestAddress(0x20000 + UInt64(index)))
                }
                let line = "quiet\(isAsked ? " virtio_mmio.device=4K@0xc0001000:5" : "") -- single"
                #expect(said.starts(with: Array(line.utf8) + [0]), "\(String(decoding: said, as: UTF8.self))")
                #expect(machine.configuration == configuration)
                let mark = try machine.memory.load(UInt32.self, at: GuestAddress(0x9fc00))
                #expect(mark == (isAsked ? 0x5f50_4d5f : 0))
            }
        }

        @Test func theGuestSaysThatItIsUp() throws {
            // mov ebx, 0xc0000000; mov byte [ebx], 123
            let configuration = try configuration(
                TestELF(code: [0xbb, 0, 0, 0, 0xc0, 0xc6, 0x03, 123] + Self.powerOff, pvhEntry: 0x100000))
            let machine = try Machine(configuration)
            #expect(machine.guestUpTime == nil)
            try machine.start()
            #expect(machine.wait() == .powerOff)
            #expect(try #require(machine.guestUpTime) > machine.times.end)
            #expect(machine.exits.ports == 1)
            #expect(machine.exits.memory == 1)
        }

        @Test func itIsStoppedFromOutside() throws {
            var configuration = try configuration(TestELF(code: Self.waitForEver))
            // The others wait for a kernel that never starts them.
            configuration.processors = 4
            let machine = try Machine(configuration)
            try machine.start()
            #expect(machine.ending == nil)
            machine.stop()
            #expect(machine.wait() == .stopped)
            // Once more is no harm.
            machine.stop()
            #expect(machine.wait() == .stopped)
        }

        @Test func aMachineThatIsDroppedEnds() throws {
            let before = try descriptors()
            for _ in 0..<3 {
                let machine = try Machine(try configuration(TestELF(code: Self.waitForEver)))
                try machine.start()
            }
            _ = try Machine(try configuration(TestELF()))
            #expect(try descriptors() <= before)
        }

        @Test func itGrowsAsFarAsItMay() throws {
            var configuration = try configuration(TestELF(code: Self.waitForEver))
            configuration.maximumProcessors = 3
            configuration.maximumMemory = (32 << 20) + (384 << 20)
            configuration.spareDevices = 1
            let machine = try Machine(configuration)
            func part(_ body: () throws(MachineError) -> Void) -> MachineError.Part? {
                do throws(MachineError) { try body() } catch { return error.part }
                return nil
            }
            let disk = MachineConfiguration.Disk(path: try scratch.file("disk", [UInt8](repeating: 1, count: 512)))
            // Nothing comes before it runs.
            #expect(part { () throws(MachineError) in try machine.addProcessors(1) } == .processors)
            #expect(part { () throws(MachineError) in try machine.addMemory(128 << 20) } == .memory)
            #expect(part { () throws(MachineError) in try machine.addDisk(disk) } == .machine)
            #expect(machine.hotplug.state.events == 0)
            try machine.start()
            #expect(part { () throws(MachineError) in try machine.addProcessors(3) } == .processors)
            #expect(part { () throws(MachineError) in try machine.addProcessors(0) } == .processors)
            try machine.addProcessors(2)
            #expect(part { () throws(MachineError) in try machine.addProcessors(1) } == .processors)
            #expect(part { () throws(MachineError) in try machine.addMemory(64 << 20) } == .memory)
            #expect(part { () throws(MachineError) in try machine.addMemory(512 << 20) } == .memory)
            try machine.addMemory(128 << 20)
            try machine.addMemory(256 << 20)
            #expect(part { () throws(MachineError) in try machine.addMemory(128 << 20) } == .memory)
            #expect(part { () throws(MachineError) in try machine.addDisk(.init(path: "/nonexistent")) } == .disk)
            try machine.addDisk(disk)
            #expect(part { () throws(MachineError) in try machine.addDisk(disk) } == .machine)
            let state = machine.hotplug.state
            #expect(state.processors == 0b111)
            #expect(
                state.memory == [
                    .init(start: 0x1_0000_0000, size: 128 << 20), .init(start: 0x1_0800_0000, size: 256 << 20),
                ])
            // The first is that of random numbers.
            #expect(state.devices == 0b11)
            #expect(machine.memory.regionCount == 3)
            machine.stop()
            #expect(machine.wait() == .stopped)
            #expect(part { () throws(MachineError) in try machine.addMemory(128 << 20) } == .memory)
        }

        @Test func aDeviceAnswersWhereNoneWas() throws {
            // mov eax, [0xc0014018], by way of ebx: the places where something came, until there is one; then the magic
            // number of the device in it.
            let code: [UInt8] =
                [0xbb, 0x18, 0x40, 0x01, 0xc0, 0x8b, 0x03, 0x85, 0xc0, 0x74, 0xfa]
                + [0xbb, 0, 0x20, 0, 0xc0, 0x8b, 0x03] + Self.sendEAX + Self.powerOff
            var configuration = try configuration(TestELF(code: code + Self.waitForEver, pvhEntry: 0x100000))
            configuration.spareDevices = 1
            let pipe = try Pipe()
            let machine = try Machine(configuration, console: SerialEnds(output: try pipe.writeEnd.duplicate()))
            try machine.start()
            try machine.addDisk(
                .init(path: try scratch.file("disk", [UInt8](repeating: 1, count: 512)), isReadOnly: true))
            #expect(machine.wait() == .powerOff)
            #expect(try pipe.readEnd.read(upTo: 16) == Array("virt".utf8))
        }

        @Test func inputReachesTheGuest() throws {
            // wait: in al, 0x3fd; test al, 1; jz wait; in al, 0x3f8; inc al; out: once.
            let code: [UInt8] = [
                0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7, 0x66, 0xba, 0xf8, 0x03, 0xec, 0x04, 0x01, 0xee,
            ]
            let input = try Pipe()
            let output = try Pipe()
            let machine = try Machine(
                try configuration(TestELF(code: code + Self.powerOff)),
                console: SerialEnds(
                    input: try input.readEnd.duplicate(), output: try output.writeEnd.duplicate(),
                    filter: { $0.filter { $0 != UInt8(ascii: "x") } }))
            try machine.start()
            try input.writeEnd.write("xxa")
            #expect(machine.wait() == .powerOff)
            #expect(try output.readEnd.read(upTo: 16) == Array("b".utf8))
        }

        @Test func whatIsMissingIsNamed() throws {
            func part(_ change: (inout MachineConfiguration) -> Void) throws -> MachineError.Part? {
                var configuration = try configuration(TestELF())
                change(&configuration)
                do throws(MachineError) { _ = try Machine(configuration) } catch { return error.part }
                return nil
            }
            let before = try descriptors()
            #expect(try part { $0.kernel = "/nonexistent" } == .kernel)
            #expect(try part { $0.initialRAMDisk = "/nonexistent" } == .initialRAMDisk)
            #expect(try part { $0.disks = [.init(path: "/nonexistent")] } == .disk)
            #expect(try part { $0.disks = [.init(path: scratch.path)] } == .disk)
            let path = "\(scratch.path)/kernel"
            #expect(try part { $0.vsock = .init(cid: 3, path: path) } == .vsock)
            #expect(try part { $0.commandLine = String(repeating: "a", count: 3000) } == .commandLine)
            #expect(try descriptors() <= before)
        }

        /// How many descriptors of KVM's are open: other suites, which run at the same time, have none of these.
        private func descriptors() throws -> Int {
            guard let folder = opendir("/proc/self/fd") else { throw Errno.current }
            defer { closedir(folder) }
            var count = 0
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                var target = [UInt8](repeating: 0, count: 256)
                let length = target.withUnsafeMutableBytes {
                    readlink("/proc/self/fd/\(name)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
                }
                if length > 0, String(decoding: target[..<length], as: UTF8.self).contains("kvm") { count += 1 }
            }
            return count
        }
    }
#endif
