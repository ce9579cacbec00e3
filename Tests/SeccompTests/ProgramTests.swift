import CSeccomp
import Linux
import Seccomp
import Testing

@Suite struct ProgramTests {
    @Test func bytesRoundTrip() throws {
        let program = try largeProfile().compile().program
        let bytes = program.bytes
        #expect(bytes.count == 8 * program.instructions.count)
        #expect(try SeccompProgram(bytes: bytes) == program)
        #expect(!program.asksListener)
        let asking = SeccompProfile(defaultAction: .allow, rules: [SeccompRule(["mkdir"], .notify)])
        #expect(try asking.compile().program.asksListener)
    }

    @Test("an instruction lies in memory as the kernel's does, which is handed the array")
    func layout() {
        typealias Own = BPFInstruction
        typealias Kernel = sock_filter
        #expect(MemoryLayout<Own>.stride == MemoryLayout<Kernel>.stride && MemoryLayout<Own>.size == 8)
        #expect(MemoryLayout<Own>.offset(of: \.code) == MemoryLayout<Kernel>.offset(of: \.code))
        #expect(MemoryLayout<Own>.offset(of: \.jumpTrue) == MemoryLayout<Kernel>.offset(of: \.jt))
        #expect(MemoryLayout<Own>.offset(of: \.jumpFalse) == MemoryLayout<Kernel>.offset(of: \.jf))
        #expect(MemoryLayout<Own>.offset(of: \.operand) == MemoryLayout<Kernel>.offset(of: \.k))
    }

    static func instruction(
        _ code: UInt16, _ operand: UInt32 = 0, _ jumpTrue: UInt8 = 0, _ jumpFalse: UInt8 = 0
    ) -> BPFInstruction {
        BPFInstruction(code: code, jumpTrue: jumpTrue, jumpFalse: jumpFalse, operand: operand)
    }

    /// Each of these the kernel refuses too (see the kernel tests).
    static let malformed: [(instructions: [BPFInstruction], at: Int)] = [
        ([], 0),
        ([instruction(0x20)], 0),
        ([instruction(0x06), instruction(0x20)], 1),
        ([instruction(0x20, 64), instruction(0x06)], 0),
        ([instruction(0x20, 2), instruction(0x06)], 0),
        ([instruction(0x28, 0), instruction(0x06)], 0),
        ([instruction(0x15, 0, 1, 0), instruction(0x06)], 0),
        ([instruction(0x15, 0, 0, 255), instruction(0x06)], 0),
        ([instruction(0x05, 1), instruction(0x06)], 0),
        ([instruction(0x05, .max), instruction(0x06)], 0),
        ([instruction(0x34, 0), instruction(0x06)], 0),
        ([instruction(0x64, 32), instruction(0x06)], 0),
        ([instruction(0x60, 3), instruction(0x06)], 0),
        ([instruction(0x02, 16), instruction(0x06)], 0),
        // Written on one of two paths only.
        ([instruction(0x15, 0, 1, 0), instruction(0x02, 3), instruction(0x60, 3), instruction(0x16)], 2),
        ([instruction(0x94, 3), instruction(0x06)], 0),
        ([instruction(0xffff), instruction(0x06)], 0),
    ]

    @Test(arguments: malformed.indices)
    func malformedProgramsAreRefused(index: Int) throws {
        let (instructions, at) = Self.malformed[index]
        do {
            _ = try SeccompProgram(instructions)
            Issue.record("accepted")
        } catch SeccompError.malformedProgram(let instruction, let reason) {
            #expect(instruction == at, "\(reason)")
        }
    }

