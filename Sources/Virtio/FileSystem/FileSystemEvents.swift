import GuestMemory
import Linux

extension FileSystem {
    /// Requests of one queue in a row before others have their turn.
    static let budget = 64
    /// Bytes of one queue in a row.
    static let byteBudget = 16 << 20
    /// What a WRITE has before its data: `struct fuse_write_in`.
    private static let writeArguments = 40

    public func start(_ host: DeviceHost) throws(DeviceFault) { self.host = host }

    public func queueReady(_ index: Int) throws(DeviceFault) {
        readyQueues |= 1 << UInt64(index)
        try serve()
    }

    /// Nothing is under way between two requests.
    public func pause() {}

    /// What came meanwhile is left to the loop: another thread may have no right to files.
    public func resume() throws(DeviceFault) {
        guard let host else { return }
        for queue in host.queues { try queue.kickAgain() }
    }

    public func stop() {
        host = nil
        readyQueues = 0
        server.reset()
    }

    private func serve() throws(DeviceFault) {
        guard let host else { return }
        for queue in host.queues where readyQueues & (1 << UInt64(queue.index)) != 0 {
            readyQueues &= ~(1 << UInt64(queue.index))
            try serve(queue, host)
        }
    }

    private func serve(_ queue: Virtqueue, _ host: DeviceHost) throws(DeviceFault) {
        var isMore = true
        var (left, bytesLeft) = (FileSystem.budget, FileSystem.byteBudget)
        while isMore {
            try queue.mute()
            while left > 0, bytesLeft > 0, try queue.take(chain) {
                left -= 1
                bytesLeft -= chain.readableCount + chain.writableCount
                try queue.finish(chain, written: try execute(queue.index))
            }
            guard left > 0, bytesLeft > 0 else {
                try queue.kickAgain()
                break
            }
            isMore = try host.signalAndUnmute(queue)
        }
        try host.signal(queue)
    }

    /// Hands the chain to the server, and writes the answer into it.
    ///
    /// - Returns: how many bytes were written.
    private func execute(_ queue: UInt16) throws(DeviceFault) -> Int {
        var reader = chain.reader
        guard let header = FUSEHeader(&reader) else { throw .request(queue: queue, "a request without its header") }
        let isAnswered = FUSEOperation(rawValue: header.operation)?.isAnswered ?? true
        guard !isAnswered || chain.writableCount >= FUSEHeader.answerSize else {
            throw .request(queue: queue, "a request without room for its answer")
        }
        message.header = header
        message.room = max(0, chain.writableCount - FUSEHeader.answerSize)
        switch fill(&reader) ? server.handle(message) : .failed(.invalidArgument) {
        case .silent: return 0
        case .failed(let error): return isAnswered ? answer(-error.rawValue, direct: 0) : 0
        case .done(let direct): return answer(0, direct: direct)
        }
    }

    /// Takes over what follows the header.
    ///
    /// - Returns: false where the lengths are not true.
    private func fill(_ reader: inout ChainReader) -> Bool {
        let length = Int(message.header.length) - FUSEHeader.size
        guard length >= 0, length <= reader.count else { return false }
        reader.limit(to: length)
        let isWrite = message.header.operation == FUSEOperation.write.rawValue
        let count = isWrite ? min(length, FileSystem.writeArguments) : length
        guard count <= FUSEArguments.capacity else { return false }
        unsafe message.arguments.fill(count) { unsafe reader.read(into: $0) }
        message.data.clear()
        message.dataCount = 0
        if isWrite {
            message.dataCount = reader.count
            while let slice = reader.take(upTo: .max) { message.data.append(slice) }
        } else if message.header.operation == FUSEOperation.read.rawValue {
            var writer = chain.writer
            writer.skip(FUSEHeader.answerSize)
            message.dataCount = writer.count
            while let slice = writer.take(upTo: .max) { message.data.append(slice) }
        }
        return true
    }

    /// - Parameter direct: bytes behind the header that are in their place already.
    private func answer(_ error: CInt, direct: Int) -> Int {
        let count = FUSEHeader.answerSize + (error == 0 ? direct + message.reply.count : 0)
        var writer = chain.writer
        writer.write(UInt32(count))
        writer.write(UInt32(bitPattern: error))
        writer.write(message.header.unique)
        guard error == 0 else { return count }
        // What the kernel wrote is not yet known to be changed.
        var left = direct
        while left > 0, let slice = writer.take(upTo: left) {
            slice.markWritten(count: slice.count)
            left -= slice.count
        }
        unsafe writer.write(message.reply.bytes)
        return count
    }
}

extension FUSEHeader {
    /// - Returns: nil where the chain ends before the header does.
    fileprivate init?(_ reader: inout ChainReader) {
        guard reader.count >= FUSEHeader.size else { return nil }
        length = reader.read() ?? 0
        operation = reader.read() ?? 0
        unique = reader.read() ?? 0
        node = reader.read() ?? 0
        user = reader.read() ?? 0
        group = reader.read() ?? 0
        // The process, and how much of the request is extensions that were not agreed on.
        reader.skip(8)
    }
}
