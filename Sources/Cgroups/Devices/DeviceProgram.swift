/// A list of device rules as an eBPF program, `BPF_PROG_TYPE_CGROUP_DEVICE`: the pure form, which needs no kernel.
///
/// For each kind of access that is asked for, the last rule decides that speaks of it and of the device. A request for
/// several kinds at once is allowed when each of them is, by whichever rules.
///
///     let program = DeviceProgram([.deny(), .allow(.character, 1, 3)])
///     print(program)                                          // its instructions
///     program.allows([.read, .write], to: .character, 1, 3)   // true
public struct DeviceProgram: Hashable, Sendable {
    /// The rules as given.
    public let rules: [DeviceRule]

    /// What holds where no rule speaks.
    public let allowsOtherwise: Bool

    public let instructions: [BPFInstruction]

    /// Compiles rules. Some 2,000 are as many as kernels verify.
    ///
    /// - Parameters:
    ///   - rules: later ones go before earlier ones.
    ///   - allowsOtherwise: what holds where no rule speaks.
    public init(_ rules: [DeviceRule], allowsOtherwise: Bool = false) {
        self.rules = rules
        self.allowsOtherwise = allowsOtherwise
        instructions = Self.compile(Self.reduced(rules), allowsOtherwise)
    }

    init(rules: [DeviceRule], allowsOtherwise: Bool, instructions: [BPFInstruction]) {
        self.rules = rules
        self.allowsOtherwise = allowsOtherwise
        self.instructions = instructions
    }

    /// Leaves out the rules that can't decide anything: those before one that speaks of everything, those that ask for
    /// nothing, and those that a later rule for the same devices covers.
    static func reduced(_ rules: [DeviceRule]) -> [DeviceRule] {
        var kept: [DeviceRule] = []
        for rule in rules.reversed() {
            if rule.access.intersection(.all).isEmpty { continue }
            let isCovered = kept.contains {
                $0.kind == rule.kind && $0.major == rule.major && $0.minor == rule.minor
                    && $0.access.isSuperset(of: rule.access.intersection(.all))
            }
            if isCovered { continue }
            kept.append(rule)
            if rule.kind == nil, rule.major == nil, rule.minor == nil, rule.access.isSuperset(of: .all) { break }
        }
        return kept.reversed()
    }

    private static func compile(_ rules: [DeviceRule], _ allowsOtherwise: Bool) -> [BPFInstruction] {
        // struct bpf_cgroup_dev_ctx: (access << 16 | kind), major, minor. Kind: 1 block, 2 character.
        let asked = BPFRegister.r2
        let field = BPFRegister.r3
        var code = BPFAssembler()
        code.load(asked, from: .r1, offset: 0)
        code.shiftRight(asked, by: 16)
        code.block { code in
            code.leave(unless: asked, is: 0)
            code.answer(1)
        }

        // From the last rule to the first: `asked` holds what no rule so far spoke of.
        var isSettled = false
        for rule in rules.reversed() {
            let bits = rule.access.intersection(.all)
            code.block { code in
                // Each field is loaded anew: were it kept, the verifier would follow what a match says of it through
                // all the rules that remain, and the effort would grow with the square of their number.
                if let wanted = rule.kind {
                    code.load(field, from: .r1, offset: 0)
                    code.and(field, 0xffff)
                    code.leave(unless: field, is: wanted == .block ? 1 : 2)
                }
                if let number = rule.major {
                    code.load(field, from: .r1, offset: 4)
                    code.leave(unless: field, is: number)
                }
                if let number = rule.minor {
                    code.load(field, from: .r1, offset: 8)
                    code.leave(unless: field, is: number)
                }
                if bits == .all {
                    code.answer(rule.allows ? 1 : 0)
                } else if rule.allows {
                    code.and(asked, ~bits.rawValue)
                    code.leave(unless: asked, is: 0)
                    code.answer(1)
                } else {
                    code.leave(unless: asked, hasAnyOf: bits.rawValue)
                    code.answer(0)
                }
            }
            // The verifier refuses what can't be reached.
            if bits == .all, rule.kind == nil, rule.major == nil, rule.minor == nil { isSettled = true }
        }
        if !isSettled { code.answer(allowsOtherwise ? 1 : 0) }
        return code.instructions
    }

    /// What the program answers: the instructions are run, not the rules read.
    public func allows(
        _ access: DeviceAccess, to kind: DeviceRule.Kind, _ major: UInt32, _ minor: UInt32
    ) -> Bool {
        let word = access.rawValue << 16 | (kind == .block ? 1 : 2)
        return BPFInterpreter.run(instructions, context: [word, major, minor]) == 1
    }
}

extension DeviceProgram: CustomStringConvertible {
    /// The instructions in the verifier's notation, one a line.
    public var description: String {
        var text = ""
        for (index, instruction) in instructions.enumerated() { text += "\(index): \(instruction)\n" }
        return text
    }
}
