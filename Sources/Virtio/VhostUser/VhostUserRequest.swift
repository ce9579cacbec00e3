/// What a frontend asks of a vhost-user backend; QEMU's `docs/interop/vhost-user`, section "Front-end message types". The
/// names of rings and queues are this module's.
public struct VhostUserRequest: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `VHOST_USER_GET_FEATURES`
    public static let getFeatures = VhostUserRequest(rawValue: 1)
    /// `VHOST_USER_SET_FEATURES`
    public static let setFeatures = VhostUserRequest(rawValue: 2)
    /// `VHOST_USER_SET_OWNER`
    public static let setOwner = VhostUserRequest(rawValue: 3)
    /// `VHOST_USER_SET_MEM_TABLE`
    public static let setMemory = VhostUserRequest(rawValue: 5)
    /// `VHOST_USER_SET_VRING_NUM`
    public static let setQueueSize = VhostUserRequest(rawValue: 8)
    /// `VHOST_USER_SET_VRING_ADDR`
    public static let setQueueAddresses = VhostUserRequest(rawValue: 9)
    /// `VHOST_USER_SET_VRING_BASE`
    public static let setQueueBase = VhostUserRequest(rawValue: 10)
    /// `VHOST_USER_GET_VRING_BASE`: it stops the queue, too.
    public static let getQueueBase = VhostUserRequest(rawValue: 11)
    /// `VHOST_USER_SET_VRING_KICK`
    public static let setQueueKick = VhostUserRequest(rawValue: 12)
    /// `VHOST_USER_SET_VRING_CALL`
    public static let setQueueCall = VhostUserRequest(rawValue: 13)
    /// `VHOST_USER_GET_PROTOCOL_FEATURES`
    public static let getProtocolFeatures = VhostUserRequest(rawValue: 15)
    /// `VHOST_USER_SET_PROTOCOL_FEATURES`
    public static let setProtocolFeatures = VhostUserRequest(rawValue: 16)
    /// `VHOST_USER_GET_QUEUE_NUM`
    public static let getQueueCount = VhostUserRequest(rawValue: 17)
    /// `VHOST_USER_SET_VRING_ENABLE`
    public static let enableQueue = VhostUserRequest(rawValue: 18)
    /// `VHOST_USER_GET_CONFIG`
    public static let getConfiguration = VhostUserRequest(rawValue: 24)
}

extension VhostUserRequest: CustomStringConvertible {
    public var description: String {
        let names: [VhostUserRequest: String] = [
            .getFeatures: "GET_FEATURES", .setFeatures: "SET_FEATURES", .setOwner: "SET_OWNER",
            .setMemory: "SET_MEM_TABLE", .setQueueSize: "SET_VRING_NUM", .setQueueAddresses: "SET_VRING_ADDR",
            .setQueueBase: "SET_VRING_BASE", .getQueueBase: "GET_VRING_BASE", .setQueueKick: "SET_VRING_KICK",
            .setQueueCall: "SET_VRING_CALL", .getProtocolFeatures: "GET_PROTOCOL_FEATURES",
            .setProtocolFeatures: "SET_PROTOCOL_FEATURES", .getQueueCount: "GET_QUEUE_NUM",
            .enableQueue: "SET_VRING_ENABLE", .getConfiguration: "GET_CONFIG",
        ]
        return names[self] ?? "request \(rawValue)"
    }
}

/// What stands before each message's payload: request, flags and the payload's size.
struct VhostUserHeader {
    static let size = 12
    private static let version: UInt32 = 1
    private static let versionMask: UInt32 = 3
    private static let isReply: UInt32 = 4
    private static let wantsReply: UInt32 = 8

    let request: VhostUserRequest
    let flags: UInt32
    let count: UInt32

    /// - Parameters:
    ///   - count: bytes of the payload.
    ///   - isAcknowledged: whether a request that has no answer of its own is answered all the same.
    init(_ request: VhostUserRequest, count: Int, isAcknowledged: Bool) {
        self.request = request
        flags = Self.version | (isAcknowledged ? Self.wantsReply : 0)
        self.count = UInt32(count)
    }

    /// - Parameter bytes: as many as ``size``.
    init(_ bytes: [UInt8]) {
        request = VhostUserRequest(rawValue: bytes.littleEndian(0))
        flags = bytes.littleEndian(4)
        count = bytes.littleEndian(8)
    }

    var bytes: [UInt8] {
        var space = ConfigurationSpace(size: Self.size)
        space.set(request.rawValue, at: 0)
        space.set(flags, at: 4)
        space.set(count, at: 8)
        return space.bytes
    }

    /// What is wrong with it as the head of an answer of so many bytes; nil where nothing is.
    func fault(answering request: VhostUserRequest, count: Int) -> String? {
        if self.request != request { return "the answer is one to \(self.request)" }
        if flags & Self.versionMask != Self.version { return "the answer is of version \(flags & Self.versionMask)" }
        if flags & Self.isReply == 0 { return "the answer is not marked as one" }
        return self.count == count ? nil : "the answer has \(self.count) bytes, not \(count)"
    }
}

extension [UInt8] {
    /// An integer of these bytes from an offset on.
    func littleEndian<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type = Value.self) -> Value {
        (0..<Value.bitWidth / 8).reduce(0) { $0 | Value(truncatingIfNeeded: self[offset + $1]) << Value(8 * $1) }
    }
}
