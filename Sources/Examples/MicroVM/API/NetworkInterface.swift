import Glibc
import Linux
import Machines
import OCI
import Virtio

/// `/network-interfaces/{id}`: a network card on a tap device.
struct NetworkInterface: Hashable {
    var id: String
    var tap: String
    /// Six bytes.
    var address: [UInt8]?
    var mtu: UInt16?
    var receiveLimit: RateLimiterBody?
    var transmitLimit: RateLimiterBody?

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(
            json, "NetworkInterfaceConfig",
            ["iface_id", "host_dev_name", "guest_mac", "mtu", "rx_rate_limiter", "tx_rate_limiter"])
        id = try members.required("iface_id", Value.text)
        tap = try members.required("host_dev_name", Value.text)
        address = try members.optional("guest_mac") { (json) throws(BodyError) in try Self.address(json) }
        mtu = try members.optional("mtu", Value.u16)
        receiveLimit = try members.optional("rx_rate_limiter") { (json) throws(BodyError) in try RateLimiterBody(json) }
        transmitLimit = try members.optional("tx_rate_limiter") { (json) throws(BodyError) in
            try RateLimiterBody(json)
        }
    }

    private static func address(_ json: JSON) throws(BodyError) -> [UInt8] {
        let text = try Value.text(json)
        guard let bytes = hardwareAddress(text) else {
            throw BodyError("The provided MAC address is invalid.", .behindConversion)
        }
        return bytes
    }

    private static func text(_ address: [UInt8]) -> String {
        address.map { String(UInt16($0) + 0x100, radix: 16).suffix(2) }.joined(separator: ":")
    }

    /// Checks what can be checked before there is a machine: that the tap can be had, above all.
    ///
    /// - Parameter others: the other cards.
    func check(beside others: [NetworkInterface]) throws(Fault) {
        if let address, others.contains(where: { $0.address == address }) {
            throw Fault("Network config error: The MAC address is already in use: \(Self.text(address))")
        }
        if mtu.map({ $0 < 68 }) ?? false {
            throw Fault("Network config error: Could not create the network device: the MTU is below 68")
        }
        let refusal = "Network config error: Could not create the network device: "
        guard tap.utf8.count <= 15 else { throw Fault("\(refusal)Open tap device failed: Invalid interface name") }
        do throws(MachineError) { try card.validate() } catch { throw Fault("\(refusal)\(error)") }
        do throws(SystemError) {
            if others.contains(where: { $0.tap == tap }) { throw SystemError("TUNSETIFF", Errno(rawValue: EBUSY)) }
            _ = try Tap.open(tap)
        } catch {
            throw Fault("\(refusal)\(Self.opening(error, tap))")
        }
    }

    /// Why a tap could not be had.
    static func opening(_ error: SystemError, _ tap: String) -> String {
        let why = osError(error.errno)
        if error.operation.hasPrefix("set the tap's header") {
            return "Setting vnet header size failed: Error while setting size of the vnet header: \(why)"
        }
        let failure = "Open tap device failed: "
        if error.operation.hasPrefix("open ") { return "\(failure)Couldn't open /dev/net/tun: \(why)" }
        return "\(failure)Error while creating ifreq structure: \(why). Invalid TUN/TAP Backend provided by \(tap). "
            + "Check our documentation on setting up the network devices." + (error.hint.map { " \($0)" } ?? "")
    }

    var card: MachineConfiguration.NetworkCard {
        var card = MachineConfiguration.NetworkCard(tap: tap, address: address)
        card.id = id
        card.mtu = mtu
        card.receiveLimit = receiveLimit.limiter
        card.transmitLimit = transmitLimit.limiter
        return card
    }

    var json: JSON {
        [
            "iface_id": JSON(id), "host_dev_name": JSON(tap), "guest_mac": JSON(address.map(Self.text)),
            "mtu": JSON(mtu), "rx_rate_limiter": receiveLimit.json, "tx_rate_limiter": transmitLimit.json,
        ]
    }

    /// `PATCH`: what is not named stays as it is.
    struct Update: Hashable {
        var id: String
        var receiveLimit: RateLimiterBody?
        var transmitLimit: RateLimiterBody?

        init(_ json: JSON) throws(BodyError) {
            let members = try Members(
                json, "NetworkInterfaceUpdateConfig", ["iface_id", "rx_rate_limiter", "tx_rate_limiter"])
            id = try members.required("iface_id", Value.text)
            receiveLimit = try members.optional("rx_rate_limiter") { (json) throws(BodyError) in
                try RateLimiterBody(json)
            }
            transmitLimit = try members.optional("tx_rate_limiter") { (json) throws(BodyError) in
                try RateLimiterBody(json)
            }
        }
    }
}
