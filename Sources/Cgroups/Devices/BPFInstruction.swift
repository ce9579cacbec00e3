/// An eBPF instruction: 8 bytes; RFC 9669.
public struct BPFInstruction: Hashable, Sendable, BitwiseCopyable {
    public var opcode: UInt8
    /// The destination register in the low four bits, the source in the high four, on little-endian machines.
    public var registers: UInt8
    public var offset: Int16
    public var immediate: Int32

    public init(opcode: UInt8, registers: UInt8, offset: Int16, immediate: Int32) {
        self.opcode = opcode
        self.registers = registers
        self.offset = offset
        self.immediate = immediate
    }

    init(
        _ opcode: UInt8, to destination: BPFRegister, from source: BPFRegister = .r0, offset: Int16 = 0,
        _ value: Int32 = 0
    ) {
        self.opcode = opcode
        self.offset = offset
        immediate = value
        #if _endian(little)
            registers = destination.rawValue | source.rawValue << 4
        #else
            registers = destination.rawValue << 4 | source.rawValue
        #endif
    }

    var destination: UInt8 {
        #if _endian(little)
            registers & 15
        #else
            registers >> 4
        #endif
    }

    var source: UInt8 {
        #if _endian(little)
            registers >> 4
        #else
            registers & 15
        #endif
    }
}

/// The registers that a device program uses.
enum BPFRegister: UInt8 {
    /// The program's answer.
    case r0
    /// At the start, the address of what is asked.
    case r1
    case r2, r3
}

/// The opcodes that a device program uses.
enum BPFOpcode {
    /// dst = *(u32 *)(src + offset)
    static let loadWord: UInt8 = 0x61
    /// dst = imm
    static let move: UInt8 = 0xb7
    /// dst &= imm, 32 bits
    static let and32: UInt8 = 0x54
    /// dst >>= imm, 32 bits
    static let shiftRight32: UInt8 = 0x74
    /// goto
    static let jump: UInt8 = 0x05
    /// if dst != imm, 32 bits
    static let jumpIfNotEqual32: UInt8 = 0x56
    /// if dst & imm, 32 bits
    static let jumpIfSet32: UInt8 = 0x46
    static let exit: UInt8 = 0x95
}

extension BPFInstruction: CustomStringConvertible {
    /// The kernel verifier's notation: `if w2 != 0x3 goto pc+5`.
    public var description: String {
        let to = destination
        let jump = offset < 0 ? "\(offset)" : "+\(offset)"
        let hex = "0x" + String(UInt32(bitPattern: immediate), radix: 16)
        return switch opcode {
        case BPFOpcode.loadWord: "r\(to) = *(u32 *)(r\(source) +\(offset))"
        case BPFOpcode.move: "r\(to) = \(immediate)"
        case BPFOpcode.and32: "w\(to) &= \(hex)"
        case BPFOpcode.shiftRight32: "w\(to) >>= \(immediate)"
        case BPFOpcode.jump: "goto pc\(jump)"
        case BPFOpcode.jumpIfNotEqual32: "if w\(to) != \(hex) goto pc\(jump)"
        case BPFOpcode.jumpIfSet32: "if w\(to) & \(hex) goto pc\(jump)"
        case BPFOpcode.exit: "exit"
        default: "opcode 0x\(String(opcode, radix: 16))"
        }
    }
}
