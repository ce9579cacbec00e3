import Machines
import Seccomp

/// The programs of ``ThreadFilters``, compiled when they were written: else that would be most of what a start does.
enum CompiledFilters {
    /// What the programs have where they compare the process's number: no process has this one.
    static let process: UInt32 = 0x7fff_ffff

    /// The filter of a kind of threads.
    ///
    /// - Parameter process: the number of the process that they are of.
    static func program(of role: ThreadRole, process: UInt32) -> SeccompProgram {
        SeccompProgram(
            checked: words(of: role).map { word in
                var instruction = instruction(word)
                if instruction.operand == Self.process { instruction.operand = process }
                return instruction
            })
    }

    private static func words(of role: ThreadRole) -> [UInt64] {
        switch role {
        case .main: vmm
        case .api: api
        case .devices: devices
        case .share: share
        case .serial: serial
        case .console: console
        case .processor: vcpu
        case .debugger: gdb
        default: preconditionFailure("no such thread: \(role)")
        }
    }

    /// `struct sock_filter` as a number, from the low bits on: operation, jumps, operand.
    static func word(_ instruction: BPFInstruction) -> UInt64 {
        UInt64(instruction.code) | UInt64(instruction.jumpTrue) << 16 | UInt64(instruction.jumpFalse) << 24
            | UInt64(instruction.operand) << 32
    }

    private static func instruction(_ word: UInt64) -> BPFInstruction {
        BPFInstruction(
            code: UInt16(truncatingIfNeeded: word), jumpTrue: UInt8(truncatingIfNeeded: word >> 16),
            jumpFalse: UInt8(truncatingIfNeeded: word >> 24), operand: UInt32(truncatingIfNeeded: word >> 32))
    }
}
