import CLinux
import Linux

/// The names of the calling thread's UTS namespace; `uts_namespaces(7)`.
public enum HostName {
    /// The host name; `uname(2)`.
    public static func current() throws(SystemError) -> String { try names().host }

    /// The NIS domain name; `(none)` where it was never set.
    public static func currentDomain() throws(SystemError) -> String { try names().domain }

    /// Sets the host name; `sethostname(2)`.
    ///
    /// - Parameter name: at most 64 bytes.
    /// - Throws: `EPERM` without `CAP_SYS_ADMIN` in the user namespace that owns the UTS namespace, `EINVAL` when it is
    ///   too long.
    public static func set(_ name: String) throws(SystemError) {
        try refuseNul(name)
        try failing(hint: nameHint) { () throws(SystemError) in
            try systemCall("set host name \(quoted(name))") { unsafe sethostname(name, name.utf8.count) }
        }
    }

    /// Sets the NIS domain name; `setdomainname(2)`.
    ///
    /// - Parameter name: at most 64 bytes.
    /// - Throws: as ``set(_:)``.
    public static func setDomain(_ name: String) throws(SystemError) {
        try refuseNul(name)
        try failing(hint: nameHint) { () throws(SystemError) in
            try systemCall("set domain name \(quoted(name))") { unsafe setdomainname(name, name.utf8.count) }
        }
    }

    private static func names() throws(SystemError) -> (host: String, domain: String) {
        var buffers = ([CChar](repeating: 0, count: 66), [CChar](repeating: 0, count: 66))
        try systemCall("gethostname") { unsafe gethostname(&buffers.0, 65) }
        try systemCall("getdomainname") { unsafe getdomainname(&buffers.1, 65) }
        return (text(buffers.0), text(buffers.1))
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

private func nameHint(_ errno: Errno) -> String? {
    switch errno {
    case .invalidArgument: "a name has at most 64 bytes"
    case .notPermitted: "needs CAP_SYS_ADMIN in the user namespace that owns the UTS namespace"
    default: nil
    }
}
