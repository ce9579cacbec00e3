// Lesson: what a namespace is. Run it as root: `sudo swift run lesson-namespaces`.
//
// Every process is in eight namespaces, one of each kind, and sees the machine as they show it. This program leaves
// three of them for new ones, changes what it sees there, and looks back from the old ones: nothing has changed.
import Glibc
import Linux
import Namespaces

do {
    // A handle keeps a namespace alive and lets one come back to it.
    let oldNames = try Namespace.current(.uts)
    let oldMounts = try Namespace.current(.mount)
    var before: [NamespaceKind: NamespaceIdentity] = [:]
    for kind in NamespaceKind.allCases { before[kind] = try Namespace.current(kind).identity }

    // New namespaces start as copies of the old ones: same host name, same mounts.
    try Namespace.unshare([.uts, .mount, .ipc])
    print("Namespaces of this process; the numbers are those of `ls -l /proc/self/ns`:")
    for kind in NamespaceKind.allCases {
        let now = try Namespace.current(kind)
        print("  \(now.description)" + (now.identity == before[kind] ? "" : "   new"))
    }

    // A copied mount may still pass its events on to the one it was copied from. Make all private first.
    try Mount.setPropagation(MountPropagation(.private, recursive: true), of: try Descriptor.open("/", [.path]))

    try HostName.set("bulkhead")
    // A file system is configured, made and mounted before anybody can see it; attaching it is the last step.
    let options = try MountOptions(parsing: ["size=1m", "nosuid", "nodev", "noexec"])
    try DetachedMount("tmpfs", source: "lesson", options: options).attach(to: "/mnt")

    func look(_ from: String) throws {
        let mount = try MountTable.current().mounts.last { $0.mountPointText == "/mnt" && $0.sourceText == "lesson" }
        let seen = mount.map { "a \($0.fileSystemType), \($0.options.joined(separator: ","))" } ?? "nothing of ours"
        print("\(from): the host is called \(quoted(try HostName.current())), on /mnt is \(seen)")
    }
    try look("Inside ")
    try oldNames.enter()
    try oldMounts.enter()
    try look("Outside")
    // With its last process gone, the new mount namespace has ended, and the tmpfs with it.
} catch {
    print("lesson-namespaces: \(error)")
    exit(1)
}
