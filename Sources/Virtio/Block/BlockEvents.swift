import CLinux
import GuestMemory
import Linux

extension Block {
    private static let throttleToken: UInt32 = 0
    private static let engineToken: UInt32 = 1
    /// Requests of one queue in a row before others have their turn: a driver that looks by itself could add them for
    /// ever.
    static let budget = 256
    /// Bytes of one queue in a row: some milliseconds' work.
    static let byteBudget = 16 << 20
    /// What a flush counts in bytes.
    private static let flushCost = 1 << 20

    /// The kinds of request; section 5.2.6.
    private enum Operation {
        static let read: UInt32 = 0
        static let write: UInt32 = 1
        static let flush: UInt32 = 4
        static let identify: UInt32 = 8
        static let discard: UInt32 = 11
        static let writeZeroes: UInt32 = 13
    }

    enum Status: UInt8 {
        case ok = 0
        case ioError = 1
        case unsupported = 2
    }

    public func start(_ host: DeviceHost) throws(DeviceFault) {
        self.host = host
        // Without FLUSH the driver has no way to ask for durability, so it always gets it; section 5.2.6.2.
        if !host.features.contains(Features.Block.flush) { isWriteBack = false }
        try watch(host)
    }

    public func queueReady(_ index: Int) throws(DeviceFault) {
        readyQueues |= 1 << UInt64(index)
        counted.notifications += 1
        try serve()
    }

    public func eventReady(_ token: UInt32, _ readiness: Readiness) throws(DeviceFault) {
        if token == Block.throttleToken {
            throttle.wake()
            counted.throttleEvents += 1
            // Any queue may have waited.
            readyQueues = .max
        }
        try serve()
    }

    public func pause() {
        if let request = large, let host {
            // Nothing was taken after it, and what is done of it can be done again.
            large = nil
            host.queues[request.queue].giveBack(request.chain)
            throttle.giveBack(bytes: cost(request))
            free.append(request)
        }
        drain()
        if let host {
            throttle.unwatch(host)
            engine.unwatch(host)
        }
    }

    public func resume() throws(DeviceFault) {
        guard let host else { return }
        try watch(host)
        readyQueues = .max
        try serve()
    }

    public func stop() {
        host = nil
        readyQueues = 0
        isWriteBack = options.isWriteBack
    }

    private func watch(_ host: DeviceHost) throws(DeviceFault) {
        try throttle.watch(host, token: Block.throttleToken)
        try engine.watch(host, token: Block.engineToken)
    }

    /// Waits for everything under way.
    func drain() {
        // A fault here is one of a driver that is about to be reset, paused or asked for a reset anyway.
        while large != nil { try? goOn() }
        while engine.inFlight > 0 {
            try? reap()
            if engine.inFlight > 0 { engine.wait() }
        }
        if let host { for queue in host.queues { try? host.signal(queue) } }
    }

    private func serve() throws(DeviceFault) {
        guard let host else { return }
        try reap()
        try goOn()
        for queue in host.queues where readyQueues & (1 << UInt64(queue.index)) != 0 {
            if throttle.isWaiting || large != nil { break }
            readyQueues &= ~(1 << UInt64(queue.index))
            try serve(queue, host)
        }
        engine.commit()
        // What was in the host's cache is done by now.
        try reap()
        for queue in host.queues { try host.signal(queue) }
    }

