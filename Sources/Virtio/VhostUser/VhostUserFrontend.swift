import GuestMemory
import Linux

/// A connection to a vhost-user backend: a process that works on a virtio device's queues in the guest's memory. The
/// protocol is that of QEMU's `docs/interop/vhost-user`.
///
/// Whatever the backend does, a call here returns within the time that was given; and a connection on which it did not
/// answer, or answered wrongly, is given up for good.
public final class VhostUserFrontend: @unchecked Sendable {
    /// What the backend offers of its device and its queues.
    public let features: Features
    /// How many queues it has.
    public let queueCount: Int

    /// Nanoseconds that it took to agree with it.
    public let setUpTime: UInt64

    /// Pieces of memory that a backend knows at the most.
    public static let mostRegions = 8
    /// Nanoseconds that a backend has for all that it is asked at once, by default.
    public static let defaultTimeout: UInt64 = 5_000_000_000
    /// Bytes of the configuration space of a disk.
    static let configurationSize = 60

    private let channel: VhostUserChannel
    private let timeout: UInt64
    /// Whether the backend answers requests that have no answer of their own.
    private let acknowledges: Bool
    private let lock = DeviceLock()
    // Guarded by the lock.
    private var space: [UInt8]
    private var failure: VhostUserError?
    private var isTaken = false

    /// Bits of the protocol's own among the features: `VHOST_USER_F_PROTOCOL_FEATURES`.
    private static let protocolFeatures = Features(bit: 30)

    /// `VHOST_USER_PROTOCOL_F_*`
    private enum ProtocolBit {
        static let multiQueue: UInt64 = 1 << 0
        static let acknowledge: UInt64 = 1 << 3
        static let configuration: UInt64 = 1 << 9
        static let known = multiQueue | acknowledge | configuration
    }

    /// Connects to the socket at a path, and agrees with who listens there.
    ///
    /// - Parameters:
    ///   - path: up to 107 bytes.
    ///   - timeout: nanoseconds for each call here.
    public convenience init(connectingTo path: String, timeout: UInt64 = defaultTimeout) throws(VhostUserError) {
        let socket: Descriptor
        // Otherwise it would wait for one who does not accept.
        do throws(SystemError) { socket = try UnixSocket.connect(to: path, nonBlocking: true) } catch {
            throw VhostUserError(nil, .refused(error))
        }
        try self.init(socket, timeout: timeout)
    }

    /// Takes a connected stream socket, and agrees with who is at its other end.
    public init(_ socket: consuming Descriptor, timeout: UInt64 = defaultTimeout) throws(VhostUserError) {
        let made: VhostUserChannel
        do throws(SystemError) { made = try VhostUserChannel(socket) } catch {
            throw VhostUserError(nil, .refused(error))
        }
        let begin = Timer.now
        let talk = VhostUserTalk(channel: made, deadline: begin + timeout, acknowledges: false)
        try talk.tell(.setOwner)
        let features = Features(rawValue: try talk.ask(.getFeatures))
        guard features.contains(Self.protocolFeatures) else {
            throw VhostUserError(nil, .lacking("the backend can't tell its configuration"))
        }
        let agreed = try talk.ask(.getProtocolFeatures) & ProtocolBit.known
        guard agreed & ProtocolBit.configuration != 0 else {
            throw VhostUserError(nil, .lacking("the backend can't tell its configuration"))
        }
        guard features.contains(.version1) else {
            throw VhostUserError(nil, .lacking("the backend does not keep to virtio 1"))
        }
        try talk.tell(.setProtocolFeatures, littleEndian(agreed))
        queueCount =
            agreed & ProtocolBit.multiQueue == 0 ? 1 : Int(clamping: try talk.ask(.getQueueCount))
        space = try talk.configuration()
        channel = made
        setUpTime = Timer.now - begin
        self.features = features.subtracting(Self.protocolFeatures)
        self.timeout = timeout
        acknowledges = agreed & ProtocolBit.acknowledge != 0
    }

    /// The backend's configuration space as it was read last.
    public var configuration: [UInt8] { lock.locked { space } }

    /// Reads it again.
    public func refreshConfiguration() throws(VhostUserError) {
        try turn { (talk) throws(VhostUserError) in space = try talk.configuration() }
    }

    /// For one device alone.
    ///
    /// - Returns: false where another has it.
    func take() -> Bool {
        lock.locked {
            defer { isTaken = true }
            return !isTaken
        }
    }

