import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// Network devices that become the container's (config-linux.md, Network Devices).
    @Suite struct NetworkDeviceTests {
        /// A device with an address, made for this test.
        private func makeDevice(_ bundle: TestBundle) throws -> String {
            let name = "bh\(getpid())x\(bundle.id.split(separator: "-").last ?? "")"
            let line = """
                PATH=$PATH:/usr/sbin:/sbin; ip link add \(name) type veth peer name \(name)p &&
                ip address add 192.0.2.7/24 dev \(name)
                """
            try #require(system(line) == 0, "no device to move")
            return name
        }

        private func removeDevice(_ name: String) {
            system("PATH=$PATH:/usr/sbin:/sbin; ip link del \(name) 2>/dev/null")
        }
        private func exists(_ name: String) -> Bool { access("/sys/class/net/\(name)", F_OK) == 0 }

        @Test(.needs(.root), arguments: [true, false]) func theyAreMoved(isMapped: Bool) throws {
            let bundle = try TestBundle(
                script: "ip address show dev inside0; cat /proc/sys/net/ipv4/conf/inside0/forwarding")
            if isMapped { bundle.mapUsers() }
            let name = try makeDevice(bundle)
            defer { removeDevice("\(name)p") }
            bundle.configuration.linux.netDevices = [.init(device: name, name: "inside%d")]
            // Of a device that is there by then.
            bundle.configuration.linux.sysctl["net.ipv4.conf.inside0.forwarding"] = "1"
            bundle.configuration.hooks.createRuntime = [
                .init(path: "/bin/sh", args: ["sh", "-c", "test ! -e /sys/class/net/\(name)"])
            ]
            let output = try bundle.run().output
            #expect(output.contains("inet 192.0.2.7/24"), "\(output)")
            #expect(output.contains(",UP"), "\(output)")
            #expect(bundle.lines.last == "1", "\(output)")
            #expect(!exists(name))
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func whatCannotBeMovedIsNamed() throws {
            let bundle = try TestBundle()
            bundle.configuration.linux.netDevices = [.init(device: "no-such-device")]
            #expect(
                bundle.refusal()?.message
                    == "linux.netDevices.no-such-device: find network device \"no-such-device\": no such device (ENODEV)"
            )
            #expect(bundle.leftovers == [])

            let name = try makeDevice(bundle)
            defer { removeDevice(name) }
            bundle.configuration.linux.netDevices = [.init(device: name, name: "lo")]
            #expect(bundle.refusal()?.message.contains("name a network device \"lo\": file exists (EEXIST)") == true)
            // Nothing was moved that had no place to go.
            #expect(exists(name))
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func theyAreExplained() throws {
            let bundle = try TestBundle()
            bundle.configuration.linux.netDevices = [.init(device: "one"), .init(device: "two", name: "three")]
            try bundle.write()
            let lines = try bundle.runtime.explain(bundle.id, bundle.options).split(separator: "\n")
            let first = try #require(lines.firstIndex(of: "move network device \"one\""))
            #expect(lines[first + 1] == "move network device \"two\" as \"three\"")
        }
    }
}
