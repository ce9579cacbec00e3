/// Runs the instructions that device programs are made of, as the kernel would: from their encoding alone.
enum BPFInterpreter {
    /// - Parameter context: the words that r1 points to.
    /// - Returns: r0 at the exit; nil for a program that leaves its bounds, loops, or has an unknown instruction.
    static func run(_ instructions: [BPFInstruction], context: [UInt32]) -> UInt64? {
        var registers = [16 of UInt64](repeating: 0)
        var next = 0
        // Jumps go forward only, so no instruction runs twice.
        for _ in 0...instructions.count {
            guard instructions.indices.contains(next) else { return nil }
            let instruction = instructions[next]
            next += 1
            let to = Int(instruction.destination)
            let low = UInt32(truncatingIfNeeded: registers[to])
            let value = UInt32(bitPattern: instruction.immediate)
            var jumps = false
            switch instruction.opcode {
            case BPFOpcode.loadWord:
                guard instruction.source == BPFRegister.r1.rawValue, instruction.offset >= 0,
                    instruction.offset % 4 == 0, Int(instruction.offset) / 4 < context.count
                else { return nil }
                registers[to] = UInt64(context[Int(instruction.offset) / 4])
            case BPFOpcode.move: registers[to] = UInt64(bitPattern: Int64(instruction.immediate))
            case BPFOpcode.and32: registers[to] = UInt64(low & value)
            case BPFOpcode.shiftRight32: registers[to] = UInt64(low >> (value & 31))
            case BPFOpcode.jump: jumps = true
            case BPFOpcode.jumpIfNotEqual32: jumps = low != value
            case BPFOpcode.jumpIfSet32: jumps = low & value != 0
            case BPFOpcode.exit: return registers[0]
            default: return nil
            }
            if jumps {
                guard instruction.offset >= 0 else { return nil }
                next += Int(instruction.offset)
            }
        }
        return nil
    }
}
