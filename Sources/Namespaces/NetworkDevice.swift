import CLinux
import Linux

/// A network device of the calling thread's network namespace; `rtnetlink(7)`.
public struct NetworkDevice: Hashable, Sendable {
    public let name: String
    /// Its number, by which the kernel knows it whatever its name.
    public let index: UInt32

    /// The device with this name.
    ///
    /// - Throws: `ENODEV` when there is none.
    public init(named name: String) throws(SystemError) {
        var routes = try RouteSocket()
        guard let index = try routes.index(of: name) else {
            throw SystemError("find network device \(quoted(name))", .noSuchDevice)
        }
        self.name = name
        self.index = index
    }

    /// Moves the device into another network namespace, with its permanent addresses of global scope, and brings it up
    /// there.
    ///
    /// The kernel keeps its hardware address and MTU; it takes the device down and its addresses and routes away. When
    /// that namespace ends, a physical device comes back to the first namespace and a virtual one ends with it.
    ///
    /// - Parameters:
    ///   - namespace: where it goes.
    ///   - newName: its name there; a `%d` in it becomes the first number that is free. nil keeps the name.
    /// - Returns: the name it has there.
    /// - Throws: `EEXIST` where the name is taken there; nothing has changed then. `EPERM` without `CAP_NET_ADMIN` in both
    ///   namespaces and `CAP_SYS_ADMIN`, `EINVAL` for a name that is none and for a device that can't be moved, as `lo`.
    @discardableResult
    public func move(to namespace: borrowing Namespace, as newName: String? = nil) throws(SystemError) -> String {
        var here = try RouteSocket()
        var there = try Self.routes(of: namespace)
        let name = try there.freeName(newName ?? self.name)
        let addresses = try here.permanentAddresses(of: index)

        var change = NetlinkBytes(link: index)
        // IFLA_NET_NS_FD, IFLA_IFNAME
        change.append(attribute: 28, littleEndian(namespace.descriptor.rawValue))
        change.append(attribute: 3, name)
        let what = "move network device \(quoted(self.name))" + (name == self.name ? "" : " as \(quoted(name))")
        _ = try here.ask(.setLink, RouteSocket.Flags.acknowledge, change, what)

        // Its number may be another device's there.
        guard let moved = try there.index(of: name) else { throw SystemError(what, .noSuchDevice) }
        for address in addresses { try there.add(address, to: moved, name) }
        // IFF_UP
        _ = try there.ask(
            .setLink, RouteSocket.Flags.acknowledge, NetlinkBytes(link: moved, flags: 1, change: 1),
            "bring network device \(quoted(name)) up")
        return name
    }

    /// A socket belongs to the namespace in which it was made, wherever its maker is later.
    private static func routes(of namespace: borrowing Namespace) throws(SystemError) -> RouteSocket {
        let own = try Namespace.current(.network)
        try namespace.enter()
        let result: Result<CInt, SystemError>
        do throws(SystemError) { result = .success(try RouteSocket().release()) } catch { result = .failure(error) }
        try own.enter()
        return RouteSocket(owning: try result.get())
    }
}

/// An address that a device keeps: the bytes of an RTM_NEWADDR message.
private struct KeptAddress {
    let family, prefixLength: UInt8
    let attributes: [(kind: UInt16, payload: ArraySlice<UInt8>)]
}

extension RouteSocket {
    /// - Returns: nil where there is no such device.
    fileprivate mutating func index(of name: String) throws(SystemError) -> UInt32? {
        // IFNAMSIZ holds the end, too. The kernel would take a longer name's beginning for it.
        guard (1...15).contains(name.utf8.count) else {
            throw SystemError("find network device \(quoted(name))", .invalidArgument, hint: "a name has 1 to 15 bytes")
        }
        var question = NetlinkBytes(link: 0)
        question.append(attribute: 3, name)
        do throws(SystemError) {
            let answers = try ask(
                .getLink, RouteSocket.Flags.acknowledge, question, "find network device \(quoted(name))")
            return answers.first { $0.kind == Kind.newLink.rawValue }?.body.integer(UInt32.self, at: 4)
        } catch {
            if error.errno == .noSuchDevice { return nil }
            throw error
        }
    }

    /// A name that no device has: `%d` is the first number for which none has it.
    fileprivate mutating func freeName(_ wanted: String) throws(SystemError) -> String {
        guard let percent = wanted.firstIndex(of: "%"), wanted[percent...].hasPrefix("%d") else {
            if try index(of: wanted) == nil { return wanted }
            throw SystemError("name a network device \(quoted(wanted))", .fileExists, hint: "one there has that name")
        }
        for number in 0..<1 << 15 {
            let name = "\(wanted[..<percent])\(number)\(wanted[percent...].dropFirst(2))"
            if try index(of: name) == nil { return name }
        }
        throw SystemError("name a network device \(quoted(wanted))", .fileExists)
    }

    fileprivate mutating func permanentAddresses(of index: UInt32) throws(SystemError) -> [KeptAddress] {
        // struct ifaddrmsg, of every family.
        var question = NetlinkBytes()
        question.append(UInt64(0))
        let answers = try ask(.getAddress, Flags.dump, question, "list the addresses of network device \(index)")
        return answers.compactMap { answer in
            guard answer.kind == Kind.newAddress.rawValue, answer.body.integer(UInt32.self, at: 4) == index,
                let family = answer.body.integer(UInt8.self, at: 0),
                let prefixLength = answer.body.integer(UInt8.self, at: 1),
                let flags = answer.body.integer(UInt8.self, at: 2), let scope = answer.body.integer(UInt8.self, at: 3),
                // IFA_F_PERMANENT, RT_SCOPE_UNIVERSE
                flags & 0x80 != 0, scope == 0
            else { return nil }
            // IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST. The label holds the old name, and all else is the kernel's to say.
            return KeptAddress(
                family: family, prefixLength: prefixLength,
                attributes: answer.body.dropFirst(8).attributes.filter { [1, 2, 4].contains($0.kind) })
        }
    }

    fileprivate mutating func add(_ address: KeptAddress, to index: UInt32, _ name: String) throws(SystemError) {
        var request = NetlinkBytes()
        request.append(address.family)
        request.append(address.prefixLength)
        request.append(UInt16(0))
        request.append(index)
        for attribute in address.attributes { request.append(attribute: attribute.kind, attribute.payload) }
        _ = try ask(
            .newAddress, Flags.acknowledge | Flags.create, request,
            "give network device \(quoted(name)) its address back")
    }
}

extension NetlinkBytes {
    /// `struct ifinfomsg`
    fileprivate init(link index: UInt32, flags: UInt32 = 0, change: UInt32 = 0) {
        append(UInt32(0))
        append(index)
        append(flags)
        append(change)
    }
}

private func littleEndian(_ number: CInt) -> [UInt8] {
    var bytes = NetlinkBytes()
    bytes.append(number)
    return bytes.bytes
}
