extension Configuration {
    /// The document that `spec` writes: a shell on a terminal, isolated by all namespaces but user and time, over a
    /// read-only `rootfs`.
    public static func template() -> Configuration {
        var process = Process(args: ["sh"])
        process.terminal = true
        process.env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]
        let names = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        var capabilities = Process.Capabilities()
        capabilities.bounding = names
        capabilities.effective = names
        capabilities.permitted = names
        process.capabilities = capabilities
        process.rlimits = [.init(type: .openFiles, soft: 1024, hard: 1024)]
        process.noNewPrivileges = true

        var configuration = Configuration(root: Root(path: "rootfs", readonly: true), process: process)
        configuration.hostname = "bulkhead"
        configuration.mounts = standardMounts
        var resources = Resources()
        resources.devices = [.init(allow: false, access: "rwm")]
        configuration.linux.resources = resources
        configuration.linux.namespaces = [
            .init(.pid), .init(.network), .init(.ipc), .init(.uts), .init(.mount), .init(.cgroup),
        ]
        configuration.linux.maskedPaths = [
            "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
            "/sys/devices/virtual/powercap",
        ]
        configuration.linux.readonlyPaths = [
            "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
        ]
        return configuration
    }

    /// The document that `spec --rootless` writes: as ``template()``, for a user without privileges on the host.
    ///
    /// The user becomes root in a user namespace of one user and one group. What such a namespace may not have goes:
    /// limits, a sysfs of its own (which needs a network namespace) and groups that are not mapped.
    ///
    /// - Parameters:
    ///   - uid: The user's id on the host.
    ///   - gid: The user's group on the host.
    public static func rootlessTemplate(uid: UInt32, gid: UInt32) -> Configuration {
        var configuration = template()
        configuration.linux.namespaces.removeAll { $0.type == .network }
        configuration.linux.namespaces.append(.init(.user))
        configuration.linux.uidMappings = [.init(containerID: 0, hostID: uid, size: 1)]
        configuration.linux.gidMappings = [.init(containerID: 0, hostID: gid, size: 1)]
        configuration.linux.resources = nil
        for index in configuration.mounts.indices {
            configuration.mounts[index].options.removeAll { $0.hasPrefix("gid=") || $0.hasPrefix("uid=") }
            if configuration.mounts[index].destination == "/sys" {
                configuration.mounts[index] = .init(
                    destination: "/sys", type: "none", source: "/sys",
                    options: ["rbind", "nosuid", "noexec", "nodev", "ro"])
            }
        }
        return configuration
    }

    private static var standardMounts: [Mount] {
        [
            Mount(destination: "/proc", type: "proc", source: "proc"),
            Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            Mount(
                destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
            Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]),
            Mount(
                destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                options: ["nosuid", "noexec", "nodev", "relatime", "ro"]),
        ]
    }
}
