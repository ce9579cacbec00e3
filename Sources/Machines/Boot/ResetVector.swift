import GuestMemory

/// All the firmware that there is: where an x86 processor begins after a reset, code that resets the machine.
///
/// Linux on reduced hardware without EFI tries neither ACPI's register nor the keyboard's controller: it goes back to
/// real mode and jumps there.
enum ResetVector {
    /// 0xf000:0xfff0, in real mode.
    static let address: UInt64 = 0xffff0

    /// At most 16 bytes, as 1 MiB ends there.
    static var code: [UInt8] {
        let port = AddressMap.powerPorts + PowerControl.reset
        return [
            0xba, UInt8(port & 0xff), UInt8(port >> 8),  //     mov dx, port
            0xb0, PowerControl.resetValue,  //                  mov al, value
            0xee,  //                                           out dx, al
            0xf4, 0xeb, 0xfd,  //                         wait: hlt; jmp wait
        ]
    }

    static func write(to memory: GuestMemory) throws(GuestMemoryError) {
        try memory.write(code, at: GuestAddress(address))
    }
}
