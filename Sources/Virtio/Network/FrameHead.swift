import CLinux
import GuestMemory

/// How a frame of the guest's begins, with its header: a copy out of the guest's reach.
@safe
final class FrameHead {
    /// Ethernet's header with an ARP packet, or IPv4's header with two ports of a transport.
    private static let frameSize = 42

    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Network.headerSize + frameSize, alignment: 8)
    @safe @exclusivity(unchecked) private var count = 0

    deinit { unsafe bytes.deallocate() }

    /// Takes the first bytes of a frame that has a header.
    func fill(from reader: inout ChainReader) { count = unsafe reader.read(into: bytes) }

    /// Both, for the tap.
    @unsafe var vector: iovec { unsafe iovec(iov_base: bytes.baseAddress, iov_len: count) }

    func isWanted(by filter: any FrameFilter) -> Bool {
        filter.wants(unsafe UnsafeRawBufferPointer(bytes).bytes.extracting(Network.headerSize..<count))
    }

    var frameBytes: [UInt8] { unsafe Array(bytes[Network.headerSize..<count]) }

    /// `VIRTIO_NET_HDR_F_NEEDS_CSUM` of the header: the checksum is the card's to finish.
    var needsChecksum: Bool { unsafe bytes[0] & 1 != 0 }
}