    private func serve(_ queue: Virtqueue, _ host: DeviceHost) throws(DeviceFault) {
        var isMore = true
        var left = Block.budget
        bytesLeft = Block.byteBudget
        anticipation.beginTurn()
        while isMore {
            try queue.mute()
            while left > 0, bytesLeft > 0, large == nil {
                let request = takeRequest()
                guard try queue.take(request.chain) else {
                    free.append(request)
                    break
                }
                left -= 1
                request.queue = Int(queue.index)
                guard throttle.admits(bytes: cost(request)) else {
                    counted.throttles += 1
                    queue.giveBack(request.chain)
                    free.append(request)
                    // The timer goes on, not the driver.
                    readyQueues |= 1 << UInt64(queue.index)
                    return
                }
                try execute(request)
            }
            engine.commit()
            guard left > 0, bytesLeft > 0, large == nil else { return try queue.kickAgain() }
            try reap()
            if engine.inFlight == 0, try anticipation.finds({ () throws(DeviceFault) in try queue.hasNext() }) {
                continue
            }
            isMore = try host.signalAndUnmute(queue)
            if isMore { anticipation.beginTurn() }
        }
        if left == Block.budget { counted.missingRequests += 1 }
    }

    /// Bytes of a request that count: without its header and its status.
    private func cost(_ request: BlockRequest) -> Int {
        request.chain.readableCount + request.chain.writableCount - 17
    }

    private func takeRequest() -> BlockRequest {
        if let request = free.popLast() { return request }
        let request = BlockRequest(slot: requests.count)
        requests.append(request)
        return request
    }

    private func execute(_ request: BlockRequest) throws(DeviceFault) {
        var reader = request.chain.reader
        guard let operation = reader.read(UInt32.self), reader.read(UInt32.self) != nil,
            let sector = reader.read(UInt64.self), request.chain.writableCount > 0
        else {
            throw .request(queue: UInt16(request.queue), "a request without its header or a place for its status")
        }
        var writer = request.chain.writer
        writer.limit(to: writer.count - 1)
        request.vectors.clear()
        request.hasKind =
            operation == Operation.read || operation == Operation.write || operation == Operation.flush
        switch operation {
        case Operation.read:
            request.kind = .read
            guard place(request, sector, writer.count) else { return try answer(request, .ioError, 0) }
            guard !isLarge(request) else { return }
            while let slice = writer.take(upTo: .max) { request.vectors.append(slice) }
            try submit(request)
        case Operation.write:
            request.kind = .write
            guard !disk.isReadOnly, place(request, sector, reader.count) else {
                return try answer(request, .ioError, 0)
            }
            guard !isLarge(request) else { return }
            while let slice = reader.take(upTo: .max) { request.vectors.append(slice) }
            try submit(request)
        case Operation.flush:
            request.kind = .flush
            request.count = 0
            bytesLeft -= Block.flushCost
            try submit(request)
        case Operation.identify:
            var serial = Array(options.serial.utf8.prefix(20))
            serial += [UInt8](repeating: 0, count: 20 - serial.count)
            let isWhole = writer.write(serial) == 20
            try answer(request, isWhole ? .ok : .ioError, isWhole ? 20 : 0)
        case Operation.discard where isAgreed(Features.Block.discard):
            try answer(request, ranges(&reader, isDiscard: true), 0)
        case Operation.writeZeroes where isAgreed(Features.Block.writeZeroes):
            try answer(request, ranges(&reader, isDiscard: false), 0)
        default: try answer(request, .unsupported, 0)
        }
    }

    private func isAgreed(_ feature: Features) -> Bool { host?.features.contains(feature) ?? false }

    /// Checks where on the disk a request goes.
    private func place(_ request: BlockRequest, _ sector: UInt64, _ count: Int) -> Bool {
        let sectors = UInt64(count) / RawDisk.sectorSize
        guard UInt64(count) % RawDisk.sectorSize == 0, sectors <= disk.sectors, sector <= disk.sectors - sectors else {
            return false
        }
        request.offset = sector * RawDisk.sectorSize
        request.count = count
        request.isDurable = !isWriteBack
        return true
    }

    /// Leaves a request to other turns that is too much for one.
    private func isLarge(_ request: BlockRequest) -> Bool {
        guard request.count > step else {
            bytesLeft -= request.count
            return false
        }
        request.later = request.count
        request.count = 0
        large = request
        return true
    }

