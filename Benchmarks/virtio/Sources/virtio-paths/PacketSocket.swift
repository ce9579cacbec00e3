import Glibc
import Linux

/// The host's side of an interface: `packet(7)`.
struct PacketSocket: ~Copyable {
    private let descriptor: Descriptor
    private let frame = [UInt8](repeating: 0xff, count: 12) + [0x88, 0xb5] + [UInt8](repeating: 1, count: 1500)

    init(_ name: String) throws {
        let type = UInt16(0x88b5).bigEndian
        let made = Descriptor(
            owning: try systemCall("socket") { socket(AF_PACKET, CInt(SOCK_RAW.rawValue), CInt(type)) })
        let number = made.rawValue
        // SIOCSIFFLAGS with IFF_UP.
        var request = [UInt8](repeating: 0, count: 40)
        request.replaceSubrange(0..<name.utf8.count, with: name.utf8)
        request[16] = 1
        try systemCall("set the interface up") {
            request.withUnsafeMutableBytes { ioctl(number, 0x8914, $0.baseAddress!) }
        }
        var address = [UInt8](repeating: 0, count: 20)
        withUnsafeBytes(of: UInt16(AF_PACKET)) { address.replaceSubrange(0..<2, with: $0) }
        withUnsafeBytes(of: type) { address.replaceSubrange(2..<4, with: $0) }
        withUnsafeBytes(of: CInt(if_nametoindex(name))) { address.replaceSubrange(4..<8, with: $0) }
        try systemCall("bind") {
            address.withUnsafeMutableBytes {
                bind(number, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), 20)
            }
        }
        descriptor = made
    }

    func send() { _ = Glibc.send(descriptor.rawValue, frame, frame.count, 0) }
}
