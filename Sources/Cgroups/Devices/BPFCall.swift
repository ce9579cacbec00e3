import CLinux
import Linux

/// `bpf(2)`: its argument is a union of structures, filled here field by field at the offsets that `<linux/bpf.h>`
/// fixes for ever. What is not filled is zero, as the kernel demands.
struct BPFCall: ~Copyable {
    enum Command: CLong {
        case loadProgram = 5
        case attach = 8
        case detach = 9
        case descriptorOfProgram = 13
        case information = 15
        case query = 16
    }

    static let deviceProgramType: UInt32 = 15
    static let deviceAttachType: UInt32 = 6
    /// `BPF_F_ALLOW_MULTI`: beside the programs of others, all of which must allow.
    static let allowMultiple: UInt32 = 2
    /// `BPF_F_REPLACE`.
    static let replace: UInt32 = 4

    private var words = [16 of UInt64](repeating: 0)

    /// Sets a field of 4 bytes.
    mutating func set(_ value: UInt32, at offset: Int) {
        var span = words.mutableSpan
        unsafe span.withUnsafeMutableBytes { unsafe $0.storeBytes(of: value, toByteOffset: offset, as: UInt32.self) }
    }

    /// Sets a field of 8 bytes to an address that stays valid during the call.
    mutating func set(_ address: UnsafeRawPointer?, at offset: Int) {
        let value = UInt64(UInt(bitPattern: address))
        var span = words.mutableSpan
        unsafe span.withUnsafeMutableBytes { unsafe $0.storeBytes(of: value, toByteOffset: offset, as: UInt64.self) }
    }

    /// Sets the 16 bytes of a program's name.
    mutating func set(name: [UInt8], at offset: Int) {
        var span = words.mutableSpan
        unsafe span.withUnsafeMutableBytes { bytes in
            for (index, byte) in name.prefix(15).enumerated() { unsafe bytes[offset + index] = byte }
        }
    }

    func get(at offset: Int) -> UInt32 {
        unsafe words.span.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
    }

    mutating func make(_ command: Command) throws(SystemError) -> CInt {
        var span = words.mutableSpan
        return unsafe try span.withUnsafeMutableBytes { bytes throws(SystemError) in
            let address = CLong(bitPattern: bytes.baseAddress!)
            return CInt(
                try systemCall("bpf") { bh_syscall3(CLong(SYS_bpf), command.rawValue, address, CLong(bytes.count)) })
        }
    }
}
