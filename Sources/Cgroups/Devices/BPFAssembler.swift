/// Writes instructions one after another; jumps go forward, to the end of the block that they are in.
struct BPFAssembler {
    private(set) var instructions: [BPFInstruction] = []

    /// The jumps of the block being written, which are to end behind it.
    private var exits: [Int] = []

    mutating func load(_ to: BPFRegister, from base: BPFRegister, offset: Int16) {
        instructions.append(BPFInstruction(BPFOpcode.loadWord, to: to, from: base, offset: offset))
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

    /// A block that ``leave(unless:is:)`` skips the rest of. Blocks do not nest.
    mutating func block(_ body: (inout BPFAssembler) -> Void) {
        precondition(exits.isEmpty, "a block inside a block")
        body(&self)
        for index in exits {
            // A block is one rule's, a dozen instructions: far from the 32,767 that an offset reaches.
            instructions[index].offset = Int16(instructions.count - index - 1)
        }
        exits = []
    }

    mutating func leave(unless register: BPFRegister, is value: UInt32) {
        exits.append(instructions.count)
        instructions.append(BPFInstruction(BPFOpcode.jumpIfNotEqual32, to: register, Int32(bitPattern: value)))
    }

    mutating func leave(unless register: BPFRegister, hasAnyOf bits: UInt32) {
        // eBPF jumps when a bit is set and has no opposite: over the jump that leaves.
        instructions.append(
            BPFInstruction(BPFOpcode.jumpIfSet32, to: register, offset: 1, Int32(bitPattern: bits)))
        exits.append(instructions.count)
        instructions.append(BPFInstruction(BPFOpcode.jump, to: .r0))
    }
}
