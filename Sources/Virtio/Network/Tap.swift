import CLinux
import CVirtio
import Linux

/// One queue of a tap device, by which the host's network and a guest exchange frames; `tun(4)`.
public final class Tap: Sendable {
    /// What the host's stack may leave undone in frames it gives to the guest; `TUN_F_*`.
    struct Offload: OptionSet, Hashable, Sendable {
        let rawValue: UInt32

        static let checksum = Offload(rawValue: UInt32(BH_TUN_F_CSUM))
        static let segmentationV4 = Offload(rawValue: UInt32(BH_TUN_F_TSO4))
        static let segmentationV6 = Offload(rawValue: UInt32(BH_TUN_F_TSO6))
        static let congestion = Offload(rawValue: UInt32(BH_TUN_F_TSO_ECN))
        static let udpFragmentation = Offload(rawValue: UInt32(BH_TUN_F_UFO))
    }

    let descriptor: Descriptor
    /// Not so in tests, which speak to a socket that keeps borders.
    private let isTap: Bool

    /// Takes an open queue of a tap device, as another process may have handed it over.
    ///
    /// - Throws: `EINVAL` for what is no tap, or one without `IFF_VNET_HDR` or with packet information.
    public init(_ descriptor: consuming Descriptor) throws(SystemError) {
        let number = descriptor.rawValue
        let flags = try systemCall("ask the tap for its flags") { bh_tap_flags(number) }
        // IFF_TAP, IFF_NO_PI and IFF_VNET_HDR.
        guard flags & 0x5002 == 0x5002 else {
            throw SystemError(
                "use the tap", .invalidArgument, hint: "it has to be made with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR")
        }
        try systemCall("make the tap non-blocking") { bh_set_nonblocking(number) }
        try systemCall("set the tap's header size") { bh_tap_set_header_size(number, CInt(Network.headerSize)) }
        self.descriptor = descriptor
        isTap = true
    }

    /// Uses a socket that keeps message borders in a tap's place: each message a header and a frame.
    init(socket: consuming Descriptor) throws(SystemError) {
        let number = socket.rawValue
        try systemCall("make the socket non-blocking") { bh_set_nonblocking(number) }
        descriptor = socket
        isTap = false
    }

    /// Joins a tap device by name, or makes it where there is none; it goes with its last queue then.
    ///
    /// - Parameters:
    ///   - name: 1 to 15 bytes.
    ///   - queues: more than one for a device that was made, or is made here, with several.
    /// - Throws: `EBUSY` where another process uses it, `EPERM` without `CAP_NET_ADMIN`, `EINVAL` where the device has
    ///   one queue and several are asked for, or the other way round.
    public static func open(_ name: String, queues: Int = 1) throws(SystemError) -> [Tap] {
        var taps: [Tap] = []
        for _ in 0..<max(1, queues) {
            let descriptor = try Descriptor.open("/dev/net/tun", [.readWrite, .nonBlocking])
            let number = descriptor.rawValue
            var bytes = Array(name.utf8CString)
            guard bytes.count <= 16 else {
                throw SystemError(
                    "join the tap \(quoted(name))", .nameTooLong, hint: "an interface's name has 15 bytes")
            }
            bytes += [CChar](repeating: 0, count: 16 - bytes.count)
            try systemCall("join the tap \(quoted(name))") {
                unsafe bytes.withUnsafeMutableBufferPointer {
                    unsafe bh_tap_join(number, $0.baseAddress!, queues > 1 ? 1 : 0)
                }
            }
            taps.append(try Tap(descriptor))
        }
        return taps
    }

    func setOffload(_ offload: Offload) throws(SystemError) {
        guard isTap else { return }
        let number = descriptor.rawValue
        try systemCall("set the tap's offloads") { bh_tap_set_offload(number, offload.rawValue) }
    }

    /// Takes the queue out of the device's traffic, or puts it back.
    func setAttached(_ isAttached: Bool) throws(SystemError) {
        guard isTap else { return }
        let number = descriptor.rawValue
        try systemCall(isAttached ? "attach the tap's queue" : "detach the tap's queue") {
            bh_tap_set_queue(number, isAttached ? 1 : 0)
        }
    }
}
