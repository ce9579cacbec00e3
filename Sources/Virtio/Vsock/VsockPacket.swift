import GuestMemory

/// The header of each packet between host and guest; virtio 1.2, section 5.10.6.
struct VsockPacket: Hashable {
    /// `struct virtio_vsock_hdr`.
    static let size = 44
    /// The host's address.
    static let hostCID: UInt64 = 2
    /// The only kind of socket offered: a stream.
    static let stream: UInt16 = 1

    enum Operation: UInt16 {
        case request = 1
        case response = 2
        case reset = 3
        case shutdown = 4
        case data = 5
        case creditUpdate = 6
        case creditRequest = 7
    }

    /// `VIRTIO_VSOCK_SHUTDOWN_*`: what the sender will do no more.
    struct Shutdown: OptionSet, Hashable {
        let rawValue: UInt32
        static let receive = Shutdown(rawValue: 1)
        static let send = Shutdown(rawValue: 2)
    }

    var sourceCID: UInt64
    var targetCID: UInt64
    var sourcePort: UInt32
    var targetPort: UInt32
    /// Bytes of data behind the header.
    var count: UInt32 = 0
    var kind = VsockPacket.stream
    var operation: UInt16
    var flags: UInt32 = 0
    /// How many bytes the sender can hold.
    var bufferSize: UInt32 = 0
    /// How many bytes the sender has taken out of its buffer since the start, modulo 2³².
    var forwarded: UInt32 = 0

    /// Reads a header; nil where there is none.
    init?(_ reader: inout ChainReader) {
        guard reader.count >= VsockPacket.size,
            let source = reader.read(UInt64.self), let target = reader.read(UInt64.self),
            let sourcePort = reader.read(UInt32.self), let targetPort = reader.read(UInt32.self),
            let count = reader.read(UInt32.self), let kind = reader.read(UInt16.self),
            let operation = reader.read(UInt16.self), let flags = reader.read(UInt32.self),
            let bufferSize = reader.read(UInt32.self), let forwarded = reader.read(UInt32.self)
        else { return nil }
        sourceCID = source
        targetCID = target
        self.sourcePort = sourcePort
        self.targetPort = targetPort
        self.count = count
        self.kind = kind
        self.operation = operation
        self.flags = flags
        self.bufferSize = bufferSize
        self.forwarded = forwarded
    }

    /// A packet from the host.
    init(_ operation: Operation, to guest: UInt64, _ ports: VsockPorts) {
        sourceCID = VsockPacket.hostCID
        targetCID = guest
        sourcePort = ports.host
        targetPort = ports.guest
        self.operation = operation.rawValue
    }

    func write(_ writer: inout ChainWriter) {
        writer.write(sourceCID)
        writer.write(targetCID)
        writer.write(sourcePort)
        writer.write(targetPort)
        writer.write(count)
        writer.write(kind)
        writer.write(operation)
        writer.write(flags)
        writer.write(bufferSize)
        writer.write(forwarded)
    }
}

/// By what a connection is known: its port on each side.
struct VsockPorts: Hashable {
    var host: UInt32
    var guest: UInt32
}
