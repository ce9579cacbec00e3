/// Somebody between a guest's network card and its cable, who takes some of the guest's frames and sends it others:
/// ``Network/setFilter(_:)``.
///
/// The card calls it with its lock held, in its own thread. A frame has neither the virtio header nor the checksum of
/// Ethernet.
public protocol FrameFilter: AnyObject, Sendable {
    /// Whether a frame of the guest's is for the filter, and not for the cable.
    ///
    /// - Parameter head: how it begins: 42 bytes, as many as ARP or an IPv4 header need, or all of a shorter one. What is
    ///   sent over the cable begins with these very bytes, whatever the guest does to its memory meanwhile.
    func wants(_ head: RawSpan) -> Bool

    /// Takes a frame that it wanted.
    ///
    /// - Parameters:
    ///   - frame: all of it. Behind the head it may be another one by now.
    ///   - hasChecksum: whether the transport's checksum is there; else the guest has left it to its card.
    ///   - now: nanoseconds of the monotonic clock.
    func take(_ frame: [UInt8], hasChecksum: Bool, now: UInt64)

    /// The next frame for the guest; nil where there is none. It is asked when the guest has room for one.
    func next(now: UInt64) -> [UInt8]?

    /// When to ask for a frame even though none came from the guest: nanoseconds of the monotonic clock; nil for never.
    var deadline: UInt64? { get }

    /// Forgets the guest, whose driver starts anew.
    func reset()
}
