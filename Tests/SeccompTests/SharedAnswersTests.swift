import Testing

@testable import Seccomp

@Suite struct SharedAnswersTests {
    private static let answers: [SeccompAction] = [.allow, .killProcess, .errno(.notPermitted), .trap]

    /// Loads, comparisons, jumps and answers as they come, of which some jumps are as long as they can be.
    private func program(_ length: Int, _ random: inout SeededGenerator) -> [BPFInstruction] {
        var code = (0..<length - 4).map { index -> BPFInstruction in
            let rest = length - index - 2
            func skip() -> UInt8 {
                UInt8(
                    Int.random(in: 0..<6, using: &random) == 0
                        ? min(rest, 255) : Int.random(in: 0...min(rest, 12), using: &random))
            }
            return switch Int.random(in: 0..<40, using: &random) {
            case 0...7: .load(UInt32.random(in: 4..<10, using: &random) * 4)
            case 8: .and(UInt32.random(in: 0..<8, using: &random))
            case 9: .jump(Int.random(in: 0...min(rest, 400), using: &random))
            case 10...11: .answer(Self.answers.randomElement(using: &random)!)
            default:
                .jump(
                    [.equal, .greater, .greaterOrEqual, .anyBit].randomElement(using: &random)!,
                    UInt32.random(in: 0..<8, using: &random), skip(), skip())
            }
        }
        code += Self.answers.map { .answer($0) }
        return code
    }

    @Test("whatever a program is, it says the same with its answers shared")
    func meansTheSame() throws {
        var several = 0
        for seed in 0..<80 {
            var random = SeededGenerator(state: UInt64(seed))
            let code = program([8, 40, 300, 1500][seed % 4], &random)
            let original = try SeccompProgram(code)
            let shared = try SeccompProgram(SharedAnswers.sharing(code))
            var seen: Set<SeccompAction> = []
            for _ in 0..<200 {
                let arguments = (0..<6).map { _ in
                    UInt64.random(in: 0..<8, using: &random) << 32 | UInt64.random(in: 0..<8, using: &random)
                }
                let call = SystemCall(number: UInt32.random(in: 0..<8, using: &random), on: .x86_64, arguments)
                let expected = original.simulate(call)
                #expect(shared.simulate(call) == expected, "\(seed)")
                seen.insert(expected)
            }
            if seen.count > 1 { several += 1 }
        }
        #expect(several > 30, "programs that say more than one thing")
    }

    @Test func anAnswerThatIsReachedIsGivenByOneInstruction() {
        let code: [BPFInstruction] = [
            .load(0), .jump(.greaterOrEqual, 10, 3, 0), .jump(.greaterOrEqual, 5, 1, 0), .answer(.allow),
            .answer(.trap),
            .jump(.greaterOrEqual, 20, 1, 0), .answer(.allow), .answer(.trap),
        ]
        #expect(
            SharedAnswers.sharing(code) == [
                .load(0), .jump(.greaterOrEqual, 10, 1, 0), .jump(.greaterOrEqual, 5, 2, 1),
                .jump(.greaterOrEqual, 20, 1, 0), .answer(.allow), .answer(.trap),
            ])
    }

    @Test func oneThatIsNotReachedIsGivenAgain() {
        // 300 comparisons in a row: the first ones are too far from the end.
        let code: [BPFInstruction] =
            [.load(0)] + (0..<300).flatMap { [.jump(.equal, $0, 0, 1), .answer(.allow)] } + [.answer(.trap)]
        let shared = SharedAnswers.sharing(code)
        #expect(shared.count { $0 == .answer(.allow) } == 2 && shared.count { $0 == .answer(.trap) } == 1)
        #expect(shared.count == 1 + 300 + 3)
    }

    @Test func whatIsReachedWithoutAJumpStaysBehind() {
        #expect(SharedAnswers.sharing([.answer(.allow)]) == [.answer(.allow)])
        #expect(SharedAnswers.sharing([.jump(1), .answer(.allow), .answer(.trap)]) == [.answer(.trap)])
        let code: [BPFInstruction] = [
            .load(0), .jump(.equal, 1, 0, 2), .load(16), .answer(.allow), .load(20), .answer(.trap),
        ]
        #expect(SharedAnswers.sharing(code) == code)
    }
}
