import CLinux
import CVirtio
import GuestMemory
import Linux

extension Console {
    public func start(_ host: DeviceHost) throws(DeviceFault) { self.host = host }

    public func queueReady(_ index: Int) throws(DeviceFault) {
        guard let host else { return }
        switch index {
        case 2: try sendMessages(host)
        case 3: try receiveMessages(host)
        default:
            let port = index < 2 ? 0 : index / 2 - 1
            if index % 2 == 0 {
                try receive(port, host)
            } else {
                try transmit(port, host)
            }
        }
    }

    public func eventReady(_ token: UInt32, _ readiness: Readiness) throws(DeviceFault) {
        guard let host, Int(token / 2) < ports.count else { return }
        if token % 2 == 0 {
            try receive(Int(token / 2), host)
        } else {
            try transmit(Int(token / 2), host)
        }
    }

    public func pause() {
        guard let host else { return }
        for (index, port) in ports.enumerated() {
            port.setInputWatched(false, host, 0)
            port.setOutputWatched(false, host, 0)
            if port.hasTransmit {
                // What is out already is not said twice: the buffer counts as used.
                if port.written > 0 {
                    try? queues(index, host).transmit.finish(port.transmitChain, written: 0)
                    try? host.signal(queues(index, host).transmit)
                } else {
                    queues(index, host).transmit.giveBack(port.transmitChain)
                }
                port.hasTransmit = false
                port.written = 0
            }
        }
    }

    public func resume() throws(DeviceFault) {
        guard let host else { return }
        for index in ports.indices {
            try receive(index, host)
            try transmit(index, host)
        }
        try sendMessages(host)
        try receiveMessages(host)
    }

    public func stop() {
        host = nil
        messages = []
        isDriverReady = false
        for port in ports { port.reset() }
    }

    func queues(_ port: Int, _ host: DeviceHost) -> (receive: Virtqueue, transmit: Virtqueue) {
        let first = port == 0 ? 0 : 2 * port + 2
        return (host.queues[first], host.queues[first + 1])
    }

    private func hasPorts(_ host: DeviceHost) -> Bool { host.features.contains(Features.Console.multiplePorts) }

    // MARK: - To the guest

    /// Reads input into the guest's buffers: as much as one buffer at a time, so that what a person types is there at
    /// once.
    func receive(_ index: Int, _ host: DeviceHost) throws(DeviceFault) {
        let port = ports[index]
        let queue = queues(index, host).receive
        // With several ports nothing is sent to one that nobody has open; section 5.3.6.
        guard queue.isRunning, !port.isInputOver, !hasPorts(host) || port.isOpen else {
            return port.setInputWatched(false, host, 0)
        }
        for _ in 0..<64 {
            guard try queue.take(port.receiveChain) else {
                guard try queue.unmute() else {
                    // Without room the input waits where it is.
                    port.setInputWatched(false, host, 0)
                    return try host.signal(queue)
                }
                continue
            }
            guard port.receiveChain.readableCount == 0 else {
                throw .request(queue: queue.index, "an input buffer with bytes of its own")
            }
            let count = read(port)
            if count > 0 {
                try queue.finish(port.receiveChain, written: count)
                continue
            }
            queue.giveBack(port.receiveChain)
            try queue.mute()
            try host.signal(queue)
            if count < 0 {
                port.setInputWatched(true, host, UInt32(2 * index))
            } else {
                port.setInputWatched(false, host, 0)
                port.isInputOver = true
            }
            return
        }
        try host.signal(queue)
        // Still readable, so the watch brings the next turn.
        port.setInputWatched(true, host, UInt32(2 * index))
    }

    /// - Returns: the bytes read; 0 at the input's end, below 0 where there is nothing now.
    private func read(_ port: ConsolePort) -> Int {
        guard port.hasInput, port.receiveChain.writableCount > 0 else { return port.hasInput ? -1 : 0 }
        port.vectors.clear()
        for segment in port.receiveChain.segments { port.vectors.append(segment) }
        let count = port.readInput()
        if count > 0 {
            var left = count
            for segment in port.receiveChain.segments where left > 0 {
                segment.markWritten(count: left)
                left -= segment.count
            }
        }
        if count < 0 && Errno.current != .wouldBlock && Errno.current != .interrupted { return 0 }
        return count
    }

    // MARK: - From the guest

    func transmit(_ index: Int, _ host: DeviceHost) throws(DeviceFault) {
        let port = ports[index]
        let queue = queues(index, host).transmit
        guard queue.isRunning else { return }
        var isMore = true
        var left = 256
        while isMore {
            try queue.mute()
            while left > 0 {
                if !port.hasTransmit {
                    guard try queue.take(port.transmitChain) else { break }
                    guard port.transmitChain.writableCount == 0 else {
                        throw .request(queue: queue.index, "output with room for an answer")
                    }
                    port.hasTransmit = true
                    port.written = 0
                }
                guard port.writeOutput() else {
                    port.setOutputWatched(true, host, UInt32(2 * index + 1))
                    return try host.signal(queue)
                }
                port.setOutputWatched(false, host, 0)
                port.hasTransmit = false
                port.written = 0
                left -= 1
                try queue.finish(port.transmitChain, written: 0)
            }
            if left == 0 {
                try queue.kickAgain()
                break
            }
            isMore = try queue.unmute()
        }
        try host.signal(queue)
    }
}

extension ConsolePort {
    static func makeNonBlocking(_ descriptor: borrowing Descriptor?) throws(SystemError) {
        switch descriptor {
        case .some(let descriptor):
            let number = descriptor.rawValue
            try systemCall("make descriptor \(number) non-blocking") { bh_set_nonblocking(number) }
        case nil: break
        }
    }

    var hasInput: Bool { input != nil }

    func readInput() -> Int {
        switch input {
        case .some(let input): unsafe readv(input.rawValue, vectors.start, vectors.callCount)
        case nil: 0
        }
    }

    /// Writes what is left of the guest's buffer.
    ///
    /// - Returns: false where the output is full.
    func writeOutput() -> Bool {
        switch output {
        case nil: return true
        case .some(let output):
            vectors.clear()
            for segment in transmitChain.segments { vectors.append(segment) }
            vectors.advance(written)
            while written < transmitChain.readableCount {
                let count = unsafe bh_write_quietly(output.rawValue, vectors.start, vectors.callCount)
                if count > 0 {
                    written += count
                    vectors.advance(count)
                } else if count < 0 && Errno.current == .wouldBlock {
                    return false
                } else if count == 0 || Errno.current != .interrupted {
                    // An output that is gone swallows what comes: a guest does not stop for its console.
                    return true
                }
            }
            return true
        }
    }

    func setInputWatched(_ wanted: Bool, _ host: DeviceHost, _ token: UInt32) {
        guard wanted != isWatchingInput else { return }
        switch input {
        case .some(let input):
            if wanted {
                // A regular file can't be watched; it has been read to its end by then.
                isWatchingInput = (try? host.watch(input, for: .readable, token: token)) != nil
            } else {
                host.unwatch(input)
                isWatchingInput = false
            }
        case nil: break
        }
    }

    func setOutputWatched(_ wanted: Bool, _ host: DeviceHost, _ token: UInt32) {
        guard wanted != isWatchingOutput else { return }
        switch output {
        case .some(let output):
            if wanted {
                isWatchingOutput = (try? host.watch(output, for: .writable, token: token)) != nil
            } else {
                host.unwatch(output)
                isWatchingOutput = false
            }
        case nil: break
        }
    }
}
