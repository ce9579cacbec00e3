import CVirtio
import GuestMemory
import Linux

/// One request of the driver, from the ring to its answer. Made once, used again and again.
final class BlockRequest {
    enum Kind { case read, write, flush }

    /// Bytes before the data: kind, priority and sector; section 5.2.6.
    static let headerSize = 16

    /// The request's place in its device's pool, by which a completion finds it.
    let slot: Int
    let chain = DescriptorChain()
    @safe @exclusivity(unchecked) var queue = 0
    @safe @exclusivity(unchecked) var kind = Kind.flush
    /// Whether it is of one of these kinds; else the device answers it by itself.
    @safe @exclusivity(unchecked) var hasKind = false
    /// Where on the disk: bytes.
    @safe @exclusivity(unchecked) var offset: UInt64 = 0
    /// How much: bytes.
    @safe @exclusivity(unchecked) var count = 0
    /// How much besides, for other turns: bytes.
    @safe @exclusivity(unchecked) var later = 0
    /// Whether the data has to be on the medium before the answer.
    @safe @exclusivity(unchecked) var isDurable = false

    let vectors = VectorList()

    init(slot: Int) { self.slot = slot }

    /// Counts bytes as transferred.
    func advance(_ bytes: Int) {
        offset += UInt64(bytes)
        count -= bytes
        vectors.advance(bytes)
    }

    /// Makes the next bytes of what was left for later what is to be done now.
    func takeStep(of most: Int) {
        let done = max(0, (kind == .read ? chain.writableCount - 1 : chain.readableCount) - later)
        count = min(later, most)
        later -= count
        vectors.clear()
        var left = count
        if kind == .read {
            var writer = chain.writer
            writer.skip(done)
            while left > 0, let slice = writer.take(upTo: left) {
                vectors.append(slice)
                left -= slice.count
            }
        } else {
            var reader = chain.reader
            reader.skip(done)
            while left > 0, let slice = reader.take(upTo: left) {
                vectors.append(slice)
                left -= slice.count
            }
        }
    }

    /// Does all that is left of the request's part, now.
    ///
    /// - Throws: `EIO` where the file ends before the request does.
    func finishNow(_ file: CInt) throws(SystemError) {
        switch kind {
        case .flush: try systemCall("flush the disk") { fdatasync(file) }
        case .read:
            while count > 0 {
                let got = try systemCall("read the disk") {
                    unsafe preadv(file, vectors.start, vectors.callCount, off_t(offset))
                }
                // The file became shorter than the disk it was.
                guard got > 0 else { throw SystemError("read the disk", .ioError) }
                advance(got)
            }
        case .write:
            let flags = isDurable ? CInt(BH_RWF_DSYNC) : 0
            while count > 0 {
                let put = try systemCall("write the disk") {
                    unsafe pwritev2(file, vectors.start, vectors.callCount, off_t(offset), flags)
                }
                guard put > 0 else { throw SystemError("write the disk", .ioError) }
                advance(put)
            }
        }
    }
}
