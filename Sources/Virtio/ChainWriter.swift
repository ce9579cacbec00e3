import GuestMemory

/// The bytes of a chain that the device writes, from front to back. It never touches the readable ones.
public struct ChainWriter {
    @usableFromInline let chain: DescriptorChain
    @usableFromInline var segment: Int
    @usableFromInline var offset = 0
    /// Bytes not yet written.
    public private(set) var count: Int
    /// Bytes written.
    public private(set) var written = 0

    init(_ chain: DescriptorChain) {
        self.chain = chain
        segment = chain.readableSegments
        count = chain.writableCount
    }

    /// Writes an integer, little-endian.
    ///
    /// - Returns: false where too little room is left; nothing is written then.
    @discardableResult
    public mutating func write<Value: GuestInteger>(_ value: Value) -> Bool {
        let width = Value.bitWidth / 8
        guard count >= width else { return false }
        let slice = chain.segments[segment]
        if slice.count - offset >= width, (try? slice.store(value, at: offset)) != nil {
            advance(width)
            return true
        }
        for index in 0..<width {
            guard write(UInt8(truncatingIfNeeded: value >> Value(truncatingIfNeeded: index * 8))) else { return false }
        }
        return true
    }

    /// Copies bytes in, as many as there is room for.
    ///
    /// - Returns: how many.
    @discardableResult
    public mutating func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        var done = 0
        while done < bytes.count, let slice = take(upTo: bytes.count - done) {
            let source = unsafe UnsafeRawBufferPointer(rebasing: bytes[done..<done + slice.count])
            guard unsafe (try? slice.write(source)) != nil else { break }
            done += slice.count
        }
        return done
    }

    /// Copies bytes in, as many as there is room for.
    @discardableResult
    public mutating func write(_ bytes: [UInt8]) -> Int {
        unsafe bytes.withUnsafeBytes { unsafe write($0) }
    }

    /// The next piece, `limit` bytes at the most, for the caller to fill; nil when there is no room left.
    public mutating func take(upTo limit: Int) -> GuestSlice? {
        guard count > 0, limit > 0, segment < chain.segments.count else { return nil }
        let slice = chain.segments[segment]
        let length = min(limit, slice.count - offset, count)
        guard let piece = try? slice.slice(at: offset, count: length) else { return nil }
        advance(length)
        return piece
    }

    /// Skips bytes, which stay as they are.
    public mutating func skip(_ bytes: Int) {
        var left = bytes
        while left > 0, let slice = take(upTo: left) { left -= slice.count }
    }

    /// Leaves the last bytes out.
    public mutating func limit(to bytes: Int) { count = min(count, max(bytes, 0)) }

    private mutating func advance(_ bytes: Int) {
        offset += bytes
        count -= bytes
        written += bytes
        if offset == chain.segments[segment].count {
            segment += 1
            offset = 0
        }
    }
}