    /// Does the next part of the large request, if there is one.
    private func goOn() throws(DeviceFault) {
        guard let request = large, let host else { return }
        request.takeStep(of: step)
        let isDone = (try? request.finishNow(disk.descriptor.rawValue)) != nil
        if isDone && request.later > 0 { return try host.queues[request.queue].kickAgain() }
        large = nil
        try answer(request, isDone ? .ok : .ioError, isDone ? request.chain.writableCount - 1 : 0)
    }

    private func submit(_ request: BlockRequest) throws(DeviceFault) {
        switch engine.submit(request, disk.descriptor.rawValue) {
        case nil: break
        case .done: try answer(request, .ok, request.chain.writableCount - 1)
        case .failed: try answer(request, .ioError, 0)
        }
    }

    private func reap() throws(DeviceFault) {
        var fault: DeviceFault?
        let file = disk.descriptor.rawValue
        engine.reap { slot, result in
            let request = requests[slot]
            var status = Status.ok
            // ECANCELED: the thread that submitted it has ended, as one may that only resumed the device.
            let isToRepeat = result == -EAGAIN || result == -EINTR || result == -ECANCELED
            if result < 0 && !isToRepeat {
                status = .ioError
            } else {
                request.advance(Int(max(0, result)))
                // The kernel may do a part only, or ask to be asked again.
                if result < 0 || request.count > 0 {
                    if (try? request.finishNow(file)) == nil { status = .ioError }
                }
            }
            do throws(DeviceFault) {
                try answer(request, status, status == .ok ? request.chain.writableCount - 1 : 0)
            } catch { fault = error }
        }
        if let fault { throw fault }
    }

    /// Gives a request back.
    ///
    /// - Parameter count: bytes before the status that were written.
    private func answer(_ request: BlockRequest, _ status: Status, _ count: Int) throws(DeviceFault) {
        defer { free.append(request) }
        self.count(request, status)
        guard let host, let last = request.chain.segments.last else { return }
        try? last.store(status.rawValue, at: last.count - 1)
        if count > 0 {
            for segment in request.chain.segments[request.chain.readableSegments...] {
                segment.markWritten(count: segment.count)
            }
        }
        // The length counts from the buffer's start: what lies behind a gap is not in it.
        let isWithoutGap = count == request.chain.writableCount - 1
        try host.queues[request.queue].finish(request.chain, written: isWithoutGap ? count + 1 : count)
    }

    /// Discards or zeroes each range of a request; section 5.2.6.
    private func ranges(_ reader: inout ChainReader, isDiscard: Bool) -> Status {
        guard !disk.isReadOnly, reader.count > 0, reader.count % 16 == 0,
            reader.count / 16 <= Int(isDiscard ? Block.discardSegments : 1)
        else { return .ioError }
        while let sector = reader.read(UInt64.self), let count = reader.read(UInt32.self),
            let flags = reader.read(UInt32.self)
        {
            // Bit 0 is UNMAP, which a discard must not set; the others are reserved.
            guard flags & ~(isDiscard ? 0 : 1) == 0 else { return .unsupported }
            let most = isDiscard ? Block.discardSectors : Block.zeroSectors
            guard count <= most, UInt64(count) <= disk.sectors, sector <= disk.sectors - UInt64(count) else {
                return .ioError
            }
            if count == 0 { continue }
            bytesLeft -= Int(count) * Int(RawDisk.sectorSize)
            let (offset, length) = (sector * RawDisk.sectorSize, UInt64(count) * RawDisk.sectorSize)
            do throws(SystemError) {
                if isDiscard || flags & 1 != 0 {
                    do throws(SystemError) { try disk.punch(offset, length) } catch {
                        // A discard is a hint: a file system without holes ignores it. Zeroing is none.
                        guard error.errno == .notSupported else { throw error }
                        if !isDiscard { try disk.zero(offset, length) }
                    }
                } else {
                    try disk.zero(offset, length)
                }
                if !isWriteBack { try disk.flush() }
            } catch { return .ioError }
        }
        return .ok
    }
}
