/// A seccomp filter as the kernel takes it: classic BPF, checked as the kernel checks it. A plain value, fit to be
/// stored, sent and installed elsewhere.
public struct SeccompProgram: Hashable, Sendable {
    /// The instructions, 1 to 4,096.
    public let instructions: [BPFInstruction]

    /// Takes instructions and checks them by the kernel's rules, so that a program that exists always runs to an end.
    ///
    /// - Throws: ``SeccompError/malformedProgram(instruction:reason:)``, ``SeccompError/programTooLong(instructions:)``.
    public init(_ instructions: [BPFInstruction]) throws(SeccompError) {
        try Self.check(instructions)
        self.instructions = instructions
    }

    /// Takes what was checked already, such as a program that was compiled when its user was written. The kernel looks at it
    /// again.
    package init(checked instructions: [BPFInstruction]) { self.instructions = instructions }

    /// Reads an array of `struct sock_filter` in this machine's byte order, as ``bytes`` gives it.
    ///
    /// - Throws: as ``init(_:)``.
    public init(bytes: [UInt8]) throws(SeccompError) {
        guard bytes.count.isMultiple(of: 8) else {
            throw .malformedProgram(instruction: bytes.count / 8, reason: "is cut short: it has 8 bytes")
        }
        if bytes.count > 8 * Self.longest { throw .programTooLong(instructions: bytes.count / 8) }
        try self.init(
            (0..<bytes.count / 8).map { index in
                let at = bytes[index * 8..<index * 8 + 8]
                func number<Number: FixedWidthInteger>(_ offset: Int, as: Number.Type) -> Number {
                    var result: Number = 0
                    unsafe withUnsafeMutableBytes(of: &result) { target in
                        unsafe target.copyBytes(from: at.dropFirst(offset).prefix(MemoryLayout<Number>.size))
                    }
                    return result
                }
                return BPFInstruction(
                    code: number(0, as: UInt16.self), jumpTrue: number(2, as: UInt8.self),
                    jumpFalse: number(3, as: UInt8.self), operand: number(4, as: UInt32.self))
            })
    }

    /// The array of `struct sock_filter`, 8 bytes an instruction, in this machine's byte order.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(instructions.count * 8)
        for instruction in instructions {
            unsafe withUnsafeBytes(of: instruction.code) { unsafe result.append(contentsOf: $0) }
            result.append(instruction.jumpTrue)
            result.append(instruction.jumpFalse)
            unsafe withUnsafeBytes(of: instruction.operand) { unsafe result.append(contentsOf: $0) }
        }
        return result
    }

    /// Whether some answer asks a listener, so that the program is of use with one alone.
    public var asksListener: Bool {
        instructions.contains {
            $0.code == 0x06 && SeccompAction(rawValue: $0.operand).kind == .notify
        }
    }

    /// `BPF_MAXINSNS`.
    static let longest = 4096

    private static func check(_ program: [BPFInstruction]) throws(SeccompError) {
        guard !program.isEmpty else { throw .malformedProgram(instruction: 0, reason: "is missing") }
        guard program.count <= longest else { throw .programTooLong(instructions: program.count) }
        // Scratch words that every path to an instruction has written.
        var written = [UInt16](repeating: .max, count: program.count + 1)
        written[0] = 0
        for (index, instruction) in program.enumerated() {
            func refuse(_ reason: String) -> SeccompError { .malformedProgram(instruction: index, reason: reason) }
            let remaining = UInt32(program.count - index - 1)
            guard let operation = BPFOperation(instruction.code) else {
                throw refuse("seccomp has no operation 0x\(String(instruction.code, radix: 16))")
            }
            switch operation {
            case .loadData where instruction.operand >= 64 || !instruction.operand.isMultiple(of: 4):
                throw refuse("reads at \(instruction.operand), outside the call's 64 bytes or across words")
            case .loadScratch, .loadIndexScratch, .storeScratch, .storeIndexScratch:
                guard instruction.operand < 16 else { throw refuse("scratch memory has 16 words") }
                let bit: UInt16 = 1 << instruction.operand
                if operation == .storeScratch || operation == .storeIndexScratch {
                    written[index] |= bit
                } else if written[index] & bit == 0 {
                    throw refuse("reads scratch word \(instruction.operand) before it is written")
                }
            case .arithmetic(.divide, .constant) where instruction.operand == 0:
                throw refuse("divides by zero")
            case .arithmetic(.shiftLeft, .constant) where instruction.operand >= 32,
                .arithmetic(.shiftRight, .constant) where instruction.operand >= 32:
                throw refuse("shifts by more than 31 bits")
            case .jump where instruction.operand >= remaining,
                .jumpIf where max(instruction.jumpTrue, instruction.jumpFalse) >= remaining:
                throw refuse("jumps past the end")
            default: break
            }
            switch operation {
            case .jump: written[index + 1 + Int(instruction.operand)] &= written[index]
            case .jumpIf:
                written[index + 1 + Int(instruction.jumpTrue)] &= written[index]
                written[index + 1 + Int(instruction.jumpFalse)] &= written[index]
            case .answer, .answerAccumulator: break
            default: written[index + 1] &= written[index]
            }
        }
        switch BPFOperation(program[program.count - 1].code) {
        case .answer, .answerAccumulator: break
        default: throw .malformedProgram(instruction: program.count - 1, reason: "is the last and gives no answer")
        }
    }
}
