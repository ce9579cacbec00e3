import Glibc
import Linux
import Machines
import OCI

/// `/vsock`: sockets between host and guest.
struct VsockDevice: Hashable {
    var cid: UInt32
    var path: String
    /// Named, though it means nothing: deprecated.
    var hasID: Bool

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "VsockDeviceConfig", ["vsock_id", "guest_cid", "uds_path"])
        hasID = try members.optional("vsock_id", Value.text) != nil
        cid = try members.required("guest_cid", Value.u32)
        path = try members.required("uds_path", Value.text)
    }

    func check() throws(Fault) {
        do throws(MachineError) { try port.validate() } catch { throw Fault("Vsock config error: \(error)") }
        guard access(path, F_OK) != 0 else {
            throw Fault(
                "Vsock config error: Cannot create backend for vsock device: Error binding to the host-side Unix "
                    + "socket: \(osError(Errno(rawValue: EADDRINUSE)))")
        }
    }

    var port: MachineConfiguration.VsockPort { .init(cid: UInt64(cid), path: path) }

    var json: JSON { ["guest_cid": JSON(cid), "uds_path": JSON(path)] }
}
