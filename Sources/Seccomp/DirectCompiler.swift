import Linux

/// Writes BPF: the numbers of calls, cut into stretches with one answer, as the leaves of a balanced tree.
///
/// Nothing but loads, comparisons and answers is used, so the kernel can see which calls are always allowed and skip
/// the program for them.
struct DirectCompiler {
    private var code: [BPFInstruction] = []
    private let fallback: SeccompAction

    /// x86 bundles calls too, and is handled; the others that do are left to libseccomp.
    static func canCompile(_ architecture: SeccompArchitecture) -> Bool {
        [.x86_64, .x32, .x86, .aarch64, .arm, .riscv64].contains(architecture)
    }

    static func compile(_ profile: SeccompProfile, _ resolution: Resolution) throws(SeccompError) -> SeccompProgram {
        var compiler = DirectCompiler(fallback: profile.defaultAction)
        compiler.code.append(.load(4))
        for (token, stretches) in stretches(profile, resolution) {
            var section = DirectCompiler(fallback: profile.defaultAction)
            section.code.append(.load(0))
            section.tree(stretches[...])
            let length = section.code.count
            if let short = UInt8(exactly: length) {
                compiler.code.append(.jump(.equal, token, 0, short))
            } else {
                compiler.code.append(.jump(.equal, token, 1, 0))
                compiler.code.append(.jump(length))
            }
            compiler.code += section.code
        }
        compiler.code.append(.answer(profile.foreignAction))
        return try SeccompProgram(SharedAnswers.sharing(compiler.code))
    }

    private init(fallback: SeccompAction) { self.fallback = fallback }

    /// Calls from a number up to the next stretch's start.
    private struct Stretch {
        var start: UInt32
        var answer: Answer
    }

    private enum Answer {
        case action(SeccompAction)
        case tests([(tests: [ArgumentTest], action: SeccompAction)], isWide: Bool)

        func isAction(_ other: Answer) -> Bool {
            if case .action(let left) = self, case .action(let right) = other { return left == right }
            return false
        }
    }

    /// The stretches of each way into the kernel, native first. x86_64 and x32 share one way.
    private static func stretches(
        _ profile: SeccompProfile, _ resolution: Resolution
    ) -> [(token: UInt32, stretches: [Stretch])] {
        var result: [(token: UInt32, stretches: [Stretch])] = []
        for table in resolution.tables where !result.contains(where: { $0.token == table.architecture.auditToken }) {
            var builder = StretchBuilder(profile)
            if table.architecture.auditToken == SeccompArchitecture.x86_64.rawValue {
                let plain = resolution.tables.first { $0.architecture == .x86_64 }
                let x32 = resolution.tables.first { $0.architecture == .x32 }
                builder.add(plain, from: 0, to: 0x4000_0000)
                builder.add(x32, from: 0x4000_0000, to: 1 << 32)
                // A tracer skips a call by making its number −1: no x32 call, and none to be killed for.
                if x32 == nil { builder.append(.action(profile.defaultAction), at: 0xffff_ffff) }
            } else {
                builder.add(table, from: 0, to: 1 << 32)
            }
            result.append((table.architecture.auditToken, builder.stretches))
        }
        return result
    }

    private struct StretchBuilder {
        let profile: SeccompProfile
        var stretches: [Stretch] = []

        init(_ profile: SeccompProfile) { self.profile = profile }

        mutating func append(_ answer: Answer, at start: UInt32) {
            if let last = stretches.last, last.answer.isAction(answer) { return }
            stretches.append(Stretch(start: start, answer: answer))
        }

