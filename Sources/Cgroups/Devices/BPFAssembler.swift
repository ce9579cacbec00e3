/// Writes instructions one after another; jumps go forward, to the end of the block that they are in.
struct BPFAssembler {
    private(set) var instructions: [BPFInstruction] = []

    mutating func load(_ to: BPFRegister, from base: BPFRegister, offset: Int16) {
        instructions.append(BPFInstruction(BPFOpcode.loadWord, to: to, from: base, offset: offset))
    }

    mutating func copy(_ to: BPFRegister, from: BPFRegister) {
        instructions.append(BPFInstruction(BPFOpcode.move32Register, to: to, from: from))
    }

    mutating func and(_ register: BPFRegister, _ mask: UInt32) {
        instructions.append(BPFInstruction(BPFOpcode.and32, to: register, Int32(bitPattern: mask)))
    }

    mutating func shiftRight(_ register: BPFRegister, by bits: Int32) {
        instructions.append(BPFInstruction(BPFOpcode.shiftRight32, to: register, bits))
    }

    /// Ends the program with an answer.
    mutating func answer(_ value: Int32) {
        instructions.append(BPFInstruction(BPFOpcode.move, to: .r0, value))
        instructions.append(BPFInstruction(BPFOpcode.exit, to: .r0))
    }

    /// A condition under which a block is left.
    struct Exit {
        var opcode: UInt8
        var register: BPFRegister
        var value: UInt32

        static func unless(_ register: BPFRegister, is value: UInt32) -> Exit {
            Exit(opcode: BPFOpcode.jumpIfNotEqual32, register: register, value: value)
        }
    }

    /// A block that is skipped as soon as one of the conditions holds.
    mutating func block(leftWhen exits: [Exit], _ body: (inout BPFAssembler) -> Void) {
        let starts = instructions.count
        for exit in exits {
            instructions.append(
                BPFInstruction(exit.opcode, to: exit.register, Int32(bitPattern: exit.value)))
        }
        body(&self)
        for index in starts..<starts + exits.count {
            // A block is one rule's, a dozen instructions: far from the 32,767 that an offset reaches.
            instructions[index].offset = Int16(instructions.count - index - 1)
        }
    }

    /// A block for when one of some bits is set.
    mutating func ifAny(of bits: UInt32, in register: BPFRegister, _ body: (inout BPFAssembler) -> Void) {
        // eBPF jumps when a bit is set and has no opposite: over a jump over the block.
        instructions.append(
            BPFInstruction(BPFOpcode.jumpIfSet32, to: register, offset: 1, Int32(bitPattern: bits)))
        let skip = instructions.count
        instructions.append(BPFInstruction(BPFOpcode.jump, to: .r0))
        body(&self)
        instructions[skip].offset = Int16(instructions.count - skip - 1)
    }
}
