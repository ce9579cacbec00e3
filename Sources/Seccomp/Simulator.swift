extension SeccompProgram {
    /// What the kernel would do with a call, said without making it.
    ///
    /// The program runs in an interpreter of its own: jumps lead forward only, so it ends after at most as many steps
    /// as it has instructions.
    public func simulate(_ call: SystemCall) -> SeccompAction {
        var accumulator: UInt32 = 0
        var index: UInt32 = 0
        var scratch = [16 of UInt32](repeating: 0)
        var counter = 0
        while true {
            let instruction = instructions[counter]
            let operand = instruction.operand
            counter += 1
            // Checked when the program was made.
            switch BPFOperation(instruction.code)! {
            case .loadData: accumulator = call.word(at: operand)
            case .loadLength: accumulator = 64
            case .loadConstant: accumulator = operand
            case .loadScratch: accumulator = scratch[Int(operand)]
            case .loadIndexLength: index = 64
            case .loadIndexConstant: index = operand
            case .loadIndexScratch: index = scratch[Int(operand)]
            case .storeScratch: scratch[Int(operand)] = accumulator
            case .storeIndexScratch: scratch[Int(operand)] = index
            case .indexFromAccumulator: index = accumulator
            case .accumulatorFromIndex: accumulator = index
            case .negate: accumulator = 0 &- accumulator
            case .arithmetic(let operation, let source):
                let right = source == .constant ? operand : index
                switch operation {
                case .add: accumulator &+= right
                case .subtract: accumulator &-= right
                case .multiply: accumulator &*= right
                case .divide:
                    // Division by a zero index ends a classic program with the answer 0.
                    if right == 0 { return .killThread }
                    accumulator /= right
                case .or: accumulator |= right
                case .and: accumulator &= right
                case .shiftLeft: accumulator &<<= right
                case .shiftRight: accumulator &>>= right
                case .exclusiveOr: accumulator ^= right
                }
            case .jump: counter += Int(operand)
            case .jumpIf(let condition, let source):
                let right = source == .constant ? operand : index
                let holds =
                    switch condition {
                    case .equal: accumulator == right
                    case .greater: accumulator > right
                    case .greaterOrEqual: accumulator >= right
                    case .anyBit: accumulator & right != 0
                    }
                counter += Int(holds ? instruction.jumpTrue : instruction.jumpFalse)
            case .answer: return SeccompAction(rawValue: operand)
            case .answerAccumulator: return SeccompAction(rawValue: accumulator)
            }
        }
    }
}

extension SystemCall {
    /// The 32-bit word of `struct seccomp_data` at an offset that is a multiple of 4 below 64.
    func word(at offset: UInt32) -> UInt32 {
        switch offset {
        case 0: return number
        case 4: return architecture.auditToken
        default:
            let long = offset < 16 ? instructionPointer : arguments[Int(offset - 16) / 8]
            let isFirst = offset.isMultiple(of: 8)
            return UInt32(truncatingIfNeeded: isFirst == architecture.isLittleEndian ? long : long >> 32)
        }
    }
}