        /// Fills a range of numbers from a table; without one its calls come from elsewhere.
        mutating func add(_ table: Resolution.Table?, from start: UInt64, to end: UInt64) {
            guard let table else { return append(.action(profile.foreignAction), at: UInt32(start)) }
            let newerStart: UInt64? =
                if profile.refusesNewerCallsAsUnknown, let highest = table.highest { UInt64(highest) + 1 } else { nil }
            var next = start
            table.calls.forEach { number, answers in
                gap(from: next, until: UInt64(number), newerStart)
                if let action = answers.unconditional {
                    append(.action(action), at: number)
                } else {
                    append(.tests(answers.conditional, isWide: table.architecture.comparesFullWords), at: number)
                }
                next = UInt64(number) + 1
            }
            gap(from: next, until: end, newerStart)
        }

        /// Numbers that no rule names.
        private mutating func gap(from start: UInt64, until end: UInt64, _ newerStart: UInt64?) {
            let newerStart = max(start, newerStart ?? end)
            if start < min(end, newerStart) { append(.action(profile.defaultAction), at: UInt32(start)) }
            if newerStart < end { append(.action(.errno(.noSystemCall)), at: UInt32(newerStart)) }
        }
    }

    /// Finds the number's stretch by halving.
    private mutating func tree(_ stretches: ArraySlice<Stretch>) {
        guard stretches.count > 1 else {
            switch stretches[stretches.startIndex].answer {
            case .action(let action): code.append(.answer(action))
            case .tests(let rules, let isWide): tests(rules, isWide: isWide)
            }
            return
        }
        let middle = stretches.startIndex + stretches.count / 2
        let branch = code.count
        let start = stretches[middle].start
        code.append(.jump(.greaterOrEqual, start, 0, 0))
        tree(stretches[..<middle])
        let length = code.count - branch - 1
        if let short = UInt8(exactly: length) {
            code[branch].jumpTrue = short
        } else {
            // A conditional jump reaches 255 instructions. Jumps are relative: what was written may move.
            code[branch].jumpFalse = 1
            code.insert(.jump(length), at: branch + 1)
        }
        tree(stretches[middle...])
    }

    private mutating func tests(_ rules: [(tests: [ArgumentTest], action: SeccompAction)], isWide: Bool) {
        var rest = rules[...]
        while let rule = rest.first {
            if let word = WordTest(rule.tests, isWide: isWide) {
                let values = choice(word, rule.action, rest, isWide: isWide)
                append(values, of: word, action: rule.action)
                rest = rest.dropFirst(values.count)
                continue
            }
            var block: [Step] = []
            for test in rule.tests { block += steps(for: test, isWide: isWide) }
            if block.isEmpty { return code.append(.answer(rule.action)) }
            append(block, action: rule.action)
            rest = rest.dropFirst()
        }
        code.append(.answer(fallback))
    }

    /// A rule's only test, where it looks at 32 bits of one argument, or at some of them.
    private struct WordTest {
        let argument: UInt32
        let mask: UInt32
        let value: UInt32

        init?(_ tests: [ArgumentTest], isWide: Bool) {
            guard tests.count == 1, !isWide || tests[0].value >> 32 == 0 else { return nil }
            argument = tests[0].index
            let word = UInt32(truncatingIfNeeded: tests[0].value)
            switch tests[0].comparison {
            case .maskedEqual where word != 0:
                mask = word
                value = word & UInt32(truncatingIfNeeded: tests[0].valueTwo)
            case .equal where !isWide: (mask, value) = (.max, word)
            default: return nil
            }
        }

        func looksAtSame(_ other: WordTest) -> Bool { argument == other.argument && mask == other.mask }
    }

    /// The values of the rules in front that differ in nothing else; as many as a jump reaches.
    private func choice(
        _ first: WordTest, _ action: SeccompAction, _ rules: ArraySlice<(tests: [ArgumentTest], action: SeccompAction)>,
        isWide: Bool
    ) -> [UInt32] {
        var values: [UInt32] = []
        for rule in rules.prefix(Int(UInt8.max)) {
            guard rule.action == action, let word = WordTest(rule.tests, isWide: isWide), word.looksAtSame(first) else {
                break
            }
            values.append(word.value)
        }
        return values
    }