    func giveBack() { lock.locked { isTaken = false } }

    /// Lends the socket, to be watched for its end.
    func withSocket<Result: ~Copyable, Failure: Error>(
        _ body: (borrowing Descriptor) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(channel.socket)
    }

    // MARK: - Queues

    /// A queue as the backend is told of it.
    struct Queue {
        let index: UInt32
        let setup: Virtqueue.Setup
        /// The next entry to take.
        let base: UInt32
        let kick: CInt
    }

    /// Shows the backend the guest's memory, and lets it work on queues.
    ///
    /// - Parameter call: what the backend writes to where the driver is to be interrupted.
    func begin(
        _ features: Features, _ memory: GuestMemory, _ queues: [Queue], call: CInt
    ) throws(VhostUserError) {
        try turn { (talk) throws(VhostUserError) in
            try talk.tell(.setFeatures, littleEndian(features.union(Self.protocolFeatures).rawValue))
            try show(memory, talk)
            for queue in queues {
                let index = queue.index
                try talk.tell(.setQueueSize, littleEndian(index, UInt32(queue.setup.size)))
                try talk.tell(.setQueueBase, littleEndian(index, queue.base))
                try talk.tell(
                    .setQueueAddresses,
                    littleEndian(index, UInt32(0)) + littleEndian(Self.name(queue.setup.descriptorArea))
                        + littleEndian(Self.name(queue.setup.deviceArea), Self.name(queue.setup.driverArea), UInt64(0)))
                try talk.tell(.setQueueCall, littleEndian(UInt64(index)), [call])
                try talk.tell(.setQueueKick, littleEndian(UInt64(index)), [queue.kick])
                try talk.tell(.enableQueue, littleEndian(index, UInt32(1)))
            }
            // One that does not acknowledge has seen all of it when it answers this.
            if !acknowledges { _ = try talk.ask(.getFeatures) }
        }
    }

    /// Takes queues out of the backend's hands.
    ///
    /// - Returns: for each the next entry that it would have taken.
    func end(_ queues: [UInt32]) throws(VhostUserError) -> [UInt32] {
        try turn { (talk) throws(VhostUserError) in
            var bases: [UInt32] = []
            for index in queues {
                try talk.send(.getQueueBase, littleEndian(index, UInt32(0)))
                let answer = try talk.answer(.getQueueBase, count: 8)
                guard answer.littleEndian(0, as: UInt32.self) == index else {
                    throw VhostUserError(.getQueueBase, .answer("the answer is of another queue"))
                }
                bases.append(answer.littleEndian(4))
            }
            return bases
        }
    }

    private func show(_ memory: GuestMemory, _ talk: VhostUserTalk) throws(VhostUserError) {
        let count = memory.regionCount
        guard count <= Self.mostRegions else {
            throw VhostUserError(.setMemory, .lacking("\(count) pieces of memory are more than \(Self.mostRegions)"))
        }
        var table = littleEndian(UInt32(count), UInt32(0))
        var files: [CInt] = []
        for index in 0..<count {
            try memory.withRegion(index) { (region: borrowing GuestRegion) throws(VhostUserError) in
                guard let file = region.rawDescriptor else {
                    throw VhostUserError(.setMemory, .lacking("the guest's memory can't be shared"))
                }
                table += littleEndian(region.start.rawValue, region.size, Self.name(region.start), UInt64(0))
                files.append(file)
            }
        }
        try talk.tell(.setMemory, table, files)
    }

    /// The protocol names places in the guest's memory by where the frontend has them in its own. Any names do as long as
    /// the backend can tell them apart, and these say nothing of this process.
    private static func name(_ address: GuestAddress) -> UInt64 { address.rawValue + 1 << 44 }

    // MARK: - Turns

    /// Runs what is asked at once. A connection on which that goes wrong is over.
    private func turn<Result>(
        _ body: (VhostUserTalk) throws(VhostUserError) -> Result
    ) throws(VhostUserError) -> Result {
        try lock.locked { () throws(VhostUserError) in
            if let failure { throw failure }
            do throws(VhostUserError) {
                return try body(
                    VhostUserTalk(channel: channel, deadline: Timer.now + timeout, acknowledges: acknowledges))
            } catch {
                if error.endsConnection {
                    failure = error
                    channel.shut()
                }
                throw error
            }
        }
    }
}

extension VhostUserFrontend: Hashable {
    public static func == (left: VhostUserFrontend, right: VhostUserFrontend) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
