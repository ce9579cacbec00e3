import Linux
import Namespaces
import OCI

extension Configuration {
    /// Moves the document's network devices from the runtime's network namespace into the container's (config-linux.md,
    /// Network Devices).
    ///
    /// When the container fails afterwards, they are where the end of its network namespace leaves them.
    func moveNetworkDevices(to process: borrowing ProcessDescriptor) throws(ContainerError) {
        for entry in linux.netDevices {
            do throws(SystemError) {
                let namespace = try Namespaces.Namespace(.network, of: process)
                let name = entry.name.flatMap { $0.isEmpty ? nil : $0 }
                try Namespaces.NetworkDevice(named: entry.device).move(to: namespace, as: name)
            } catch { throw ContainerError(error, during: "linux.netDevices.\(entry.device)") }
        }
    }
}
