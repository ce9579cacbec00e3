import GuestMemory

/// A message between device and driver about one port; virtio 1.2, section 5.3.6.2.
struct ConsoleMessage: Hashable {
    enum Event: UInt16 {
        case deviceReady = 0
        case deviceAdd = 1
        case deviceRemove = 2
        case portReady = 3
        case consolePort = 4
        case resize = 5
        case portOpen = 6
        case portName = 7
    }

    var port: Int
    var event: Event
    var value: UInt16
    /// What follows the message: a name, or a size.
    var tail: [UInt8]

    init(port: Int, _ event: Event, _ value: UInt16, tail: [UInt8] = []) {
        self.port = port
        self.event = event
        self.value = value
        self.tail = tail
    }
}

extension Console {
    /// A driver that takes no messages does not make the device keep more than these.
    private static let mostMessages = 256
    /// The driver's messages in a row before others have their turn.
    static let messageBudget = 16

    func post(_ message: ConsoleMessage) {
        if messages.count < Console.mostMessages { messages.append(message) }
    }

    func sendMessages(_ host: DeviceHost) throws(DeviceFault) {
        let queue = host.queues[2]
        while !messages.isEmpty {
            guard try queue.take(controlChain) else {
                if try queue.unmute() { continue }
                break
            }
            let message = messages.removeFirst()
            var writer = controlChain.writer
            let tail = message.event == .resize ? [] : message.tail
            guard controlChain.readableCount == 0, writer.count >= 8 + tail.count else {
                throw .request(queue: 2, "a buffer that has no room for a message")
            }
            writer.write(UInt32(message.port))
            writer.write(message.event.rawValue)
            writer.write(message.value)
            writer.write(tail)
            if message.event == .resize, writer.count >= 4 {
                // The size as it is now, not as it was when the message was made.
                writer.write(size.columns)
                writer.write(size.rows)
            }
            try queue.finish(controlChain, written: writer.written)
        }
        try host.signal(queue)
    }

    func receiveMessages(_ host: DeviceHost) throws(DeviceFault) {
        let queue = host.queues[3]
        var isMore = true
        var left = Console.messageBudget
        while isMore {
            try queue.mute()
            while left > 0, try queue.take(controlChain) {
                left -= 1
                var reader = controlChain.reader
                let (port, event, value) = (
                    reader.read(UInt32.self), reader.read(UInt16.self), reader.read(UInt16.self)
                )
                try queue.finish(controlChain, written: 0)
                // Unknown messages are ignored, as are those that are none.
                if let port, let value, let event = event.flatMap(ConsoleMessage.Event.init) {
                    try handle(port, event, value, host)
                }
            }
            guard left > 0 else {
                try queue.kickAgain()
                break
            }
            isMore = try queue.unmute()
        }
        try host.signal(queue)
        try sendMessages(host)
    }

    private func handle(
        _ number: UInt32, _ event: ConsoleMessage.Event, _ value: UInt16, _ host: DeviceHost
    ) throws(DeviceFault) {
        guard host.features.contains(Features.Console.multiplePorts) else { return }
        if event == .deviceReady {
            // A port is added once, however often the driver says that it is ready.
            guard value == 1, !isDriverReady else { return }
            isDriverReady = true
            for index in ports.indices { post(ConsoleMessage(port: index, .deviceAdd, 1)) }
            return
        }
        guard let index = Int(exactly: number), index < ports.count else { return }
        let port = ports[index]
        switch event {
        case .portReady:
            guard value == 1 else { return }
            port.isReady = true
            if port.isConsole {
                post(ConsoleMessage(port: index, .consolePort, 1))
                post(ConsoleMessage(port: index, .resize, 0))
            }
            if !port.name.isEmpty {
                post(ConsoleMessage(port: index, .portName, 1, tail: Array(port.name.utf8)))
            }
            // The host's side is always open.
            post(ConsoleMessage(port: index, .portOpen, 1))
        case .portOpen:
            port.isOpen = value == 1
            try receive(index, host)
        default: break
        }
    }
}
