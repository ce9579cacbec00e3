import GuestMemory
import Linux

extension Balloon {
    private static let timerToken: UInt32 = 0
    /// The most page numbers in one buffer: drivers send 256.
    private static let mostNumbers = 16384

    public func start(_ host: DeviceHost) throws(DeviceFault) {
        self.host = host
        // Queues are numbered without gaps: one that was not agreed on makes the next ones come earlier, as every
        // driver has it.
        roles = [.inflate, .deflate]
        if host.features.contains(Features.Balloon.statistics) { roles.append(.statistics) }
        if host.features.contains(Features.Balloon.freePageHint) { roles.append(.hinting) }
        if host.features.contains(Features.Balloon.reporting) { roles.append(.reporting) }
        try watch(host)
    }

    private func watch(_ host: DeviceHost) throws(DeviceFault) {
        try host.watch(timer.descriptor, for: .readable, token: Balloon.timerToken)
        setTimer()
    }

    public func queueReady(_ index: Int) throws(DeviceFault) {
        guard let host, index < roles.count else { return }
        let queue = host.queues[index]
        switch roles[index] {
        case .inflate:
            try serve(queue, host) { () throws(DeviceFault) in
                counted.inflations += 1
                try inflate(queue, host)
            }
        // A page that the guest takes back is there again when it is touched.
        case .deflate: try serve(queue, host) { () throws(DeviceFault) in counted.deflations += 1 }
        case .statistics: try takeStatistics(queue, host)
        case .hinting: try serve(queue, host) { () throws(DeviceFault) in try takeHint(queue, host) }
        case .reporting:
            try serve(queue, host) { () throws(DeviceFault) in
                counted.reports += 1
                let (bytes, failures) = giveUp(host)
                counted.reportedBytes += bytes
                counted.failedReports += failures
            }
        }
    }

    public func eventReady(_ token: UInt32, _ readiness: Readiness) throws(DeviceFault) {
        guard let host else { return }
        timer.acknowledge()
        try returnStatistics(host)
    }

    public func pause() {
        guard let host else { return }
        host.unwatch(timer.descriptor)
        timer.set(after: 0)
        if hasStatisticsChain, let index = roles.firstIndex(of: .statistics) {
            host.queues[index].giveBack(statisticsChain)
            hasStatisticsChain = false
        }
    }

    public func resume() throws(DeviceFault) {
        guard let host else { return }
        try watch(host)
        for index in roles.indices { try queueReady(index) }
    }

    public func stop() {
        host = nil
        roles = []
        actualPages = 0
        hasStatisticsChain = false
        latest = nil
        hostCommand = Balloon.stopCommand
        guestCommand = Balloon.stopCommand
        hasGuestCommand = false
        hinting = .idle
    }

    /// Takes the buffers of a queue one by one, and gives each back at once.
    private func serve(
        _ queue: Virtqueue, _ host: DeviceHost, _ body: () throws(DeviceFault) -> Void
    ) throws(DeviceFault) {
        var isMore = true
        var left = 64
        while isMore {
            try queue.mute()
            while left > 0, try queue.take(chain) {
                left -= 1
                try body()
                try queue.finish(chain, written: 0)
            }
            if left == 0 {
                try queue.kickAgain()
                break
            }
            isMore = try queue.unmute()
        }
        try host.signal(queue)
    }

    /// Gives the pages back to the host whose numbers the guest wrote, neighbours together.
    private func inflate(_ queue: Virtqueue, _ host: DeviceHost) throws(DeviceFault) {
        guard chain.readableCount <= 4 * Balloon.mostNumbers else {
            throw .request(queue: queue.index, "more than \(Balloon.mostNumbers) pages in one buffer")
        }
        var reader = chain.reader
        var run: (first: UInt64, count: UInt64) = (0, 0)
        while let number = reader.read(UInt32.self) {
            let page = UInt64(number)
            // Drivers name pages upwards or downwards.
            if run.count > 0, page == run.first + run.count {
                run.count += 1
            } else if run.count > 0, page + 1 == run.first {
                run = (page, run.count + 1)
            } else {
                discard(run.first, run.count, host)
                run = (page, 1)
            }
        }
        discard(run.first, run.count, host)
    }

    /// What is not guest memory, or can't be given back, stays: the guest only wanted to be kind.
    private func discard(_ first: UInt64, _ count: UInt64, _ host: DeviceHost) {
        guard count > 0 else { return }
        let bytes = count * Balloon.pageSize
        if (try? host.memory.discard(GuestAddress(first * Balloon.pageSize), count: bytes)) != nil {
            discarded += bytes
        }
    }

    /// Gives the pages back to the host that a buffer consists of.
    ///
    /// - Returns: how many bytes they are, and how many pieces the host did not take.
    private func giveUp(_ host: DeviceHost) -> (bytes: UInt64, failures: UInt64) {
        var (bytes, failures): (UInt64, UInt64) = (0, 0)
        for segment in chain.segments[chain.readableSegments...] {
            if (try? host.memory.discard(segment)) != nil { bytes += UInt64(segment.count) } else { failures += 1 }
        }
        discarded += bytes
        return (bytes, failures)
    }

    /// A readable buffer says to which search the next ones belong; a writable one is free pages; section 5.5.6.5.
    private func takeHint(_ queue: Virtqueue, _ host: DeviceHost) throws(DeviceFault) {
        if chain.readableCount > 0 {
            var reader = chain.reader
            guard let command = reader.read(UInt32.self) else {
                throw .request(queue: queue.index, "a number of a search that is none")
            }
            guestCommand = command
            hasGuestCommand = true
            if command == Balloon.stopCommand {
                if hinting == .running {
                    hinting = .finished
                    if acknowledgesEnd { endHinting() }
                }
            } else if command == hostCommand, hinting == .requested {
                hinting = .running
            }
        }
        // Pages of a search that was given up may be in use again.
        if chain.writableCount > 0, hinting == .running, guestCommand == hostCommand {
            counted.hints += 1
            let (bytes, failures) = giveUp(host)
            counted.hintedBytes += bytes
            counted.failedHints += failures
        }
    }

    // MARK: - Statistics

    /// Reads new statistics, and keeps the buffer until others are wanted; section 5.5.6.3.
    private func takeStatistics(_ queue: Virtqueue, _ host: DeviceHost) throws(DeviceFault) {
        for _ in 0..<16 {
            guard try queue.take(chain) else { break }
            var reader = chain.reader
            latest = BalloonStatistics(&reader)
            counted.statistics += 1
            // A driver has one such buffer; of a second the first goes back.
            if hasStatisticsChain { try queue.finish(statisticsChain, written: 0) }
            swap(&chain, &statisticsChain)
            hasStatisticsChain = true
        }
        try host.signal(queue)
    }

    /// A buffer given back is the question for new statistics.
    func returnStatistics(_ host: DeviceHost) throws(DeviceFault) {
        guard hasStatisticsChain, let index = roles.firstIndex(of: .statistics) else { return }
        hasStatisticsChain = false
        try host.queues[index].finish(statisticsChain, written: 0)
        try host.signal(host.queues[index])
        _ = try host.queues[index].unmute()
    }
}