    @Test func lengthsAreBounded() throws {
        let answer = Self.instruction(0x06)
        #expect(try SeccompProgram(Array(repeating: answer, count: 4096)).instructions.count == 4096)
        #expect(throws: SeccompError.programTooLong(instructions: 4097)) {
            try SeccompProgram(Array(repeating: answer, count: 4097))
        }
        #expect(throws: SeccompError.programTooLong(instructions: 1 << 20)) {
            try SeccompProgram(bytes: Array(repeating: 0, count: 8 << 20))
        }
        #expect(throws: SeccompError.self) { try SeccompProgram(bytes: [6, 0, 0, 0, 0, 0, 0]) }
    }

    /// Random instructions are refused or run to an end.
    @Test func noProgramRunsAway() throws {
        var random = SeededGenerator(state: 7)
        let codes: [UInt16] = [
            0x20, 0x80, 0x00, 0x60, 0x81, 0x01, 0x61, 0x02, 0x03, 0x07, 0x87, 0x84, 0x05, 0x06, 0x16, 0x15, 0x1d, 0x25,
            0x35, 0x45, 0x4d, 0x04, 0x14, 0x24, 0x34, 0x3c, 0x44, 0x54, 0x64, 0x6c, 0x74, 0x7c, 0xa4, 0x0c, 0x99,
        ]
        var accepted = 0
        for _ in 0..<20000 {
            let program = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                Self.instruction(
                    codes.randomElement(using: &random)!, .random(in: 0...20, using: &random),
                    .random(in: 0...3, using: &random), .random(in: 0...3, using: &random))
            }
            guard let checked = try? SeccompProgram(program) else { continue }
            accepted += 1
            _ = checked.simulate(SystemCall(number: 1, [2, 3, 4, 5, 6, 7]))
            _ = checked.disassembly()
        }
        #expect(accepted > 100)
    }

    @Test func everyOperationComputes() throws {
        func run(_ instructions: [BPFInstruction]) throws -> UInt32 {
            try SeccompProgram(instructions + [Self.instruction(0x16)])
                .simulate(SystemCall(number: 39, on: .x86_64, [0x1111_2222_3333_4444], instructionPointer: 0xaabb_ccdd))
                .rawValue
        }
        func i(_ code: UInt16, _ operand: UInt32 = 0) -> BPFInstruction { Self.instruction(code, operand) }
        #expect(try run([i(0x20, 0)]) == 39)
        #expect(try run([i(0x20, 4)]) == 0xc000_003e)
        #expect(try run([i(0x20, 8)]) == 0xaabb_ccdd)
        #expect(try run([i(0x20, 16)]) == 0x3333_4444)
        #expect(try run([i(0x20, 20)]) == 0x1111_2222)
        #expect(try run([i(0x80)]) == 64)
        #expect(try run([i(0x00, 7), i(0x07), i(0x00, 5), i(0x0c)]) == 12)
        #expect(try run([i(0x00, 7), i(0x14, 8)]) == .max)
        #expect(try run([i(0x00, 7), i(0x24, 6)]) == 42)
        #expect(try run([i(0x00, 45), i(0x34, 6)]) == 7)
        #expect(try run([i(0x00, 45), i(0x01, 0), i(0x3c)]) == 0)
        #expect(try run([i(0x00, 5), i(0x44, 10)]) == 15)
        #expect(try run([i(0x00, 5), i(0x54, 4)]) == 4)
        #expect(try run([i(0x00, 5), i(0xa4, 1)]) == 4)
        #expect(try run([i(0x00, 5), i(0x64, 2)]) == 20)
        #expect(try run([i(0x00, 5), i(0x74, 1)]) == 2)
        #expect(try run([i(0x00, 5), i(0x84)]) == UInt32(bitPattern: -5))
        #expect(try run([i(0x00, 5), i(0x02, 9), i(0x00, 1), i(0x60, 9)]) == 5)
        #expect(try run([i(0x01, 6), i(0x03, 15), i(0x61, 15), i(0x87)]) == 6)
        #expect(try run([i(0x81), i(0x87)]) == 64)
    }

    @Test func disassemblyNamesWhatItCan() throws {
        let profile = SeccompProfile(
            defaultAction: .allow,
            rules: [
                SeccompRule(["rmdir"], .errno(.notPermitted)),
                SeccompRule(["socket"], .killProcess, when: [ArgumentTest(0, .equal, 40)]),
            ])
        let expected = """
               0: load architecture
               1: unless architecture == x86_64 goto 15
               2: load call
               3: if call >= 84 (rmdir) goto 11
               4: unless call >= 41 (socket) goto 16
               5: if call >= 42 (connect) goto 16
               6: load arg0.high
               7: unless arg0.high == 0x0 goto 16
               8: load arg0.low
               9: unless arg0.low == 0x28 goto 16
              10: KILL_PROCESS
              11: if call >= 0x40000000 (x32 read) goto 14
              12: if call >= 85 (creat) goto 16
              13: ERRNO(EPERM)
              14: if call >= 0xffffffff goto 16
              15: KILL_THREAD
              16: ALLOW

            """
        let text = try profile.compile(native: .x86_64).program.disassembly()
        #expect(text == expected, "\n\(text)")
    }
}

