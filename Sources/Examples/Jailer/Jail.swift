import Glibc
import Linux

/// Where a jail is and what is in it: what the options mean on this host.
struct Jail {
    let arguments: Arguments
    /// The monitor's file, without links on the way.
    let executable: String
    /// The last part of its path.
    let name: String
    /// `BASE/NAME/ID/root`.
    let root: String
    /// The devices in it.
    let devices: [Device]

    /// A device of the kernel's, by its numbers.
    struct Device: Hashable {
        /// From the jail's root.
        var path: String
        var major: UInt32
        var minor: UInt32

        /// `dev_t` as the kernel and glibc have it.
        var number: UInt64 {
            UInt64(major & 0xfff) << 8 | UInt64(major & ~0xfff) << 32 | UInt64(minor & 0xff) | UInt64(minor & ~0xff)
                << 12
        }
    }

    /// The jail's directories that the monitor owns, each behind the one that it is in. `/run` is where the API's socket
    /// is, unless somebody says otherwise.
    static let directories = ["dev", "dev/net", "run"]

    init(_ arguments: Arguments) throws(Failure) {
        self.arguments = arguments
        guard let found = realpath(arguments.executable, nil) else {
            throw Failure("--exec-file: \(quoted(arguments.executable)): \(Errno.current)")
        }
        defer { free(found) }
        let executable = String(cString: found)
        let status = try attempt("--exec-file") { () throws(SystemError) in
            try Descriptor.open(executable, .path).status()
        }
        self.executable = executable
        guard status.isRegularFile else { throw Failure("--exec-file: \(quoted(executable)) is not a regular file") }
        guard status.mode & 0o111 != 0 else { throw Failure("--exec-file: \(quoted(executable)) is not executable") }
        name = String(executable[executable.index(after: executable.lastIndex(of: "/")!)...])
        root = "\(try Self.absolute(arguments.base))/\(name)/\(arguments.id)/root"
        devices = try Self.hostDevices()
    }

    /// The host's user decides where jails are, links included; what is below is the jailer's.
    private static func absolute(_ base: String) throws(Failure) -> String {
        guard base.hasPrefix("/") else { throw Failure("--chroot-base-dir: \(quoted(base)) is not an absolute path") }
        if let found = realpath(base, nil) {
            defer { free(found) }
            return String(cString: found)
        }
        guard Errno.current == .noSuchFileOrDirectory else {
            throw Failure("--chroot-base-dir: \(quoted(base)): \(Errno.current)")
        }
        var base = base
        while base.count > 1, base.hasSuffix("/") { base.removeLast() }
        return base
    }

    private static func hostDevices() throws(Failure) -> [Device] {
        var devices = [
            Device(path: "dev/kvm", major: 10, minor: 232), Device(path: "dev/net/tun", major: 10, minor: 200),
            Device(path: "dev/urandom", major: 1, minor: 9),
        ]
        // Its number is given at boot; kernels before 6.1 have none.
        let misc = (try? readText("/proc/misc")) ?? ""
        for line in misc.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[1] == "userfaultfd", let minor = UInt32(words[0]) {
                devices.append(Device(path: "dev/userfaultfd", major: 10, minor: minor))
            }
        }
        return devices
    }
}
