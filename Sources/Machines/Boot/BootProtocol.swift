import GuestMemory

/// How a kernel is entered.
public enum BootProtocol: String, Hashable, Sendable, CaseIterable {
    /// As the kernel's file asks for: a bzImage by its 64-bit entry, an ELF file by PVH where it has that, or else by
    /// the 64-bit entry of Linux.
    case automatic
    /// In 64-bit mode with a page of boot parameters; the kernel's `Documentation/x86/boot.rst`, "64-bit boot protocol".
    case linux64
    /// In 32-bit mode with a start info; Xen's `public/arch-x86/hvm/start_info.h`.
    case pvh
}

/// A kernel that is in the guest's memory.
struct LoadedKernel: Hashable {
    /// Where its first instruction is.
    var entry: UInt64
    /// Never ``BootProtocol/automatic``.
    var bootProtocol: BootProtocol
    /// The memory that belongs to the kernel until it has started: nothing else may lie there.
    var claim: Range<UInt64>
    /// The header of a bzImage, from byte 0x1f1 on; empty for other kernels.
    var header: [UInt8] = []
    /// The last byte that an initial RAM disk may have.
    var lastRAMDiskByte: UInt64 = .max
    /// The longest command line, in bytes without the NUL at its end. Linux has room for so many on x86.
    var commandLineLimit = 2047
}

extension LoadedKernel {
    /// Loads a kernel from its file, whatever kind it is.
    static func load(
        _ file: borrowing ImageFile, _ wanted: BootProtocol, into memory: GuestMemory, _ map: AddressMap
    ) throws(MachineError) -> LoadedKernel {
        let head = try file.bytes(at: 0, count: Int(min(file.size, 4)))
        if head == ELFKernel.magic { return try ELFKernel.load(file, wanted, into: memory, map) }
        return try BzImage.load(file, wanted, into: memory, map)
    }
}
