/// The part of classic BPF that the kernel lets a seccomp filter use; `seccomp_check_filter` in `kernel/seccomp.c`.
enum BPFOperation: Hashable {
    case loadData, loadLength, loadConstant, loadScratch
    case loadIndexLength, loadIndexConstant, loadIndexScratch
    case storeScratch, storeIndexScratch
    case indexFromAccumulator, accumulatorFromIndex
    case negate
    case arithmetic(Arithmetic, Source)
    case jump
    case jumpIf(BPFInstruction.JumpCondition, Source)
    case answer, answerAccumulator

    enum Arithmetic: UInt16 {
        case add = 0x04
        case subtract = 0x14
        case multiply = 0x24
        case divide = 0x34
        case or = 0x44
        case and = 0x54
        case shiftLeft = 0x64
        case shiftRight = 0x74
        case exclusiveOr = 0xa4
    }

    enum Source: UInt16 {
        case constant = 0
        case index = 8
    }

    init?(_ code: UInt16) {
        switch code {
        case 0x20: self = .loadData
        case 0x80: self = .loadLength
        case 0x00: self = .loadConstant
        case 0x60: self = .loadScratch
        case 0x81: self = .loadIndexLength
        case 0x01: self = .loadIndexConstant
        case 0x61: self = .loadIndexScratch
        case 0x02: self = .storeScratch
        case 0x03: self = .storeIndexScratch
        case 0x07: self = .indexFromAccumulator
        case 0x87: self = .accumulatorFromIndex
        case 0x84: self = .negate
        case 0x05: self = .jump
        case 0x06: self = .answer
        case 0x16: self = .answerAccumulator
        default:
            guard let source = Source(rawValue: code & 8) else { return nil }
            if let arithmetic = Arithmetic(rawValue: code & ~8) {
                self = .arithmetic(arithmetic, source)
            } else if let condition = BPFInstruction.JumpCondition(rawValue: code & ~8) {
                self = .jumpIf(condition, source)
            } else {
                return nil
            }
        }
    }
}
