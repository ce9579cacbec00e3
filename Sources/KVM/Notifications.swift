import CKVM
import Linux

/// A guest's write that signals an eventfd inside the kernel instead of leaving ``VCPU/run(_:)``;
/// `struct kvm_ioeventfd`.
public struct WriteNotification: Hashable, Sendable {
    public var place: Place
    public var width: Width
    /// Only a write of this value; any when nil. Virtio's queues share one register and differ in what is written.
    public var value: UInt64?

    public init(_ place: Place, _ width: Width, value: UInt64? = nil) {
        self.place = place
        self.width = width
        self.value = value
    }

    /// Where the write goes.
    public enum Place: Hashable, Sendable {
        /// A port, on x86.
        case port(UInt16)
        /// A guest physical address without memory.
        case memory(UInt64)
    }

    /// How many bytes are written.
    public enum Width: UInt32, Hashable, Sendable {
        /// Any number, fastest on Intel's processors; it can't be asked for together with a value.
        case any = 0
        case one = 1
        case two = 2
        case four = 4
        case eight = 8
    }

    func request(_ event: CInt, removing: Bool) -> kvm_ioeventfd {
        var request = kvm_ioeventfd()
        request.len = width.rawValue
        request.fd = event
        switch place {
        case .port(let port):
            request.addr = UInt64(port)
            request.flags |= Self.isPort
        case .memory(let address): request.addr = address
        }
        if let value {
            request.datamatch = value
            request.flags |= Self.matches
        }
        if removing { request.flags |= Self.removes }
        return request
    }

    // KVM_IOEVENTFD_FLAG_DATAMATCH, _PIO and _DEASSIGN.
    static let matches: UInt32 = 1 << 0
    static let isPort: UInt32 = 1 << 1
    static let removes: UInt32 = 1 << 2
}

extension WriteNotification: CustomStringConvertible {
    public var description: String {
        let where_ =
            switch place {
            case .port(let port): "port 0x\(String(port, radix: 16))"
            case .memory(let address): "address 0x\(String(address, radix: 16))"
            }
        let what = width == .any ? "writes" : "writes of \(width.rawValue) bytes"
        return "\(what) to \(where_)" + (value.map { " that are 0x\(String($0, radix: 16))" } ?? "")
    }
}

extension VirtualMachine {
    /// Signals an eventfd on these writes; `KVM_IOEVENTFD`. The kernel keeps the eventfd until ``stop(_:notifying:)`` or
    /// the machine's end.
    ///
    /// - Throws: `EEXIST` where such a notification is, `EINVAL` for a value together with any width.
    public func notify(_ event: borrowing Descriptor, on notification: WriteNotification) throws(SystemError) {
        try descriptor.control(
            .ioeventfd, from: notification.request(event.rawValue, removing: false), "notify on \(notification)")
    }

    /// Ends what ``notify(_:on:)`` began, said in the same words.
    ///
    /// - Throws: `ENOENT` where there is none.
    public func stop(_ notification: WriteNotification, notifying event: borrowing Descriptor) throws(SystemError) {
        try descriptor.control(
            .ioeventfd, from: notification.request(event.rawValue, removing: true),
            "no longer notify on \(notification)")
    }
}
