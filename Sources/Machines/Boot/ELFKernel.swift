import GuestMemory

/// A kernel as an ELF file, such as Linux's vmlinux; System V ABI, AMD64 supplement.
enum ELFKernel {
    static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]

    private static let headerSize = 64
    private static let segmentSize = 56
    /// A kernel has five or so.
    private static let mostSegments = 64
    private static let loadable: UInt32 = 1
    private static let note: UInt32 = 4
    /// The notes of a kernel are some hundred bytes.
    private static let mostNoteBytes: UInt64 = 1 << 16
    /// `XEN_ELFNOTE_PHYS32_ENTRY`.
    private static let entryNote: UInt32 = 18

    private struct Segment {
        let type: UInt32
        let offset: UInt64
        let address: UInt64
        let fileSize: UInt64
        let memorySize: UInt64

        init(_ bytes: [UInt8], at start: Int) {
            type = bytes.load(UInt32.self, at: start)
            offset = bytes.load(UInt64.self, at: start + 8)
            address = bytes.load(UInt64.self, at: start + 24)
            fileSize = bytes.load(UInt64.self, at: start + 32)
            memorySize = bytes.load(UInt64.self, at: start + 40)
        }
    }

    static func load(
        _ file: borrowing ImageFile, _ wanted: BootProtocol, into memory: GuestMemory, _ map: AddressMap
    ) throws(MachineError) -> LoadedKernel {
        let head = try file.bytes(at: 0, count: headerSize)
        try check(head, file)
        let count = Int(head.load(UInt16.self, at: 56))
        guard head.load(UInt16.self, at: 54) == segmentSize, (1...mostSegments).contains(count) else {
            throw file.failure(.unsupported("its table of \(count) segments is not one of a kernel"))
        }
        let table = try file.bytes(at: head.load(UInt64.self, at: 32), count: count * segmentSize)
        let segments = (0..<count).map { Segment(table, at: $0 * segmentSize) }

        var claim: Range<UInt64>?
        for segment in segments where segment.type == loadable && segment.memorySize > 0 {
            let range = try place(segment, file, map)
            try file.load(at: segment.offset, count: segment.fileSize, into: memory, at: segment.address)
            claim = claim.map { min($0.lowerBound, range.lowerBound)..<max($0.upperBound, range.upperBound) } ?? range
        }
        guard let claim else { throw file.failure(.unsupported("it has nothing to load")) }

        let direct = head.load(UInt64.self, at: 24)
        let (entry, bootProtocol) = try entry(wanted, direct, try pvhEntry(segments, file), file)
        guard claim.contains(entry) else {
            throw file.failure(.unsupported("its entry 0x\(String(entry, radix: 16)) is not in what is loaded"))
        }
        return LoadedKernel(entry: entry, bootProtocol: bootProtocol, claim: claim)
    }

    private static func check(_ head: [UInt8], _ file: borrowing ImageFile) throws(MachineError) {
        guard head[4] == 2, head[5] == 1 else { throw file.failure(.unsupported("it is not a 64-bit x86 program")) }
        guard head.load(UInt16.self, at: 18) == 62 else {
            throw file.failure(.unsupported("it is for another processor than x86-64"))
        }
        // ET_EXEC, or ET_DYN, which says that it could be elsewhere as well.
        guard [2, 3].contains(head.load(UInt16.self, at: 16)) else {
            throw file.failure(.unsupported("it is an object file or a core dump, not a program"))
        }
    }

    /// Where a segment goes: above the first MiB, where the boot structures are, and below the hole.
    private static func place(
        _ segment: Segment, _ file: borrowing ImageFile, _ map: AddressMap
    ) throws(MachineError) -> Range<UInt64> {
        let (end, overflow) = segment.address.addingReportingOverflow(segment.memorySize)
        guard !overflow, segment.address >= AddressMap.highMemory, end <= map.lowEnd else {
            throw file.failure(.outsideMemory(start: segment.address, size: segment.memorySize))
        }
        guard segment.fileSize <= segment.memorySize else {
            throw file.failure(.unsupported("a segment has more bytes in the file than in memory"))
        }
        return segment.address..<end
    }

    private static func entry(
        _ wanted: BootProtocol, _ direct: UInt64, _ pvh: UInt64?, _ file: borrowing ImageFile
    ) throws(MachineError) -> (UInt64, BootProtocol) {
        switch wanted {
        case .linux64: return (direct, .linux64)
        case .pvh:
            guard let pvh else { throw file.failure(.unsupported("it has no PVH entry")) }
            return (pvh, .pvh)
        case .automatic:
            if let pvh { return (pvh, .pvh) }
            return (direct, .linux64)
        }
    }

    /// The 32-bit entry that a note of Xen's announces.
    private static func pvhEntry(
        _ segments: [Segment], _ file: borrowing ImageFile
    ) throws(MachineError) -> UInt64? {
        for segment in segments where segment.type == note && segment.fileSize <= mostNoteBytes {
            let bytes = try file.bytes(at: segment.offset, count: Int(segment.fileSize))
            var place = 0
            while bytes.count - place >= 12 {
                let nameSize = Int(bytes.load(UInt32.self, at: place))
                let valueSize = Int(bytes.load(UInt32.self, at: place + 4))
                let type = bytes.load(UInt32.self, at: place + 8)
                let name = place + 12
                let value = name + (nameSize + 3) & ~3
                guard value <= bytes.count, valueSize <= bytes.count - value else { break }
                if type == entryNote, nameSize == 4, Array(bytes[name..<name + 4]) == Array("Xen\0".utf8) {
                    if valueSize == 8 { return bytes.load(UInt64.self, at: value) }
                    if valueSize == 4 { return UInt64(bytes.load(UInt32.self, at: value)) }
                }
                place = value + (valueSize + 3) & ~3
            }
        }
        return nil
    }
}
