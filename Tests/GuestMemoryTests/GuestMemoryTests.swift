import Glibc
import GuestMemory
import Linux
import Testing

@Suite struct GuestMemoryTests {
    private let page: UInt64 = 4096

    @Test func aRegionComesBehindTheOthers() throws {
        let memory = try GuestMemory([.init(start: GuestAddress(0), size: 8192)], spare: 2)
        let new = GuestRegion.Plan(start: GuestAddress(0x10000), size: 4096)
        #expect(throws: GuestMemoryError.self) { try memory.slice(GuestAddress(0x10000), count: 1) }
        memory.startDirtyTracking()
        var seen: [UInt64] = []
        try memory.append(new) { region, index throws(SystemError) in
            seen = [region.start.rawValue, region.size, UInt64(index)]
        }
        #expect(seen == [0x10000, 4096, 1])
        #expect(memory.regionCount == 2)
        try memory.store(UInt32(7), at: GuestAddress(0x10004))
        #expect(try memory.load(UInt32.self, at: GuestAddress(0x10004)) == 7)
        // What was recorded before is recorded of it, too.
        #expect(memory.takeDirtyPages(region: 1) == [1])
        #expect(throws: GuestMemoryError.overlap(GuestAddress(0x10000))) { try memory.append(new) { _, _ in } }
        let refusal = SystemError("show it", .noMemory)
        let next = GuestRegion.Plan(start: GuestAddress(0x20000), size: 4096)
        #expect(throws: GuestMemoryError.refused(refusal)) {
            try memory.append(next) { (_, _) throws(SystemError) in throw refusal }
        }
        #expect(memory.regionCount == 2)
        #expect(throws: GuestMemoryError.self) { try memory.slice(GuestAddress(0x20000), count: 1) }
    }

    @Test("regions are sorted, and none may overlap, be empty or pass the end")
    func shapes() throws {
        let memory = try GuestMemory([
            GuestRegion.Plan(start: GuestAddress(4 << 30), size: 2 * page),
            GuestRegion.Plan(start: GuestAddress(0), size: page),
        ])
        #expect(memory.regionCount == 2)
        #expect(memory.size == 3 * page)
        memory.withRegion(0) { #expect($0.start == GuestAddress(0) && $0.size == page) }
        memory.withRegion(1) { #expect($0.start == GuestAddress(4 << 30)) }

        #expect(throws: GuestMemoryError.overlap(GuestAddress(page))) {
            try GuestMemory([
                GuestRegion.Plan(start: GuestAddress(0), size: 2 * page),
                GuestRegion.Plan(start: GuestAddress(page), size: page),
            ])
        }
        for (start, size) in [(0, 0), (0, 100), (100, page), (UInt64.max - 4095, 2 * page), (0, 1 << 63)] {
            #expect(throws: GuestMemoryError.badRegion(GuestAddress(start), size: size)) {
                try GuestMemory([GuestRegion.Plan(start: GuestAddress(start), size: size)])
            }
        }
    }

    @Test("an access that is not wholly inside is refused, also where sums overflow")
    func bounds() throws {
        let memory = try GuestMemory([GuestRegion.Plan(start: GuestAddress(page), size: page)])
        try memory.store(UInt32(0x0403_0201), at: GuestAddress(2 * page - 4))
        #expect(try memory.load(UInt8.self, at: GuestAddress(2 * page - 3)) == 2)
        for address in [0, page - 1, 2 * page - 3, 2 * page, .max, .max - 3] {
            #expect(throws: GuestMemoryError.self) { try memory.load(UInt32.self, at: GuestAddress(address)) }
            #expect(throws: GuestMemoryError.self) { try memory.store(UInt32(1), at: GuestAddress(address)) }
        }
        #expect(throws: GuestMemoryError.self) { try memory.slice(GuestAddress(page), count: -1) }
        #expect(throws: GuestMemoryError.self) { try memory.slice(GuestAddress(page), count: .max) }

        let slice = try memory.slice(GuestAddress(page), count: 16)
        for offset in [-1, 15, 16, .max, .min] {
            #expect(throws: GuestMemoryError.outOfBounds(offset: offset, count: 2, size: 16)) {
                try slice.load(UInt16.self, at: offset)
            }
        }
        #expect(throws: GuestMemoryError.self) { try slice.slice(at: 8, count: 9) }
        #expect(throws: GuestMemoryError.self) { try slice.slice(at: 8, count: -1) }
        #expect(throws: GuestMemoryError.self) { try slice.fill(1, at: 1, count: 16) }
        #expect(throws: GuestMemoryError.self) { try slice.write([UInt8](repeating: 1, count: 17)) }
        #expect(try slice.slice(at: 16, count: 0).count == 0)
    }

    @Test("integers are little-endian at any alignment; acquire and release want theirs")
    func integers() throws {
        let slice = try GuestMemory(size: page).kept.slice(GuestAddress(0), count: 32)
        try slice.store(UInt64(0x0807_0605_0403_0201), at: 3)
        #expect(try slice.bytes(at: 3, count: 8) == [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(try slice.load(UInt16.self, at: 5) == 0x0403)
        try slice.storeRelease(UInt16(0xbeef), at: 4)
        #expect(try slice.loadAcquire(UInt16.self, at: 4) == 0xbeef)
        #expect(throws: GuestMemoryError.misaligned(offset: 3, width: 2)) {
            try slice.loadAcquire(UInt16.self, at: 3)
        }
        #expect(throws: GuestMemoryError.misaligned(offset: 6, width: 4)) {
            try slice.storeRelease(UInt32(0), at: 6)
        }
    }

    @Test("a buffer across two adjoining regions is copied whole, one across a hole not at all")
    func adjoining() throws {
        let memory = try GuestMemory([
            GuestRegion.Plan(start: GuestAddress(0), size: page),
            GuestRegion.Plan(start: GuestAddress(page), size: page),
            GuestRegion.Plan(start: GuestAddress(3 * page), size: page),
        ])
        let bytes = (0..<100).map { UInt8($0) }
        try memory.write(bytes, at: GuestAddress(page - 30))
        #expect(try memory.bytes(at: GuestAddress(page - 30), count: 100) == bytes)
        #expect(try memory.load(UInt8.self, at: GuestAddress(page)) == 30)
        #expect(throws: GuestMemoryError.outsideMemory(GuestAddress(page - 30), count: 100)) {
            try memory.slice(GuestAddress(page - 30), count: 100)
        }
        #expect(throws: GuestMemoryError.self) { try memory.write(bytes, at: GuestAddress(2 * page - 30)) }
        #expect(try memory.load(UInt8.self, at: GuestAddress(2 * page - 29)) == 0, "nothing of it was written")
        var pieces: [Int] = []
        try memory.forEachSlice(GuestAddress(page - 30), count: 100) { pieces.append($0.count) }
        #expect(pieces == [30, 70])
    }

    @Test("devices' writes are recorded by page, once tracking starts")
    func dirty() throws {
        let memory = try GuestMemory([
            GuestRegion.Plan(start: GuestAddress(0), size: 100 * page),
            GuestRegion.Plan(start: GuestAddress(1 << 20), size: page),
        ])
        try memory.store(UInt8(1), at: GuestAddress(0))
        #expect(memory.takeDirtyPages(region: 0) == [0, 0])
        memory.startDirtyTracking()
        try memory.store(UInt16(1), at: GuestAddress(page - 1))
        try memory.write([1], at: GuestAddress(99 * page))
        _ = try memory.load(UInt8.self, at: GuestAddress(5 * page))
        let slice = try memory.slice(GuestAddress(10 * page + 5), count: Int(3 * page))
        slice.markWritten(count: Int(page))
        #expect(memory.takeDirtyPages(region: 0) == [0b1100_0000_0011, 1 << 35])
        #expect(memory.takeDirtyPages(region: 0) == [0, 0])
        #expect(memory.takeDirtyPages(region: 1) == [0])
        try memory.discard(GuestAddress(20 * page + 1), count: 3 * page)
        #expect(memory.takeDirtyPages(region: 0) == [0b11 << 21, 0])
        memory.stopDirtyTracking()
        try slice.fill(0, count: 8)
        #expect(memory.takeDirtyPages(region: 0) == [0, 0])
    }

    @Test("of a region of blocks devices reach those that are plugged, and no byte beside them")
    func blocks() throws {
        let block = 2 * page
        let start = 4 * page
        let memory = try GuestMemory([
            GuestRegion.Plan(start: GuestAddress(0), size: 4 * page),
            GuestRegion.Plan(start: GuestAddress(start), size: 4 * block, blockSize: block),
        ])
        #expect(memory.size == 12 * page)
        #expect(memory.usableRanges(region: 0) == [0..<4 * page] && memory.usableRanges(region: 1) == [])
        #expect(!memory.withRegion(0) { $0.isPluggable })
        #expect(memory.withRegion(1) { $0.isPluggable })
        func reaches(_ offset: UInt64, _ count: Int) -> Bool {
            (try? memory.slice(GuestAddress(start + offset), count: count)) != nil
        }
        #expect(!reaches(0, 0) && !reaches(0, 1))
        memory.plug(1..<3, region: 1)
        #expect(memory.usableRanges(region: 1) == [block..<3 * block])
        #expect(reaches(block, Int(2 * block)) && reaches(2 * block - 1, 2) && reaches(3 * block - 1, 1))
        #expect(!reaches(block - 1, 2) && !reaches(3 * block - 1, 2) && !reaches(block, Int(2 * block) + 1))
        #expect(try memory.firstSlice(GuestAddress(start + block + 1), count: .max).count == Int(2 * block) - 1)
        // The copy to what is partly there does nothing, and so does giving it back.
        try memory.write([1, 2], at: GuestAddress(start + 3 * block - 2))
        #expect(throws: GuestMemoryError.self) { try memory.write([3, 4, 5], at: GuestAddress(start + 3 * block - 2)) }
        #expect(throws: GuestMemoryError.self) { try memory.discard(GuestAddress(start + 3 * block), count: block) }
        #expect(try memory.load(UInt16.self, at: GuestAddress(start + 3 * block - 2)) == 0x0201)

        // What goes is gone: its contents, and for who keeps a record of writes.
        memory.startDirtyTracking()
        try memory.unplug(2..<3, region: 1)
        #expect(memory.takeDirtyPages(region: 1) == [0b11_0000])
        #expect(memory.usableRanges(region: 1) == [block..<2 * block] && !reaches(2 * block, 1))
        memory.plug(2..<3, region: 1)
        #expect(try memory.load(UInt16.self, at: GuestAddress(start + 3 * block - 2)) == 0)
        // A view from before stays one of mapped memory.
        let view = try memory.slice(GuestAddress(start + 2 * block), count: 8)
        try memory.unplug(1..<3, region: 1)
        try view.store(UInt64(1), at: 0)
        #expect(memory.usableRanges(region: 1) == [])
    }

    @Test("the pages of blocks that go are the host's again")
    func blocksGiveBack() throws {
        let block: UInt64 = 2 << 20
        let memory = try GuestMemory([GuestRegion.Plan(start: GuestAddress(0), size: 8 * block, blockSize: block)])
        func resident() -> Int {
            memory.withRegion(0) { region in
                var pages = [UInt8](repeating: 0, count: Int(region.size / page))
                #expect(mincore(region.hostAddress, Int(region.size), &pages) == 0)
                return pages.count { $0 & 1 == 1 }
            }
        }
        memory.plug(0..<8, region: 0)
        try memory.slice(GuestAddress(0), count: Int(8 * block)).fill(7, count: Int(8 * block))
        #expect(resident() == 8 * 512)
        try memory.unplug(2..<7, region: 0)
        #expect(resident() == 3 * 512)
        #expect(try memory.load(UInt8.self, at: GuestAddress(7 * block)) == 7)
    }

    @Test("a block is a power of two and a part of its region")
    func badBlocks() throws {
        for (size, block) in [(2 * page, 3 * page), (6 * page, 4 * page), (page, 2 * page), (page, 2048), (page, 0)] {
            #expect(throws: GuestMemoryError.badRegion(GuestAddress(0), size: size)) {
                try GuestMemory([GuestRegion.Plan(start: GuestAddress(0), size: size, blockSize: block)])
            }
        }
    }

    @Test("discarded pages read as zero, and only whole pages go", arguments: [GuestRegion.Backing.anonymous, .shared])
    func discard(_ backing: GuestRegion.Backing) throws {
        let memory = try GuestMemory([GuestRegion.Plan(start: GuestAddress(0), size: 4 * page, backing: backing)])
        for index in 0..<4 { try memory.store(UInt8(7), at: GuestAddress(UInt64(index) * page)) }
        try memory.discard(GuestAddress(1), count: 2 * page)
        let first = try (0..<4).map { try memory.load(UInt8.self, at: GuestAddress(UInt64($0) * page)) }
        #expect(first == [7, 0, 7, 7])
        #expect(throws: GuestMemoryError.self) { try memory.discard(GuestAddress(3 * page), count: 2 * page) }
        #expect(throws: GuestMemoryError.self) { try memory.discard(GuestAddress(page), count: .max) }
    }

    @Test("shared memory is a file that another mapping sees")
    func shared() throws {
        let memory = try GuestMemory([GuestRegion.Plan(start: GuestAddress(0), size: page, backing: .shared)])
        try memory.write(Array("hello".utf8), at: GuestAddress(0))
        let number = memory.withRegion(0) { $0.rawDescriptor ?? -1 }
        var bytes = [UInt8](repeating: 0, count: 5)
        #expect(pread(number, &bytes, 5, 0) == 5)
        #expect(bytes == Array("hello".utf8))
    }

    @Test("a private mapping of a file leaves the file alone and can go back to it")
    func file() throws {
        let file = try Descriptor.open("/tmp", [.temporaryFile, .readWrite], mode: 0o600)
        try file.write([UInt8](repeating: 9, count: Int(2 * page)))
        let memory = try GuestMemory([
            GuestRegion.Plan(
                start: GuestAddress(0), size: page,
                backing: .file(descriptor: file.rawValue, offset: page, isPrivate: true))
        ])
        try memory.store(UInt8(1), at: GuestAddress(0))
        var byte: UInt8 = 0
        #expect(pread(file.rawValue, &byte, 1, off_t(page)) == 1 && byte == 9)
        try memory.discard(GuestAddress(0), count: page)
        #expect(try memory.load(UInt8.self, at: GuestAddress(0)) == 9)
    }

    @Test("memory the host refuses is an error with the kernel's reason")
    func refused() throws {
        #expect {
            try GuestMemory([GuestRegion.Plan(start: GuestAddress(0), size: 1 << 52)])
        } throws: {
            guard case GuestMemoryError.refused(let error) = $0 else { return false }
            return error.errno == .noMemory
        }
        #expect {
            try GuestMemory([
                GuestRegion.Plan(
                    start: GuestAddress(0), size: page, backing: .file(descriptor: -1, offset: 0, isPrivate: true))
            ])
        } throws: {
            guard case GuestMemoryError.refused(let error) = $0 else { return false }
            return error.errno == .badDescriptor
        }
    }

    @Test("what is mapped is unmapped")
    func leaks() async {
        // In a process of its own, where no other test maps anything.
        await #expect(processExitsWith: .success) {
            func mappings() throws -> Int { try readText("/proc/self/maps").split(separator: "\n").count }
            func descriptors() -> Int { (0..<1024).count { fcntl($0, F_GETFD) != -1 } }
            func make() throws {
                _ = try GuestMemory([
                    GuestRegion.Plan(start: GuestAddress(0), size: 4096, backing: .shared),
                    GuestRegion.Plan(start: GuestAddress(1 << 30), size: 4096, isPopulated: true),
                ])
            }
            try make()
            let before = (mappings: try mappings(), descriptors: descriptors())
            for _ in 0..<500 { try make() }
            // The test library maps and opens a few of its own meanwhile; a leak would be a thousand and five hundred.
            #expect(try mappings() < before.mappings + 100)
            #expect(descriptors() < before.descriptors + 25)
        }
    }
}

/// Keeps memory for the length of the process, for a test that looks at a slice alone.
extension GuestMemory {
    fileprivate var kept: GuestMemory {
        _ = Unmanaged.passRetained(self)
        return self
    }
}
