import CLinux
import Linux

/// The loopback interface of the calling thread's network namespace, which is down in a new one.
public enum Loopback {
    /// Brings `lo` up; the kernel then gives it 127.0.0.1 and ::1. `netdevice(7)`, `SIOCSIFFLAGS`.
    ///
    /// - Throws: `EPERM` without `CAP_NET_ADMIN` in the user namespace that owns the network namespace.
    public static func bringUp() throws(SystemError) {
        // Any socket will do, and this family is there even without IPv4.
        let handle = Descriptor(
            owning: try systemCall("socket") {
                socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
        let number = handle.rawValue
        try failing(
            hint: {
                $0 == .notPermitted ? "needs CAP_NET_ADMIN in the user namespace that owns the network namespace" : nil
            }
        ) { () throws(SystemError) in
            try systemCall("bring interface \"lo\" up") { unsafe bh_interface_up(number, "lo") }
        }
    }
}
