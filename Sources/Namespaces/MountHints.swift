import CLinux
import Linux

/// Runs a call and adds a hint to its refusal where one is known.
@discardableResult
func failing<Result: ~Copyable>(
    hint: (Errno) -> String?, _ call: () throws(SystemError) -> Result
) throws(SystemError) -> Result {
    do throws(SystemError) { return try call() } catch {
        throw SystemError(error.operation, error.errno, hint: error.hint ?? hint(error.errno))
    }
}

/// Where a descriptor leads to, for messages: its path as `/proc` tells it, else its number.
func pathForMessage(_ number: CInt) -> String {
    guard let path = readLink("/proc/thread-self/fd/\(number)") else { return "descriptor \(number)" }
    return quoted(path)
}

/// A symbolic link's text; nil when the path is not one.
func readLink(_ path: String) -> String? {
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
        count = max(0, unsafe readlink(path, buffer.baseAddress!, buffer.count))
    }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
}

func createHint(_ errno: Errno, type: String?) -> String? {
    switch (errno, type) {
    case (.notPermitted, "proc"):
        "the user namespace does not own this pid namespace, or parts of the /proc in sight are covered"
    case (.notPermitted, "sysfs"):
        "the user namespace does not own this network namespace, or parts of the /sys in sight are covered"
    case (.notPermitted, "mqueue"): "the user namespace does not own this IPC namespace"
    case (.notPermitted, "cgroup"), (.notPermitted, "cgroup2"): "the user namespace does not own this cgroup namespace"
    case (.notPermitted, _):
        "needs CAP_SYS_ADMIN, and in a user namespace a file system that may be mounted there"
    case (.noSuchDevice, _): "the kernel does not have this file system"
    case (.busy, "cgroup2"), (.busy, "cgroup"): "a controller or the hierarchy is in use elsewhere"
    default: nil
    }
}

func setAttributesHint(_ errno: Errno) -> String? {
    switch errno {
    case .notPermitted: "an attribute is locked by a more privileged user namespace, or CAP_SYS_ADMIN is lacking"
    case .invalidArgument: "the place is no mount's root, or the kernel does not know an attribute"
    case .busy: "a file of the mount is open for writing"
    default: nil
    }
}

func idMapHint(_ errno: Errno) -> String? {
    switch errno {
    case .invalidArgument: "the file system can't be id-mapped, or the mount is attached already"
    case .notPermitted: "the mount is id-mapped already, the map is the first user namespace's or the file system's own"
    default: setAttributesHint(errno)
    }
}

func attachHint(_ errno: Errno) -> String? {
    switch errno {
    case .invalidArgument, .notADirectory:
        "one end is a directory and the other is not or belongs to another mount namespace, "
            + "or the source is no mount's root or lies below a shared mount"
    case .tooManySymbolicLinks: "the target lies inside the mount that is to be moved"
    default: nil
    }
}

func unmountHint(_ errno: Errno) -> String? {
    switch errno {
    case .invalidArgument: "no mount's root, or locked by a more privileged user namespace"
    case .busy: "in use; a detaching unmount does not wait for its users"
    default: nil
    }
}
