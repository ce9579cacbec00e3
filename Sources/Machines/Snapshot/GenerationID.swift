import Glibc
import GuestMemory

/// A number that no other machine has and that a restored one has anew: its guest then knows that it may have a twin, and
/// that its random numbers are no secret any more. "Virtual Machine Generation ID", Microsoft; Linux's driver `vmgenid`.
///
/// It lies in memory that is reserved for firmware, on a page of its own. Behind it is a number of each save's: by it a
/// state and a memory are known to belong together.
enum GenerationID {
    static let size = 16
    static let address = AddressMap.generation
    static let saveAddress = AddressMap.generation + 0x800

    /// The device in the guest's tables.
    static var node: [UInt8] {
        AML.device(
            "VGEN",
            [
                AML.name("_HID", AML.string("VMGENCTR")), AML.name("_CID", AML.string("VM_Gen_Counter")),
                AML.name("_DDN", AML.string("VM_Gen_Counter")),
                AML.name("ADDR", AML.package([AML.integer(address), AML.integer(0)])),
            ])
    }

    /// Gives the guest a new number.
    static func renew(in memory: GuestMemory) throws(GuestMemoryError) {
        try memory.write(randomBytes(size), at: GuestAddress(address))
    }

    /// Marks the guest's memory as that of one save.
    ///
    /// - Returns: the mark.
    static func mark(_ memory: GuestMemory) throws(GuestMemoryError) -> [UInt8] {
        let bytes = randomBytes(size)
        try memory.write(bytes, at: GuestAddress(saveAddress))
        return bytes
    }

    /// The mark of a memory.
    static func mark(of memory: GuestMemory) throws(GuestMemoryError) -> [UInt8] {
        try memory.bytes(at: GuestAddress(saveAddress), count: size)
    }
}

/// Bytes from the host's kernel.
private func randomBytes(_ count: Int) -> [UInt8] {
    var source = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &source) }
}

/// The host's clock; `clock_gettime(2)`.
func realTimeNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}
