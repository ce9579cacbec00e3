import Linux
import Namespaces

do {
    try Namespace.unshare([.uts, .mount])  // What changes from here on, no other process sees.
    try Mount.setPropagation(MountPropagation(.private, recursive: true), of: .open("/", .path))
    try HostName.set("compartment")
    try DetachedMount("tmpfs", options: MountOptions(parsing: ["size=1m", "nodev"])).attach(to: "/mnt")
    let mount = try MountTable.current().mounts.last { $0.mountPointText == "/mnt" }
    print("host: \(try HostName.current()), /mnt: \(mount?.fileSystemType ?? "nothing")")
} catch { print(error) }
