import CLinux
import Linux
import TestSupport
import Testing

@testable import Cgroups

/// Device rules, as a list, as instructions, and in the kernel.
@Suite struct DeviceProgramTests {
    private static let accesses = (0...7).map { DeviceAccess(rawValue: $0) }

    private static func randomRules(_ count: Int, _ chance: inout Chance) -> [DeviceRule] {
        (0..<count).map { _ in
            DeviceRule(
                allows: Bool.random(using: &chance), kind: [nil, .block, .character].randomElement(using: &chance)!,
                major: [nil, 0, 1, 2, .max].randomElement(using: &chance)!,
                minor: [nil, 0, 1, 2, .max].randomElement(using: &chance)!,
                access: accesses.randomElement(using: &chance)!)
        }
    }

    /// The generated instructions, run one by one, say what reading the rules says.
    @Test func programAgreesWithTheRules() {
        var chance = Chance(state: 20_250_101)
        // Instructions mean the same on every machine: a slow one need not run as many.
        for round in 0..<(insideTestVM ? 48 : 400) {
            let rules = Self.randomRules(round % 12, &chance)
            let otherwise = Bool.random(using: &chance)
            let program = DeviceProgram(rules, allowsOtherwise: otherwise)
            for kind in [DeviceRule.Kind.block, .character] {
                for major in [UInt32(0), 1, 2, 3, .max] {
                    for minor in [UInt32(0), 1, 3, .max] {
                        for access in Self.accesses {
                            let expected = DeviceRule.allows(
                                rules, access, to: kind, major, minor, otherwise: otherwise)
                            guard program.allows(access, to: kind, major, minor) != expected else { continue }
                            Issue.record(
                                "\(rules) otherwise \(otherwise): \(kind) \(major):\(minor) \(access)\n\(program)")
                            return
                        }
                    }
                }
            }
        }
    }

    @Test func severalRulesTogetherAllowWhatIsAsked() {
        let program = DeviceProgram([.deny(), .allow(.character, 1, 3, .read), .allow(.character, 1, 3, .write)])
        #expect(program.allows([.read, .write], to: .character, 1, 3))
        #expect(!program.allows([.read, .makeNode], to: .character, 1, 3))
        #expect(!program.allows([.read], to: .block, 1, 3))
    }

    @Test func laterRulesGoBeforeEarlierOnes() {
        let denied = DeviceProgram([.allow(.character, 1, 3), .deny(.character, 1, nil, .write)])
        #expect(denied.allows(.read, to: .character, 1, 3))
        #expect(!denied.allows([.read, .write], to: .character, 1, 3))
        let allowed = DeviceProgram([.deny(.character, 1, nil, .write), .allow(.character, 1, 3)])
        #expect(allowed.allows([.read, .write], to: .character, 1, 3))
    }

    @Test func defaults() {
        #expect(!DeviceProgram([]).allows(.read, to: .block, 8, 0))
        #expect(DeviceProgram([], allowsOtherwise: true).allows(.all, to: .block, 8, 0))
        #expect(DeviceProgram([]).allows([], to: .block, 8, 0))
    }

