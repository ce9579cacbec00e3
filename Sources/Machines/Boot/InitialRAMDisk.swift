import GuestMemory

/// Files for a kernel's first moments, in memory.
struct InitialRAMDisk: Hashable {
    /// Where it is.
    var address: UInt64
    /// Bytes.
    var size: UInt64

    private static let pageSize: UInt64 = 4096

    /// Loads it as high as the kernel lets it be, away from all that the kernel needs.
    static func load(
        _ file: borrowing ImageFile, beside kernel: LoadedKernel, into memory: GuestMemory, _ map: AddressMap
    ) throws(MachineError) -> InitialRAMDisk {
        guard file.size > 0 else { throw file.failure(.truncated(needs: 1, size: 0)) }
        // One past the last byte, which a kernel without a limit has as all ones.
        let limit = kernel.lastRAMDiskByte == .max ? .max : kernel.lastRAMDiskByte + 1
        let top = min(map.lowEnd, limit)
        let bottom = (kernel.claim.upperBound + pageSize - 1) / pageSize * pageSize
        let room = top > bottom ? top - bottom : 0
        guard file.size <= room else { throw file.failure(.doesNotFit(size: file.size, room: room)) }
        let address = (top - file.size) / pageSize * pageSize
        guard address >= bottom else { throw file.failure(.doesNotFit(size: file.size, room: room)) }
        try file.load(at: 0, count: file.size, into: memory, at: address)
        return InitialRAMDisk(address: address, size: file.size)
    }
}
