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
    /// Sends a frame behind its header.
    ///
    /// - Parameter count: the bytes of both.
    func send(_ vectors: VectorList, _ count: Int) -> Sending
    /// Whether another frame may be tried.
    func flush() -> Bool

    /// Lets the host's stack leave undone what the guest does itself.
    func setOffload(_ offload: Tap.Offload) throws(SystemError)
    /// Takes part in the device's traffic, or not.
    func setAttached(_ isAttached: Bool) throws(SystemError)
}

/// What became of a frame.
enum Sending {
    case sent
    /// It has to wait for ``Cable/flush()``.
    case blocked
    /// It is lost, as frames may be: a header that contradicts it, or nobody at the far end.
    case refused
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

    func send(_ vectors: VectorList, _ count: Int) -> Sending {
        guard vectors.count <= VectorList.most else { return .refused }
        let sent = unsafe writev(descriptor.rawValue, vectors.start, vectors.callCount)
        if sent >= 0 { return .sent }
        return Errno.current == .wouldBlock ? .blocked : .refused
    }

    func flush() -> Bool { true }
}
