import Glibc
import Linux
import Testing

/// The host's side of an interface: `packet(7)`.
final class PacketSocket {
    private let descriptor: Descriptor
    private let index: CInt

    init(_ name: String) throws {
        let type: UInt16 = 0x88b5
        descriptor = Descriptor(
            owning: try systemCall("socket") { socket(AF_PACKET, CInt(SOCK_RAW.rawValue), CInt(type.bigEndian)) })
        #expect(setInterfaceUp(name, over: descriptor.rawValue) == 0)
        index = CInt(if_nametoindex(name))
        var address = bytes(UInt16(AF_PACKET), type.bigEndian, index, UInt32(0), UInt64(0))
        let number = descriptor.rawValue
        try systemCall("bind") {
            address.withUnsafeMutableBytes {
                bind(number, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), 20)
            }
        }
    }

    func send(_ frame: [UInt8]) { #expect(Glibc.send(descriptor.rawValue, frame, frame.count, 0) == frame.count) }

    func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 4000)
        let count = recv(descriptor.rawValue, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        return count < 0 ? nil : Array(bytes.prefix(count))
    }
}
