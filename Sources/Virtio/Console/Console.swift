import Linux

/// A console, and other channels of bytes between host and guest; virtio 1.2, section 5.3.
public final class Console: Device, @unchecked Sendable {
    /// The characters of a terminal.
    public struct Size: Hashable, Sendable {
        public var columns: UInt16
        public var rows: UInt16

        public init(columns: UInt16, rows: UInt16) {
            self.columns = columns
            self.rows = rows
        }
    }

    public let type = DeviceType.console
    public let offered: Features
    public let queueSizes: [UInt16]
    public let lock = DeviceLock()

    // Guarded by the lock.
    let ports: [ConsolePort]
    var host: DeviceHost?
    var size: Size
    let controlChain = DescriptorChain()
    /// Messages to the driver that wait for its buffers.
    var messages: [ConsoleMessage] = []
    /// Whether the driver has said that it is ready for messages.
    var isDriverReady = false

    /// - Parameters:
    ///   - ports: the first is the console that a driver without several ports knows; 1 to 31.
    ///   - size: the terminal's.
    ///   - queueSize: entries of each queue: a power of two.
    public init(
        _ ports: [ConsolePort], size: Size = Size(columns: 80, rows: 25), queueSize: UInt16 = 128
    ) {
        precondition((1...31).contains(ports.count), "a console has 1 to 31 ports")
        self.ports = ports
        self.size = size
        offered = [Features.Console.size, Features.Console.multiplePorts, Features.Console.emergencyWrite]
        // Two for the first port, two for control, two for each port more; section 5.3.2.
        queueSizes = [queueSize, queueSize, 32, 32] + Array(repeating: queueSize, count: 2 * (ports.count - 1))
    }

    /// Tells the guest that its terminal has another size.
    public func resize(_ size: Size) {
        lock.locked {
            guard size != self.size else { return }
            self.size = size
            guard let host else { return }
            if host.features.contains(Features.Console.multiplePorts) {
                for (index, port) in ports.enumerated() where port.isConsole && port.isReady {
                    post(ConsoleMessage(port: index, .resize, 0))
                }
                host.attempt { () throws(DeviceFault) in try sendMessages(host) }
            }
            host.configurationChanged()
        }
    }
}

/// One channel of a ``Console``, and what it leads to on the host.
public final class ConsolePort: @unchecked Sendable {
    /// What the guest finds it by under `/dev/virtio-ports`; empty for a console.
    public let name: String
    /// Whether the guest may use it as a console, `hvcN`.
    public let isConsole: Bool
    /// Where the guest's input comes from; nil for none.
    let input: Descriptor?
    /// Where the guest's output goes; nil to drop it.
    let output: Descriptor?

    // Guarded by the console's lock.
    let receiveChain = DescriptorChain()
    let transmitChain = DescriptorChain()
    let vectors = VectorList()
    /// How much of the guest's buffer at hand is out already.
    var written = 0
    var hasTransmit = false
    /// The input is watched only while the guest has room for it.
    var isWatchingInput = false
    /// The output is watched only while it is full.
    var isWatchingOutput = false
    var isInputOver = false
    /// The guest's driver knows the port.
    var isReady = false
    /// A program in the guest has the port open.
    var isOpen = false

    /// - Parameters:
    ///   - name: what the guest finds it by; empty for none.
    ///   - isConsole: whether it is a terminal to the guest.
    ///   - input: anything that can be waited for, as a terminal, a pipe or a socket. It becomes non-blocking.
    ///   - output: the same, or a regular file.
    /// - Throws: where the descriptors can't be made non-blocking.
    public init(
        name: String = "", isConsole: Bool = true, input: consuming Descriptor?, output: consuming Descriptor?
    ) throws(SystemError) {
        self.name = name
        self.isConsole = isConsole
        try ConsolePort.makeNonBlocking(input)
        try ConsolePort.makeNonBlocking(output)
        self.input = input
        self.output = output
    }

    func reset() {
        written = 0
        hasTransmit = false
        isReady = false
        isOpen = false
    }
}
