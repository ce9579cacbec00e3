/// One instruction of a classic BPF program; `struct sock_filter`.
public struct BPFInstruction: Hashable, Sendable {
    /// The operation, `BPF_*`.
    public var code: UInt16
    /// How many instructions a conditional jump skips when its condition holds.
    public var jumpTrue: UInt8
    /// How many instructions a conditional jump skips when its condition fails.
    public var jumpFalse: UInt8
    /// The operand.
    public var operand: UInt32

    public init(code: UInt16, jumpTrue: UInt8 = 0, jumpFalse: UInt8 = 0, operand: UInt32) {
        self.code = code
        self.jumpTrue = jumpTrue
        self.jumpFalse = jumpFalse
        self.operand = operand
    }

    static func load(_ offset: UInt32) -> BPFInstruction { BPFInstruction(code: 0x20, operand: offset) }
    static func and(_ mask: UInt32) -> BPFInstruction { BPFInstruction(code: 0x54, operand: mask) }
    static func answer(_ action: SeccompAction) -> BPFInstruction {
        BPFInstruction(code: 0x06, operand: action.rawValue)
    }
    static func jump(_ skipped: Int) -> BPFInstruction { BPFInstruction(code: 0x05, operand: UInt32(skipped)) }
    static func jump(
        _ condition: JumpCondition, _ operand: UInt32, _ jumpTrue: UInt8, _ jumpFalse: UInt8
    ) -> BPFInstruction {
        BPFInstruction(code: condition.rawValue, jumpTrue: jumpTrue, jumpFalse: jumpFalse, operand: operand)
    }

    enum JumpCondition: UInt16 {
        case equal = 0x15
        case greater = 0x25
        case greaterOrEqual = 0x35
        case anyBit = 0x45
    }
}
