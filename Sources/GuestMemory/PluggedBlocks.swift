import CGuestMemory

/// Which blocks of a region are there for the guest: a bit for each.
///
/// It lives beside the region, as ``DirtyPages`` does. The bits guard nothing but themselves: the region's pages stay
/// mapped whatever they say, so a view that was handed out before a block went may still be used.
@usableFromInline
@safe
struct PluggedBlocks {
    /// Bytes of a block: so many times two.
    @usableFromInline let shift: UInt64
    @usableFromInline let count: Int
    @usableFromInline let bits: UnsafeMutablePointer<UInt64>

    /// None is there at first.
    ///
    /// - Parameters:
    ///   - size: bytes of the region, whole blocks.
    ///   - blockSize: a power of two.
    init(size: UInt64, blockSize: UInt64) {
        shift = UInt64(blockSize.trailingZeroBitCount)
        count = Int(size >> shift)
        let words = (count + 63) / 64
        unsafe bits = .allocate(capacity: words)
        unsafe bits.initialize(repeating: 0, count: words)
    }

    @usableFromInline
    func isPlugged(_ block: Int) -> Bool { unsafe bh_load_64(bits + block / 64) >> UInt64(block % 64) & 1 == 1 }

    func set(_ blocks: Range<Int>, _ isPlugged: Bool) {
        precondition(blocks.lowerBound >= 0 && blocks.upperBound <= count, "there are \(count) blocks")
        for block in blocks {
            let word = unsafe bits + block / 64
            let bit = UInt64(1) << UInt64(block % 64)
            unsafe _ = isPlugged ? bh_fetch_or_64(word, bit) : bh_fetch_and_64(word, ~bit)
        }
    }

    /// How many of the bytes from `offset` on lie in blocks that are there, without a gap; `limit` at the most, which
    /// does not pass the region's end. nil where not even the first is.
    @usableFromInline
    func room(_ offset: UInt64, _ limit: UInt64) -> UInt64? {
        var block = Int(offset >> shift)
        guard isPlugged(block) else { return nil }
        var end = UInt64(block + 1) << shift
        while end - offset < limit {
            block += 1
            guard isPlugged(block) else { return end - offset }
            end += 1 << shift
        }
        return limit
    }

    /// Offsets of the bytes that are there.
    var ranges: [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        var first: Int?
        for block in 0...count {
            let isPlugged = block < count && isPlugged(block)
            if isPlugged, first == nil { first = block }
            if !isPlugged, let begin = first {
                ranges.append(UInt64(begin) << shift..<UInt64(block) << shift)
                first = nil
            }
        }
        return ranges
    }
}
