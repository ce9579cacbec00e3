import GuestMemory
import Linux

extension Memory {
    /// Requests in a row before others have their turn.
    static let budget = 64

    private static let requestSize = 24
    private static let answerSize = 10

    /// `VIRTIO_MEM_REQ_*`; section 5.15.6.
    private enum Request: UInt16 {
        case plug, unplug, unplugAll, state
    }

    /// `VIRTIO_MEM_RESP_*`.
    private enum Answer: UInt16 {
        case done, notNow, busy, error
    }

    /// `VIRTIO_MEM_STATE_*`.
    private enum BlockState: UInt16 {
        case plugged, unplugged, mixed
    }

    public func start(_ host: DeviceHost) throws(DeviceFault) { self.host = host }

    public func queueReady(_ index: Int) throws(DeviceFault) {
        guard let host else { return }
        counted.notifications += 1
        let queue = host.queues[0]
        var isMore = true
        var left = Memory.budget
        while isMore {
            try queue.mute()
            while left > 0, try queue.take(chain) {
                left -= 1
                try serve(queue)
            }
            guard left > 0 else {
                try queue.kickAgain()
                break
            }
            isMore = try host.signalAndUnmute(queue)
        }
        try host.signal(queue)
    }

    /// No request is in its hands between two events.
    public func pause() {}

    /// The loop looks at the queue anew.
    public func resume() throws(DeviceFault) {}

    /// The guest keeps what it has: a reset of the device takes nothing; section 5.15.5.
    public func stop() { host = nil }

    private func serve(_ queue: Virtqueue) throws(DeviceFault) {
        guard chain.readableCount >= Memory.requestSize, chain.writableCount >= Memory.answerSize else {
            throw .request(
                queue: queue.index,
                "\(chain.readableCount) bytes for a request and \(chain.writableCount) for its answer")
        }
        var reader = chain.reader
        let kind: UInt16? = reader.read()
        reader.skip(6)
        let (address, count): (UInt64?, UInt16?) = (reader.read(), reader.read())
        var state = BlockState.plugged
        let answer: Answer =
            switch kind.flatMap(Request.init) {
            case .plug: plug(address, count)
            case .unplug: unplug(address, count)
            case .unplugAll: unplugAllRequested()
            case .state: look(address, count, &state)
            case nil: .error
            }
        // How much is plugged is in the configuration space, and true before the answer is there.
        host?.configurationFollowed()
        var writer = chain.writer
        writer.write(answer.rawValue)
        for _ in 0..<3 { writer.write(UInt16(0)) }
        writer.write(answer == .done ? state.rawValue : 0)
        try queue.finish(chain, written: Memory.answerSize)
    }

    /// The blocks that a request is about; nil where it may not be about them.
    private func range(_ address: UInt64?, _ count: UInt16?) -> Range<Int>? {
        guard let address, let count, count > 0, address >= region.start.rawValue else { return nil }
        let offset = address - region.start.rawValue
        let bytes = UInt64(count) * region.blockSize
        guard offset % region.blockSize == 0, offset < usable, bytes <= usable - offset else { return nil }
        let first = Int(offset / region.blockSize)
        return first..<first + Int(count)
    }

    // MARK: - Requests

    private func plug(_ address: UInt64?, _ count: UInt16?) -> Answer {
        counted.plugs += 1
        let answer = tryToPlug(address, count)
        if answer != .done { counted.failedPlugs += 1 }
        return answer
    }

    private func tryToPlug(_ address: UInt64?, _ count: UInt16?) -> Answer {
        guard let range = range(address, count), !plugged[range].contains(true) else { return .error }
        // The host changed its mind meanwhile, and the driver is going to hear of that.
        guard UInt64(range.count) * region.blockSize + pluggedBytes <= requested else { return .notNow }
        do throws(SystemError) { try plug(range) } catch { return .busy }
        counted.pluggedBytes += UInt64(range.count) * region.blockSize
        return .done
    }

    private func unplug(_ address: UInt64?, _ count: UInt16?) -> Answer {
        counted.unplugs += 1
        guard let range = range(address, count), !plugged[range].contains(false) else {
            counted.failedUnplugs += 1
            return .error
        }
        do throws(SystemError) { try unplug(range) } catch {
            counted.failedUnplugs += 1
            return .busy
        }
        counted.unpluggedBytes += UInt64(range.count) * region.blockSize
        return .done
    }

    private func unplugAllRequested() -> Answer {
        counted.unplugAlls += 1
        let before = pluggedBytes
        defer { counted.unpluggedBytes += before - pluggedBytes }
        do throws(SystemError) { try unplugAll() } catch {
            counted.failedUnplugAlls += 1
            return .busy
        }
        usable = usableSize(requested)
        return .done
    }

    private func look(_ address: UInt64?, _ count: UInt16?, _ state: inout BlockState) -> Answer {
        counted.questions += 1
        guard let range = range(address, count) else {
            counted.failedQuestions += 1
            return .error
        }
        let isPlugged = plugged[range]
        state = !isPlugged.contains(false) ? .plugged : isPlugged.contains(true) ? .mixed : .unplugged
        return .done
    }

    // MARK: - Blocks

    /// - Precondition: none of them is plugged.
    func plug(_ range: Range<Int>) throws(SystemError) {
        try blocks.plug(range)
        plugged.replaceSubrange(range, with: repeatElement(true, count: range.count))
        pluggedCount += range.count
    }

    /// - Precondition: all of them are plugged.
    func unplug(_ range: Range<Int>) throws(SystemError) {
        if try !blocks.unplug(range) { counted.failedDiscards += 1 }
        plugged.replaceSubrange(range, with: repeatElement(false, count: range.count))
        pluggedCount -= range.count
    }

    func unplugAll() throws(SystemError) {
        guard pluggedCount > 0 else { return }
        for run in (0..<plugged.count).runs(where: { plugged[$0] }) { try unplug(run) }
    }
}