@Suite struct NameTests {
    @Test func everyActionReadsBack() throws {
        #expect(SeccompAction.allNames.count == 9)
        for name in SeccompAction.allNames { _ = try SeccompAction(name: name) }
        #expect(try SeccompAction(name: "SCMP_ACT_KILL") == .killThread)
        #expect(try SeccompAction(name: "SCMP_ACT_ERRNO") == .errno(.notPermitted))
        #expect(try SeccompAction(name: "ERRNO", data: 38) == .errno(.noSystemCall))
        #expect(try SeccompAction(name: "TRACE", data: 65535).data == 65535)
        #expect(throws: SeccompError.errnoOutOfRange(4096)) { try SeccompAction(name: "ERRNO", data: 4096) }
        #expect(throws: SeccompError.errnoOutOfRange(65536)) { try SeccompAction(name: "TRACE", data: 65536) }
        #expect(throws: SeccompError.dataNotTaken(action: "SCMP_ACT_ALLOW")) {
            try SeccompAction(name: "SCMP_ACT_ALLOW", data: 1)
        }
        for bad in ["", "SCMP_ACT_", "allow", "SCMP_ACT_FOO"] {
            #expect(throws: SeccompError.unknownAction(bad)) { try SeccompAction(name: bad) }
        }
        #expect("\(SeccompAction.errno(.noSystemCall))" == "ERRNO(ENOSYS)")
        #expect("\(SeccompAction(rawValue: 0x1234_5678))".hasPrefix("0x12345678"))
    }

    @Test func everyArchitectureReadsBack() throws {
        for name in SeccompArchitecture.allNames {
            let architecture = try SeccompArchitecture(name: name)
            #expect("SCMP_ARCH_\(architecture.description.uppercased())" == name)
        }
        #expect(try SeccompArchitecture(name: "SCMP_ARCH_NATIVE") == .native)
        #expect(SeccompArchitecture.x32.auditToken == SeccompArchitecture.x86_64.rawValue)
        for bad in ["", "SCMP_ARCH_Z80", "amd64"] {
            #expect(throws: SeccompError.unknownArchitecture(bad)) { try SeccompArchitecture(name: bad) }
        }
    }

    @Test func comparisonsAndFlagsReadBack() throws {
        for comparison in ArgumentTest.Comparison.allCases {
            #expect(try ArgumentTest.Comparison(comparison.rawValue) == comparison)
        }
        #expect(try ArgumentTest.Comparison("MASKED_EQ") == .maskedEqual)
        #expect(throws: SeccompError.unknownComparison("==")) { try ArgumentTest.Comparison("==") }
        #expect(try SeccompFlags(name: "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") == .waitKillable)
        #expect(
            SeccompFlags([.log, .allowSpeculation]).names == [
                "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            ])
        #expect(throws: SeccompError.unknownFlag("NOPE")) { try SeccompFlags(name: "NOPE") }
    }

    @Test func callsHaveNamesAndNumbers() throws {
        #expect(SystemCall.number(of: "read", on: .x86_64) == 0)
        #expect(SystemCall.number(of: "read", on: .x32) == 0x4000_0000)
        #expect(SystemCall.name(of: 0x4000_0000, on: .x32) == "read")
        #expect(SystemCall.name(of: 63, on: .aarch64) == "read")
        #expect(SystemCall.name(of: 100_000) == nil)
        #expect(SystemCall.name(of: .max) == nil)
        #expect(throws: SeccompError.unknownSystemCall("chown32", .x86_64)) { try SystemCall("chown32", on: .x86_64) }
    }
}
