#if arch(x86_64)
    import Glibc
    import GuestMemory
    import KVM
    import Linux

    /// A guest's memory as a file: its regions one behind the other, each as long as it is. Pages of zeros are holes where
    /// the file system has holes.
    struct MemoryImage {
        private let memory: GuestMemory
        private let file: ReplacementFile
        /// What the file has.
        private(set) var checksums: PageChecksums

        private static let pageSize = 4096
        /// Looked at for zeros in one piece.
        private static let block = 64 << 10
        /// Written at once, at the most.
        private static let run = 4 << 20

        /// - Parameter checksums: what the file has before.
        init(_ memory: GuestMemory, to file: ReplacementFile, _ checksums: PageChecksums) {
            self.memory = memory
            self.file = file
            self.checksums = checksums
        }

        /// All of it.
        mutating func writeAll() throws(SystemError) {
            checksums = PageChecksums()
            try file.setSize(memory.size)
            try forEachRegion { (image, region, offset, _) throws(SystemError) in
                try image.writeRuns(region, offset, unit: Self.block) { block, _ in
                    // Each byte is its neighbour, and the first is zero.
                    block.first != 0 || memcmp(block.baseAddress!, block.baseAddress! + 1, block.count - 1) != 0
                }
            }
        }

        /// These pages of each region; the file has others already, or holes.
        mutating func write(_ pages: [PageBitmap]) throws(SystemError) {
            try forEachRegion { (image, region, offset, index) throws(SystemError) in
                try image.writeRuns(region, offset, unit: Self.pageSize) { _, place in
                    pages[index][place / Self.pageSize]
                }
            }
        }

        private mutating func forEachRegion(
            _ body: (inout MemoryImage, UnsafeRawBufferPointer, UInt64, Int) throws(SystemError) -> Void
        ) throws(SystemError) {
            var offset: UInt64 = 0
            for index in 0..<memory.regionCount {
                let bytes = memory.withRegion(index) {
                    UnsafeRawBufferPointer(start: $0.hostAddress, count: Int($0.size))
                }
                try body(&self, bytes, offset, index)
                offset += UInt64(bytes.count)
            }
        }

        /// Writes neighbours together.
        private mutating func writeRuns(
            _ region: UnsafeRawBufferPointer, _ offset: UInt64, unit: Int,
            _ isWanted: (UnsafeRawBufferPointer, Int) -> Bool
        ) throws(SystemError) {
            var begin = 0
            func flush(_ end: Int) throws(SystemError) {
                guard end > begin else { return }
                let run = UnsafeRawBufferPointer(rebasing: region[begin..<end])
                try file.write(run, at: offset + UInt64(begin))
                checksums.update(run, at: offset + UInt64(begin))
            }
            var place = 0
            while place < region.count {
                let end = min(place + unit, region.count)
                if !isWanted(UnsafeRawBufferPointer(rebasing: region[place..<end]), place) {
                    try flush(place)
                    begin = end
                } else if end - begin >= Self.run {
                    try flush(end)
                    begin = end
                }
                place = end
            }
            try flush(region.count)
        }
    }

    /// Which pages of a machine's memory were written.
    enum WrittenPages {
        /// Adds those of the hypervisor's log and of the devices' own, which both begin anew.
        static func collect(
            into pages: inout [PageBitmap], _ memory: GuestMemory, _ vm: borrowing VirtualMachine
        ) throws(SystemError) {
            makeRoom(in: &pages, memory)
            for index in pages.indices {
                for (word, bits) in memory.takeDirtyPages(region: index).enumerated() {
                    pages[index].words[word] |= bits
                }
                var log = PageBitmap(pages: pages[index].count)
                try vm.readDirtyLog(slot: UInt32(index), into: &log)
                for (word, bits) in log.words.enumerated() { pages[index].words[word] |= bits }
            }
        }

        private static func makeRoom(in pages: inout [PageBitmap], _ memory: GuestMemory) {
            for index in pages.count..<memory.regionCount {
                pages.append(memory.withRegion(index) { PageBitmap(pages: Int($0.size / 4096)) })
            }
        }

        /// Adds those that are this process's own, which none is that was not written since the machine began: all pages
        /// where the host does not say.
        static func collectOwn(into pages: inout [PageBitmap], _ memory: GuestMemory) {
            makeRoom(in: &pages, memory)
            let table = try? Descriptor.open("/proc/self/pagemap", .readOnly)
            for index in pages.indices {
                let start = memory.withRegion(index) { UInt(bitPattern: $0.hostAddress) }
                switch table {
                case .some(let table) where read(table, start, &pages[index]): break
                default: pages[index].words = pages[index].words.map { _ in .max }
                }
            }
        }

        /// The kernel's `Documentation/admin-guide/mm/pagemap.rst`.
        private static func read(_ table: borrowing Descriptor, _ start: UInt, _ pages: inout PageBitmap) -> Bool {
            let (present, swapped, ofFile): (UInt64, UInt64, UInt64) = (1 << 63, 1 << 62, 1 << 61)
            let number = table.rawValue
            var entries = [UInt64](repeating: 0, count: 8192)
            var page = 0
            while page < pages.count {
                let count = min(entries.count, pages.count - page)
                let bytes = entries.withUnsafeMutableBytes {
                    pread(number, $0.baseAddress, 8 * count, off_t(8 * (Int(start / 4096) + page)))
                }
                guard bytes == 8 * count else { return false }
                for index in 0..<count where entries[index] & (present | swapped) != 0 {
                    if entries[index] & ofFile == 0 { pages[page + index] = true }
                }
                page += count
            }
            return true
        }
    }
#endif
