import GuestMemory

/// Linux's own form of kernel for x86: a header for boot loaders and a program that unpacks the kernel proper; the
/// kernel's `Documentation/x86/boot.rst`.
enum BzImage {
    // Offsets in the file, which are those in the page of boot parameters, too.
    static let headerStart = 0x1f1
    private static let bootFlag = 0x1fe
    private static let jumpLength = 0x201
    private static let signature = 0x202
    private static let version = 0x206
    private static let loadFlags = 0x211
    private static let lastRAMDiskByte = 0x22c
    private static let isRelocatable = 0x234
    private static let extraLoadFlags = 0x236
    private static let commandLineSize = 0x238
    private static let preferredAddress = 0x258
    private static let neededSize = 0x260
    /// All of the header that is looked at, with some room for newer ones.
    private static let headSize = 0x290

    private static let sectorSize: UInt64 = 512
    /// 2.12 has the flags that tell of a 64-bit entry.
    private static let oldestVersion: UInt16 = 0x20c
    private static let has64BitEntry: UInt16 = 1 << 0
    private static let isLoadedHigh: UInt8 = 1 << 0
    private static let entryOffset: UInt64 = 0x200

    static func load(
        _ file: borrowing ImageFile, _ wanted: BootProtocol, into memory: GuestMemory, _ map: AddressMap
    ) throws(MachineError) -> LoadedKernel {
        let head = try file.bytes(at: 0, count: Int(min(file.size, UInt64(headSize))))
        guard head.count >= signature + 4, head.load(UInt16.self, at: bootFlag) == 0xaa55,
            head.load(UInt32.self, at: signature) == 0x5372_6448  // "HdrS"
        else { throw file.failure(.notAKernel) }
        guard head.count == headSize else {
            throw file.failure(.truncated(needs: UInt64(headSize), size: file.size))
        }
        try check(head, wanted, file)

        // A file of before 1999 says 0 for 4.
        let sectors = UInt64(head[headerStart] == 0 ? 4 : head[headerStart])
        let start = (sectors + 1) * sectorSize
        guard file.size > start + entryOffset else {
            throw file.failure(.truncated(needs: start + entryOffset + 1, size: file.size))
        }
        let size = file.size - start
        let address = AddressMap.highMemory
        let claim = try claim(head, size, file, map)
        try file.load(at: start, count: size, into: memory, at: address)

        // The header ends where the instruction that jumps over it says.
        let end = min(headSize, signature + Int(head[jumpLength]))
        return LoadedKernel(
            entry: address + entryOffset, bootProtocol: .linux64, claim: claim,
            header: end > headerStart ? Array(head[headerStart..<end]) : [],
            lastRAMDiskByte: UInt64(head.load(UInt32.self, at: lastRAMDiskByte)),
            commandLineLimit: Int(head.load(UInt32.self, at: commandLineSize)))
    }

    private static func check(
        _ head: [UInt8], _ wanted: BootProtocol, _ file: borrowing ImageFile
    ) throws(MachineError) {
        if wanted == .pvh {
            throw file.failure(.unsupported("a bzImage has no PVH entry: give the vmlinux that is inside"))
        }
        let number = head.load(UInt16.self, at: version)
        guard number >= oldestVersion else {
            throw file.failure(
                .unsupported("it speaks boot protocol \(number >> 8).\(number & 0xff), and 2.12 is needed"))
        }
        guard head.load(UInt16.self, at: extraLoadFlags) & has64BitEntry != 0 else {
            throw file.failure(.unsupported("it has no 64-bit entry"))
        }
        guard head[loadFlags] & isLoadedHigh != 0 else {
            throw file.failure(.unsupported("it is a zImage, which is loaded below 1 MiB"))
        }
    }

    /// What the kernel needs while it unpacks itself: where it is loaded, and where it will be.
    private static func claim(
        _ head: [UInt8], _ size: UInt64, _ file: borrowing ImageFile, _ map: AddressMap
    ) throws(MachineError) -> Range<UInt64> {
        let start = AddressMap.highMemory
        let needed = UInt64(head.load(UInt32.self, at: neededSize))
        // A kernel that can be anywhere goes to its preferred address all the same when it is loaded below.
        let target = max(start, head.load(UInt64.self, at: preferredAddress))
        let (end, overflow) = target.addingReportingOverflow(max(size, needed))
        guard !overflow, end <= map.lowEnd else {
            throw file.failure(.outsideMemory(start: target, size: max(size, needed)))
        }
        return start..<max(end, start + size)
    }
}
