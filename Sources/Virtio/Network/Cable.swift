import CLinux
import CVirtio
import GuestMemory
import Linux

/// What a pair of a card's queues is plugged into: it takes the guest's frames, and has those for it.
///
/// The card calls it with its lock held.
protocol Cable: AnyObject, Sendable {
    /// Whether there is somebody at the far end.
    var isConnected: Bool { get }

    /// Has its events reported with the token.
    func watch(_ host: DeviceHost, token: UInt32) throws(DeviceFault)
    /// Undoes ``watch(_:token:)``; no error where it was not called.
    func unwatch(_ host: DeviceHost)
    /// Something happened at the far end.
    func wake() throws(DeviceFault)

    /// Reads one frame behind a header of ``Network/headerSize`` bytes.
    ///
    /// - Parameter vectors: room for the largest frame.
    /// - Returns: its bytes, header included; nothing above zero where there is none for now.
    func receive(into vectors: VectorList) -> Int
    /// Sends a frame with its header.
    ///
    /// - Parameter vectors: a place to work in.
    /// - Returns: false where the frame has to wait for ``flush()``. What the far end refuses is lost, as frames may be.
    func send(_ chain: DescriptorChain, _ vectors: VectorList) -> Bool
    /// Whether another frame may be tried.
    func flush() -> Bool

    /// Lets the host's stack leave undone what the guest does itself.
    func setOffload(_ offload: Tap.Offload) throws(SystemError)
    /// Takes part in the device's traffic, or not.
    func setAttached(_ isAttached: Bool) throws(SystemError)
}

extension Tap: Cable {
    var isConnected: Bool { true }

    func watch(_ host: DeviceHost, token: UInt32) throws(DeviceFault) {
        try host.watch(descriptor, for: [.readable, .writable, .edgeTriggered], token: token)
    }

    func unwatch(_ host: DeviceHost) { host.unwatch(descriptor) }
    func wake() {}

    func receive(into vectors: VectorList) -> Int {
        unsafe readv(descriptor.rawValue, vectors.start, vectors.callCount)
    }

    func send(_ chain: DescriptorChain, _ vectors: VectorList) -> Bool {
        vectors.clear()
        for segment in chain.segments.prefix(chain.readableSegments) { vectors.append(segment) }
        guard vectors.count <= VectorList.most else { return true }
        let sent = unsafe writev(descriptor.rawValue, vectors.start, vectors.callCount)
        return sent >= 0 || Errno.current != .wouldBlock
    }

    func flush() -> Bool { true }
}
