import GuestMemory
import Linux

extension Memory {
    private static let version: UInt32 = 0x564d_4d01

    /// Which blocks are plugged, and how much the guest should have. The blocks' contents are its memory's business.
    public func save() -> [UInt8] {
        var encoder = StateEncoder(version: Memory.version)
        encoder.write(region.start.rawValue)
        encoder.write(region.size)
        encoder.write(region.blockSize)
        encoder.write(requested)
        encoder.write(usable)
        var bits = [UInt8](repeating: 0, count: (plugged.count + 7) / 8)
        for (block, isPlugged) in plugged.enumerated() where isPlugged { bits[block / 8] |= 1 << UInt8(block % 8) }
        encoder.write(bits)
        return encoder.bytes
    }

    /// Plugs what was plugged: afterwards the guest has these blocks, and what is in them is as it was if its memory is.
    public func restore(_ bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: Memory.version)
        let (start, size, blockSize): (UInt64, UInt64, UInt64) = (
            try decoder.read(), try decoder.read(), try decoder.read()
        )
        let (requested, usable): (UInt64, UInt64) = (try decoder.read(), try decoder.read())
        let bits = try decoder.readBlock()
        try decoder.finish()
        guard start == region.start.rawValue, size == region.size, blockSize == region.blockSize else {
            throw .mismatch("a region of \(size) bytes at \(start) in blocks of \(blockSize)")
        }
        guard requested % blockSize == 0, usable % blockSize == 0, requested <= usable, usable <= size else {
            throw .malformed("\(requested) bytes wanted of \(usable)")
        }
        guard bits.count == (plugged.count + 7) / 8 else { throw .malformed("\(bits.count) bytes for the blocks") }
        func isPlugged(_ block: Int) -> Bool { bits[block / 8] >> UInt8(block % 8) & 1 == 1 }
        // Bits past the last block are blocks that are not usable, either.
        guard !(Int(usable / blockSize)..<8 * bits.count).contains(where: isPlugged) else {
            throw .malformed("a block is plugged that may not be")
        }
        do throws(SystemError) {
            try unplugAll()
            for run in (0..<plugged.count).runs(where: isPlugged) { try plug(run) }
        } catch {
            // What can't be had is not there at all. Nothing more can be done where not even that works.
            try? unplugAll()
            throw .refused(error.description)
        }
        (self.requested, self.usable) = (requested, usable)
    }
}

extension Range<Int> {
    /// The pieces of which all numbers are so, from the lowest on, each as long as it can be.
    func runs(where isSo: (Int) -> Bool) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        for number in self where isSo(number) {
            if let last = runs.last, last.upperBound == number {
                runs[runs.count - 1] = last.lowerBound..<number + 1
            } else {
                runs.append(number..<number + 1)
            }
        }
        return runs
    }
}
