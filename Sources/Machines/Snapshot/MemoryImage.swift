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
            try forEachRegion { (image, region, offset, index) throws(SystemError) in
                let ranges = image.memory.usableRanges(region: index)
                try image.writeRuns(region, ranges, offset, unit: Self.block) { block, _ in
                    // Each byte is its neighbour, and the first is zero.
                    block.first != 0 || memcmp(block.baseAddress!, block.baseAddress! + 1, block.count - 1) != 0
                }
            }
        }

        /// These pages of each region; the file has others already, or holes. Where the guest has no memory are zeros.
        mutating func write(_ pages: [PageBitmap]) throws(SystemError) {
            try forEachRegion { (image, region, offset, index) throws(SystemError) in
                let ranges = image.memory.usableRanges(region: index)
                try image.writeRuns(region, ranges, offset, unit: Self.pageSize) { _, place in
                    pages[index][place / Self.pageSize]
                }
                var end: UInt64 = 0
                for range in ranges + [UInt64(region.count)..<UInt64(region.count)] {
                    try image.clear(offset + end..<offset + range.lowerBound)
                    end = range.upperBound
                }
            }
        }

        /// Makes a hole, where the file has anything but zeros.
        private mutating func clear(_ range: Range<UInt64>) throws(SystemError) {
            let size = UInt64(Self.pageSize)
            let pages = Int(range.lowerBound / size)..<Int(range.upperBound / size)
            guard checksums.firstOfData(in: pages) != nil else { return }
            try file.clear(range)
            checksums.clear(pages)
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

        private mutating func writeRuns(
            _ region: UnsafeRawBufferPointer, _ ranges: [Range<UInt64>], _ offset: UInt64, unit: Int,
            _ isWanted: (UnsafeRawBufferPointer, Int) -> Bool
        ) throws(SystemError) {
            for range in ranges {
                try writeRuns(
                    region, Int(range.lowerBound)..<Int(range.upperBound), offset, unit: unit, isWanted)
            }
        }

        /// Writes neighbours together.
        private mutating func writeRuns(
            _ region: UnsafeRawBufferPointer, _ range: Range<Int>, _ offset: UInt64, unit: Int,
            _ isWanted: (UnsafeRawBufferPointer, Int) -> Bool
        ) throws(SystemError) {
            var begin = range.lowerBound
            func flush(_ end: Int) throws(SystemError) {
                guard end > begin else { return }
                let run = UnsafeRawBufferPointer(rebasing: region[begin..<end])
                try file.write(run, at: offset + UInt64(begin))
                checksums.update(run, at: offset + UInt64(begin))
            }
            var place = begin
            while place < range.upperBound {
                let end = min(place + unit, range.upperBound)
                if !isWanted(UnsafeRawBufferPointer(rebasing: region[place..<end]), place) {
                    try flush(place)
                    begin = end
                } else if end - begin >= Self.run {
                    try flush(end)
                    begin = end
                }
                place = end
            }
            try flush(range.upperBound)
        }
    }

    /// Which pages of a machine's memory were written.
    enum WrittenPages {
        /// Adds those of the hypervisor's log and of the devices' own, which both begin anew.
        ///
        /// - Parameter pluggable: the blocks of hot-plug memory. What the guest wrote in a slot that is gone is in no log:
        ///   with the slot went what was written.
        static func collect(
            into pages: inout [PageBitmap], _ memory: GuestMemory, _ pluggable: PluggableMemory?,
            _ vm: borrowing VirtualMachine
        ) throws(SystemError) {
            makeRoom(in: &pages, memory)
            for index in pages.indices {
                for (word, bits) in memory.takeDirtyPages(region: index).enumerated() {
                    pages[index].words[word] |= bits
                }
                let all = [(slot: UInt32(index), firstPage: 0, pages: pages[index].count)]
                for (slot, first, count) in index == pluggable?.region ? pluggable?.shown ?? [] : all {
                    var log = PageBitmap(pages: count)
                    try vm.readDirtyLog(slot: slot, into: &log)
                    for (word, bits) in log.words.enumerated() { pages[index].words[first / 64 + word] |= bits }
                }
            }
        }

        private static func makeRoom(in pages: inout [PageBitmap], _ memory: GuestMemory) {
            for index in pages.count..<memory.regionCount {
                pages.append(memory.withRegion(index) { PageBitmap(pages: Int($0.size / 4096)) })
            }
        }

        /// Adds those that are this process's own, which none is that was not written since the machine began: all pages
        /// where the host does not say, and where other processes may have written.
        static func collectOwn(into pages: inout [PageBitmap], _ memory: GuestMemory) {
            makeRoom(in: &pages, memory)
            let table = memory.isShared ? nil : try? Descriptor.open("/proc/self/pagemap", .readOnly)
            for index in pages.indices {
                let start = memory.withRegion(index) { UInt(bitPattern: $0.hostAddress) }
                for range in memory.usableRanges(region: index) {
                    let range = Int(range.lowerBound / 4096)..<Int(range.upperBound / 4096)
                    switch table {
                    case .some(let table) where read(table, start, range, &pages[index]): break
                    default: for page in range { pages[index][page] = true }
                    }
                }
            }
        }

        /// The kernel's `Documentation/admin-guide/mm/pagemap.rst`.
        private static func read(
            _ table: borrowing Descriptor, _ start: UInt, _ range: Range<Int>, _ pages: inout PageBitmap
        ) -> Bool {
            let (present, swapped, ofFile): (UInt64, UInt64, UInt64) = (1 << 63, 1 << 62, 1 << 61)
            let number = table.rawValue
            var entries = [UInt64](repeating: 0, count: 8192)
            var page = range.lowerBound
            while page < range.upperBound {
                let count = min(entries.count, range.upperBound - page)
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