    /// One load for all of them: an ioctl(2) may have dozens of requests.
    private mutating func append(_ values: [UInt32], of word: WordTest, action: SeccompAction) {
        code.append(.load(16 + 8 * word.argument))
        if word.mask != .max { code.append(.and(word.mask)) }
        for (index, value) in values.enumerated() {
            let left = UInt8(values.count - 1 - index)
            code.append(.jump(.equal, value, left, left == 0 ? 1 : 0))
        }
        code.append(.answer(action))
    }

    /// An instruction whose jumps are not placed yet.
    private enum Step {
        case plain(BPFInstruction)
        case branch(BPFInstruction.JumpCondition, UInt32, then: Target, otherwise: Target)
        /// Where the next test begins.
        case passed
    }

    private enum Target { case next, pass, fail }

    private mutating func append(_ block: [Step], action: SeccompAction) {
        // At most six tests of six instructions: every jump is short.
        let length = block.count { if case .passed = $0 { false } else { true } }
        var position = 0
        for (index, step) in block.enumerated() {
            switch step {
            case .passed: continue
            case .plain(let instruction): code.append(instruction)
            case .branch(let condition, let operand, let then, let otherwise):
                func distance(_ target: Target) -> UInt8 {
                    switch target {
                    case .next: return 0
                    case .fail: return UInt8(length - position)
                    case .pass:
                        let rest = block[(index + 1)...].prefix { if case .passed = $0 { false } else { true } }
                        return UInt8(rest.count)
                    }
                }
                code.append(.jump(condition, operand, distance(then), distance(otherwise)))
            }
            position += 1
        }
        code.append(.answer(action))
    }

    private func steps(for test: ArgumentTest, isWide: Bool) -> [Step] {
        let low = UInt32(truncatingIfNeeded: test.value)
        let high = UInt32(truncatingIfNeeded: test.value >> 32)
        let loadLow = Step.plain(.load(16 + 8 * test.index))
        let loadHigh = Step.plain(.load(20 + 8 * test.index))
        switch test.comparison {
        case .maskedEqual:
            let wanted = test.value & test.valueTwo
            var result: [Step] = []
            if isWide, high != 0 {
                result += [loadHigh, .plain(.and(high))]
                result.append(
                    .branch(.equal, UInt32(truncatingIfNeeded: wanted >> 32), then: .next, otherwise: .fail))
            }
            if low != 0 {
                result.append(loadLow)
                if low != .max { result.append(.plain(.and(low))) }
                result.append(.branch(.equal, UInt32(truncatingIfNeeded: wanted), then: .next, otherwise: .fail))
            }
            return result
        case .equal:
            let tail = [loadLow, .branch(.equal, low, then: .next, otherwise: .fail)]
            return isWide ? [loadHigh, .branch(.equal, high, then: .next, otherwise: .fail)] + tail : tail
        case .notEqual:
            let tail = [loadLow, .branch(.equal, low, then: .fail, otherwise: .pass), .passed]
            return isWide ? [loadHigh, .branch(.equal, high, then: .next, otherwise: .pass)] + tail : tail
        case .greater, .greaterOrEqual:
            let last: BPFInstruction.JumpCondition = test.comparison == .greater ? .greater : .greaterOrEqual
            let tail = [loadLow, .branch(last, low, then: .pass, otherwise: .fail), .passed]
            guard isWide else { return tail }
            return [
                loadHigh, .branch(.greater, high, then: .pass, otherwise: .next),
                .branch(.equal, high, then: .next, otherwise: .fail),
            ] + tail
        case .less, .lessOrEqual:
            let last: BPFInstruction.JumpCondition = test.comparison == .less ? .greaterOrEqual : .greater
            let tail = [loadLow, .branch(last, low, then: .fail, otherwise: .pass), .passed]
            guard isWide else { return tail }
            return [
                loadHigh, .branch(.greater, high, then: .fail, otherwise: .next),
                .branch(.equal, high, then: .next, otherwise: .pass),
            ] + tail
        }
    }
}
