import CMachines
import Virtio

/// The checksum of each page of a memory's file, which the state has: by them a restore knows every bit. Each page has its
/// own, so that a diff computes those of the pages that it writes, and of no other.
///
/// They are sums, and no CRC: those took five times as long as all else of a restore where the processor is an emulated
/// one. They are kept for 2 MiB together; where all of those are zeros, nothing is kept.
struct PageChecksums: Hashable, Sendable {
    static let pageSize = Int(BH_PAGE_SIZE)
    /// That of a page of zeros.
    static let ofZeros: UInt64 = 0
    /// Pages whose sums are kept together.
    static let group = 512

    private var groups: [Int: [UInt64]] = [:]

    /// - Parameter page: counted from the file's beginning.
    subscript(page: Int) -> UInt64 { groups[page / Self.group]?[page % Self.group] ?? Self.ofZeros }

    /// The first of some pages in a row that is another than it should be.
    ///
    /// - Parameter found: the sums that they have, all of one group.
    func firstDifference(from page: Int, _ found: [UInt64]) -> Int? {
        let expected = (groups[page / Self.group] ?? Self.zeros)[(page % Self.group)...].prefix(found.count)
        if expected.elementsEqual(found) { return nil }
        return zip(expected, found).enumerated().first { $1.0 != $1.1 }.map { page + $0.offset }
    }

    /// The first of some pages that should not be zeros.
    func firstOfData(in pages: Range<Int>) -> Int? {
        var page = pages.lowerBound
        while page < pages.upperBound {
            let end = min((page / Self.group + 1) * Self.group, pages.upperBound)
            if groups[page / Self.group] != nil, let found = (page..<end).first(where: { self[$0] != Self.ofZeros }) {
                return found
            }
            page = end
        }
        return nil
    }

    /// Takes up whole pages that are written at an offset of the file.
    mutating func update(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
        let first = Int(offset) / Self.pageSize
        for (index, sum) in Self.sums(of: bytes).enumerated() {
            let page = first + index
            groups[page / Self.group, default: Self.zeros][page % Self.group] = sum
        }
    }

    /// Takes up that pages are zeros.
    mutating func clear(_ pages: Range<Int>) {
        for index in groups.keys {
            let all = index * Self.group..<(index + 1) * Self.group
            for page in pages.clamped(to: all) { groups[index]?[page % Self.group] = Self.ofZeros }
        }
        groups = groups.filter { $0.value != Self.zeros }
    }

    /// - Parameter bytes: whole pages.
    static func sums(of bytes: UnsafeRawBufferPointer) -> [UInt64] {
        let count = bytes.count / pageSize
        return [UInt64](unsafeUninitializedCapacity: count) { sums, initialized in
            if let pages = bytes.baseAddress { bh_page_checksums(pages, count, sums.baseAddress!) }
            initialized = count
        }
    }

    private static let zeros = [UInt64](repeating: ofZeros, count: group)
}

extension PageChecksums {
    private static let version: UInt32 = 0x4353_0001

    func encoded() -> [UInt8] {
        var encoder = StateEncoder(version: Self.version)
        encoder.write(groups.keys.sorted()) { encoder, index in
            encoder.write(UInt32(index))
            encoder.write(groups[index]!.withUnsafeBytes { Array($0) })
        }
        return encoder.bytes
    }

    /// - Parameter size: the memory's.
    init(decoding bytes: [UInt8], size: UInt64) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: Self.version)
        let count: UInt32 = try decoder.read()
        let bytesOfGroup = UInt64(Self.group * Self.pageSize)
        var next: UInt64 = 0
        for _ in 0..<count {
            let index: UInt32 = try decoder.read()
            guard index >= next, UInt64(index) * bytesOfGroup < size else {
                throw .malformed("checksums of a place that is not there")
            }
            next = UInt64(index) + 1
            let block = try decoder.readBlock()
            guard block.count == 8 * Self.group else { throw .malformed("\(block.count) bytes of checksums") }
            groups[Int(index)] = block.withUnsafeBytes { bytes in
                (0..<Self.group).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self) }
            }
        }
        try decoder.finish()
    }
}