    @Test func rulesThatCannotDecideAreLeftOut() {
        let rules: [DeviceRule] = [.allow(.block, 8, 0), .deny(), .allow(.character, 1, 3), .allow(.character, 1, 3)]
        #expect(DeviceProgram.reduced(rules) == [.deny(), .allow(.character, 1, 3)])
        #expect(DeviceProgram.reduced([.allow(nil, 1, 1, [])]) == [])
        #expect(
            DeviceProgram.reduced([.allow(.block, 1, 1, .read), .deny(.block, 1, 1, .write)])
                == [.allow(.block, 1, 1, .read), .deny(.block, 1, 1, .write)])
    }

    @Test func text() {
        let program = DeviceProgram([.deny(), .allow(.character, 1, 3, [.read, .write])])
        #expect(
            program.description == """
                0: r2 = *(u32 *)(r1 +0)
                1: w2 >>= 16
                2: if w2 != 0x0 goto pc+2
                3: r0 = 1
                4: exit
                5: r3 = *(u32 *)(r1 +0)
                6: w3 &= 0xffff
                7: if w3 != 0x2 goto pc+8
                8: r3 = *(u32 *)(r1 +4)
                9: if w3 != 0x1 goto pc+6
                10: r3 = *(u32 *)(r1 +8)
                11: if w3 != 0x3 goto pc+4
                12: w2 &= 0xfffffff9
                13: if w2 != 0x0 goto pc+2
                14: r0 = 1
                15: exit
                16: r0 = 0
                17: exit

                """)
        #expect("\(program.rules[1])" == "allow c 1:3 rw")
        #expect("\(program.rules[0])" == "deny a *:* rwm")
        #expect(DeviceAccess("rmw") == .all)
        #expect(DeviceAccess("rx") == nil)
    }

    @Test func interpreterRefusesWhatLeavesItsBounds() {
        func run(_ code: [BPFInstruction]) -> UInt64? { BPFInterpreter.run(code, context: [1, 2, 3]) }
        #expect(run([]) == nil)
        #expect(run([BPFInstruction(opcode: 0x05, registers: 0, offset: 9, immediate: 0)]) == nil)
        #expect(run([BPFInstruction(opcode: 0x05, registers: 0, offset: -1, immediate: 0)]) == nil)
        #expect(run([BPFInstruction(opcode: 0xff, registers: 0, offset: 0, immediate: 0)]) == nil)
        #expect(run([BPFInstruction(opcode: 0x61, registers: 0x12, offset: 12, immediate: 0)]) == nil)
        #expect(run([BPFInstruction(opcode: 0x61, registers: 0x32, offset: 0, immediate: 0)]) == nil)
    }

    @Test(.needsSomeCgroup2) func verifierAcceptsAnyRules() throws {
        var chance = Chance(state: 7)
        for count in [0, 1, 2, 3, 5, 8, 13, 40, 100] {
            for _ in 0..<(insideTestVM ? 2 : 10) {
                _ = try DeviceProgram(Self.randomRules(count, &chance), allowsOtherwise: count % 2 == 0).load()
            }
        }
    }

    /// Every rule for a device of its own, so that none is left out.
    @Test(.needsSomeCgroup2, arguments: [300, 1000]) func verifierAcceptsManyRules(_ count: UInt32) throws {
        var chance = Chance(state: 11)
        let rules =
            [DeviceRule.deny()]
            + (0..<count).map { number in
                DeviceRule(
                    allows: number % 3 != 0, kind: number % 2 == 0 ? .character : .block, major: number, minor: number,
                    access: DeviceAccess(rawValue: UInt32.random(in: 1...7, using: &chance)))
            }
        let program = DeviceProgram(rules)
        #expect(program.instructions.count > 5 * Int(count))
        _ = try program.load()
    }

    @Test(.needsSomeCgroup2) func theVerifiersWordsAreInTheError() throws {
        // A program that does not end in an exit; made by hand, because the compiler makes none.
        let broken = DeviceProgram(
            rules: [], allowsOtherwise: false,
            instructions: [BPFInstruction(opcode: BPFOpcode.move, registers: 0, offset: 0, immediate: 1)])
        let error = #expect(throws: CgroupError.self) { _ = try broken.load() }
        #expect(error?.errno == .invalidArgument)
        #expect(error?.hint?.contains("insn") == true, "\(error?.description ?? "")")
    }

    @Test(.needsSomeCgroup2) func kernelEnforcesTheRules() throws {
        try withCgroup { cgroup in
            try cgroup.apply(devices: [
                .deny(), .allow(.character, 1, 3), .allow(.character, 1, 7, .read), .allow(.character, 1, 7, .write),
                .allow(.character, 1, 9, .read),
            ])
            let path = cgroup.path
            func succeeds(_ line: String) throws -> Bool {
                try Program(shell: line, in: path).wait() == .exited(0)
            }
            #expect(try succeeds(": </dev/null >/dev/null"))
            #expect(try !succeeds(": 3</dev/zero"))
            // One rule allows reading and another writing: both at once are allowed.
            #expect(try succeeds(": 3<>/dev/full"))
            #expect(try succeeds(": 3</dev/urandom"))
            #expect(try !succeeds(": 3>/dev/urandom"))
            let node = "/tmp/bulkhead-node-\(getpid())"
            defer { unlink(node) }
            #expect(try succeeds("mknod \(node) c 1 3 && rm \(node)"))
            #expect(try !succeeds("mknod \(node) c 1 5 2>/dev/null"))
            #expect(try !succeeds("mknod \(node) c 1 9 2>/dev/null"))
        }
    }

    @Test(.needsSomeCgroup2) func aNewListTakesTheOldOnesPlace() throws {
        try withCgroup { created in
            // Opened again, as another process would: nothing but the kernel remembers the program.
            let cgroup = try created.hierarchy.open(created.relativePath)
            #expect(try cgroup.devicePrograms() == [])
            try cgroup.apply(devices: [.deny()])
            let first = try cgroup.devicePrograms()
            #expect(first.count == 1)
            #expect(first.first?.isOurs == true)
            let path = cgroup.path
            func reads(_ device: String) throws -> Bool {
                try Program(shell: ": 3<\(device)", in: path).wait() == .exited(0)
            }
            #expect(try !reads("/dev/zero"))
            try cgroup.apply(devices: [.deny(), .allow(.character, 1, 5)])
            let second = try cgroup.devicePrograms()
            #expect(second.count == 1)
            #expect(second != first)
            #expect(try reads("/dev/zero"))
            #expect(try !reads("/dev/null"))

            // What a crash may leave: two of ours. The next list goes in their place.
            let left = try DeviceProgram([.deny()]).load()
            try cgroup.attach(left, inPlaceOf: [])
            #expect(try cgroup.devicePrograms().count == 2)
            #expect(try !reads("/dev/zero"))
            try cgroup.apply(devices: [.deny(), .allow(.character, 1, 5)])
            #expect(try cgroup.devicePrograms().count == 1)
            #expect(try reads("/dev/zero"))

            try cgroup.detachDevicePrograms()
            #expect(try cgroup.devicePrograms() == [])
            #expect(try reads("/dev/null"))
        }
    }

    @Test(.needsSomeCgroup2) func programsComeWithTheLimits() throws {
        let hierarchy = try CgroupHierarchy.find()
        let cgroup = try hierarchy.create(uniquePath(), applying: ResourceLimits(devices: [.deny()]))
        defer { try? cgroup.remove(killing: true) }
        #expect(try cgroup.devicePrograms().count == 1)
        #expect(try Program(shell: ": 3</dev/zero", in: cgroup.path).wait() != .exited(0))
        // The handle that made it may be told again: the new rules take the old ones' place.
        try cgroup.apply(ResourceLimits(devices: [.allow()]))
        #expect(try cgroup.devicePrograms().count == 1)
        #expect(try Program(shell: ": 3</dev/zero", in: cgroup.path).wait() == .exited(0))
    }

    @Test func attachingElsewhereIsRefused() throws {
        let fixture = try Fixture([:])
        let cgroup = try Cgroup(fixture: fixture.path)
        #expect(throws: CgroupError.self) { try cgroup.apply(devices: []) }
        #expect(throws: CgroupError.self) { _ = try cgroup.devicePrograms() }
    }
}
