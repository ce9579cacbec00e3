import Glibc
import Launch
import OCI

extension PlanBuilder {
    /// The devices and links that every container has, and those the document names.
    mutating func addDevices() {
        for device in Self.standardDevices
        where !configuration.linux.devices.contains(where: { normalized($0.path) == device.path }) {
            addDevice(device)
        }
        for device in configuration.linux.devices { addDevice(device) }
        for (path, text) in Self.links { plan.append(.makeLink(root: root, path: path, text: text)) }
    }

    private mutating func addDevice(_ device: Configuration.Device) {
        let type: mode_t =
            switch device.type {
            case .character, .unbuffered: mode_t(S_IFCHR)
            case .block: mode_t(S_IFBLK)
            case .fifo: mode_t(S_IFIFO)
            }
        if isMapped && device.type != .fifo {
            // Device nodes cannot be made in a user namespace; the host's can be shown.
            let slot = slotForMount()
            plan.append(.cloneTree(path: device.path, from: .workingDirectory, recursive: false, into: slot))
            plan.append(.attach(.slot(slot), root: root, path: device.path, create: .file))
            return
        }
        let (major, minor) = (UInt64(device.major ?? 0), UInt64(device.minor ?? 0))
        let number = (major & 0xfff) << 8 | (major & ~0xfff) << 32 | minor & 0xff | (minor & ~0xff) << 12
        plan.append(
            .makeNode(
                root: root, path: device.path, mode: type | mode_t(device.fileMode ?? 0o666) & 0o7777, device: number,
                owner: device.uid ?? 0, group: device.gid ?? 0))
    }

    /// config-linux.md, "Default Devices".
    static let standardDevices: [Configuration.Device] = [
        .init(.character, path: "/dev/null", major: 1, minor: 3),
        .init(.character, path: "/dev/zero", major: 1, minor: 5),
        .init(.character, path: "/dev/full", major: 1, minor: 7),
        .init(.character, path: "/dev/random", major: 1, minor: 8),
        .init(.character, path: "/dev/urandom", major: 1, minor: 9),
        .init(.character, path: "/dev/tty", major: 5, minor: 0),
    ]

    /// runtime-linux.md, "Dev symbolic links".
    private static let links = [
        ("/dev/fd", "/proc/self/fd"), ("/dev/stdin", "/proc/self/fd/0"), ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"), ("/dev/ptmx", "pts/ptmx"),
    ]
}
