import CLinux
import Linux

/// A conversation with the kernel about the network devices of the namespace in which it was begun; `rtnetlink(7)`.
struct RouteSocket: ~Copyable {
    /// What is asked for; `RTM_*`.
    enum Kind: UInt16 {
        case setLink = 19
        case getLink = 18
        case newLink = 16
        case newAddress = 20
        case getAddress = 22
    }

    /// `NLM_F_*`, beside the one that every request has.
    enum Flags {
        static let acknowledge: UInt16 = 0x4
        static let dump: UInt16 = 0x300
        static let create: UInt16 = 0x600
    }

    /// An answer without its header.
    struct Answer {
        let kind: UInt16
        let body: ArraySlice<UInt8>
    }

    private let descriptor: Descriptor
    private var sequence: UInt32 = 0

    init(owning number: CInt) { descriptor = Descriptor(owning: number) }

    consuming func release() -> CInt {
        descriptor.release()
    }

    init() throws(SystemError) {
        descriptor = Descriptor(
            owning: try systemCall("open a netlink socket") {
                // AF_NETLINK, NETLINK_ROUTE
                socket(16, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
    }

    /// Sends a request, and reads what the kernel says to it.
    ///
    /// - Throws: what the kernel refuses it with.
    mutating func ask(
        _ kind: Kind, _ flags: UInt16, _ body: NetlinkBytes, _ what: @autoclosure () -> String
    ) throws(SystemError) -> [Answer] {
        sequence += 1
        var request = NetlinkBytes()
        request.append(UInt32(16 + body.bytes.count))
        request.append(kind.rawValue)
        // NLM_F_REQUEST
        request.append(flags | 1)
        request.append(sequence)
        request.append(UInt32(0))
        request.bytes += body.bytes
        try descriptor.write(request.bytes)
        var answers: [Answer] = []
        while true {
            let received = try descriptor.read(upTo: 1 << 16)
            var rest = received[...]
            // struct nlmsghdr
            while let length = rest.integer(UInt32.self, at: 0).map({ Int($0) }), length >= 16, length <= rest.count,
                let kind = rest.integer(UInt16.self, at: 4), let number = rest.integer(UInt32.self, at: 8)
            {
                let message = rest.prefix(length).dropFirst(16)
                rest = rest.dropFirst((length + 3) & ~3)
                guard number == sequence else { continue }
                switch kind {
                // NLMSG_ERROR, which with 0 is the acknowledgement.
                case 2:
                    guard let error = message.integer(Int32.self, at: 0), error != 0 else { return answers }
                    throw SystemError(what(), Errno(rawValue: -error))
                // NLMSG_DONE
                case 3: return answers
                default: answers.append(Answer(kind: kind, body: message))
                }
            }
            if received.isEmpty { throw SystemError(what(), .ioError, hint: "no answer") }
        }
    }
}

/// Bytes of a netlink message: integers in the machine's order, which is the little-endian one on all that this package
/// knows, and attributes (`struct nlattr`).
struct NetlinkBytes {
    var bytes: [UInt8] = []

    mutating func append<Integer: FixedWidthInteger>(_ value: Integer) {
        for shift in stride(from: 0, to: Integer.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func append(attribute kind: UInt16, _ payload: some Collection<UInt8>) {
        append(UInt16(4 + payload.count))
        append(kind)
        bytes += payload
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    /// An attribute that is a text, with its end.
    mutating func append(attribute kind: UInt16, _ text: String) { append(attribute: kind, Array(text.utf8) + [0]) }
}

extension ArraySlice<UInt8> {
    /// The integer at an offset from the start; nil where the bytes end before.
    func integer<Integer: FixedWidthInteger>(_ type: Integer.Type, at offset: Int) -> Integer? {
        let size = Integer.bitWidth / 8
        guard offset >= 0, count >= size, offset <= count - size else { return nil }
        var value: Integer = 0
        for index in 0..<size {
            value |= Integer(truncatingIfNeeded: self[startIndex + offset + index]) << (8 * index)
        }
        return value
    }

    /// Attributes, as many as there are whole ones.
    var attributes: [(kind: UInt16, payload: ArraySlice<UInt8>)] {
        var found: [(kind: UInt16, payload: ArraySlice<UInt8>)] = []
        var rest = self
        while let length = rest.integer(UInt16.self, at: 0).map({ Int($0) }), length >= 4, length <= rest.count,
            let kind = rest.integer(UInt16.self, at: 2)
        {
            found.append((kind, rest.prefix(length).dropFirst(4)))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return found
    }
}
