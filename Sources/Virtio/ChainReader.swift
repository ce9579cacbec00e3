import GuestMemory

/// The bytes of a chain that the device reads, from front to back. It never runs into the writable ones.
public struct ChainReader {
    @usableFromInline let chain: DescriptorChain
    @usableFromInline var segment = 0
    @usableFromInline var offset = 0
    /// Bytes not yet read.
    public private(set) var count: Int

    init(_ chain: DescriptorChain) {
        self.chain = chain
        count = chain.readableCount
    }

    /// The next integer, little-endian; nil where too few bytes are left, which then stay unread.
    public mutating func read<Value: GuestInteger>(_ type: Value.Type = Value.self) -> Value? {
        let width = Value.bitWidth / 8
        guard count >= width else { return nil }
        let slice = chain.segments[segment]
        if slice.count - offset >= width, let value = try? slice.load(type, at: offset) {
            advance(width)
            return value
        }
        // The value lies across two buffers: the driver may cut them anywhere.
        var value: Value = 0
        for index in 0..<width {
            guard let byte = read(UInt8.self) else { return nil }
            value |= Value(truncatingIfNeeded: byte) << Value(truncatingIfNeeded: index * 8)
        }
        return value
    }

    /// The next bytes, `count` at the most.
    public mutating func read(upTo limit: Int) -> [UInt8] {
        let wanted = min(max(limit, 0), count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(wanted)
        while bytes.count < wanted {
            guard let slice = take(upTo: wanted - bytes.count), let piece = try? slice.bytes(count: slice.count) else {
                break
            }
            bytes += piece
        }
        return bytes
    }

    /// Copies the next bytes out, as many as fit.
    ///
    /// - Returns: how many.
    @discardableResult
    public mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var done = 0
        while done < buffer.count, let slice = take(upTo: buffer.count - done) {
            let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + slice.count])
            guard unsafe (try? slice.copy(to: target)) != nil else { break }
            done += slice.count
        }
        return done
    }

    /// Skips bytes.
    public mutating func skip(_ bytes: Int) {
        var left = bytes
        while left > 0, let slice = take(upTo: left) { left -= slice.count }
    }

    /// The next piece, `limit` bytes at the most; nil when all is read.
    public mutating func take(upTo limit: Int) -> GuestSlice? {
        guard count > 0, limit > 0, segment < chain.readableSegments else { return nil }
        let slice = chain.segments[segment]
        let length = min(limit, slice.count - offset, count)
        guard let piece = try? slice.slice(at: offset, count: length) else { return nil }
        advance(length)
        return piece
    }

    /// Leaves the last bytes out: what is behind them belongs to another part of the request.
    public mutating func limit(to bytes: Int) { count = min(count, max(bytes, 0)) }

    private mutating func advance(_ bytes: Int) {
        offset += bytes
        count -= bytes
        if offset == chain.segments[segment].count {
            segment += 1
            offset = 0
        }
    }
}
