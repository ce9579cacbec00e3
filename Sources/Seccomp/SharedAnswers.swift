/// The same program with fewer instructions: where a jump reaches one that gives the same answer, that one gives it.
///
/// The kernel translates a filter for its processor each time one is installed, and half of a tree is answers. A conditional
/// jump reaches 255 instructions and all jumps lead forward, so the program is put together from its end: what a jump leads
/// to is in its place then, and what is too far away gets an answer or a jump beside.
struct SharedAnswers {
    private let old: [BPFInstruction]
    /// The new program, its last instruction first.
    private var reversed: [BPFInstruction] = []
    /// Where in it an old instruction is.
    private var places: [Int]
    /// Where in it each answer was given last.
    private var answers: [(answer: BPFInstruction, place: Int)] = []
    /// One less than a jump reaches: what the other branch needs may come between.
    private static let reach = Int(UInt8.max) - 1

    /// - Parameter program: one that the kernel takes.
    static func sharing(_ program: [BPFInstruction]) -> [BPFInstruction] {
        var builder = SharedAnswers(program)
        for index in program.indices.reversed() { builder.take(index) }
        builder.follow(with: 0)
        return builder.reversed.reversed()
    }

    private init(_ program: [BPFInstruction]) {
        old = program
        places = Array(repeating: 0, count: program.count)
        reversed.reserveCapacity(program.count)
    }

    private mutating func take(_ index: Int) {
        var instruction = old[index]
        // Where somebody needs them.
        if instruction.isAnswer || instruction.isJump { return }
        switch BPFOperation(instruction.code) {
        case .jumpIf:
            let then = place(of: index + 1 + Int(instruction.jumpTrue))
            let otherwise = place(of: index + 1 + Int(instruction.jumpFalse))
            instruction.jumpTrue = UInt8(reversed.count - then - 1)
            instruction.jumpFalse = UInt8(reversed.count - otherwise - 1)
        case .answerAccumulator: break
        default: follow(with: index + 1)
        }
        places[index] = reversed.count
        reversed.append(instruction)
    }

    /// Where a conditional jump finds what an old instruction does.
    private mutating func place(of target: Int) -> Int {
        let target = end(of: target)
        let known = old[target].isAnswer ? answers.first { $0.answer == old[target] }?.place : places[target]
        if let known, reversed.count - known - 1 <= Self.reach { return known }
        return append(target)
    }

    /// Has the instruction that comes next in the new program do what an old one does.
    private mutating func follow(with target: Int) {
        let target = end(of: target)
        let isThere = old[target].isAnswer ? reversed.last == old[target] : places[target] == reversed.count - 1
        if !isThere { _ = append(target) }
    }

    /// What jumps lead to in the end.
    private func end(of target: Int) -> Int {
        var target = target
        while old[target].isJump { target += 1 + Int(old[target].operand) }
        return target
    }

    /// Adds an answer, or a jump to what is none.
    private mutating func append(_ target: Int) -> Int {
        let place = reversed.count
        guard old[target].isAnswer else {
            reversed.append(.jump(place - places[target] - 1))
            return place
        }
        reversed.append(old[target])
        answers.removeAll { $0.answer == old[target] }
        answers.append((old[target], place))
        return place
    }
}

extension BPFInstruction {
    // By number: these are asked of each instruction several times, at each start of a container.
    fileprivate var isAnswer: Bool { code == 0x06 }
    fileprivate var isJump: Bool { code == 0x05 }
}
