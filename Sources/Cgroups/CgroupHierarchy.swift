import CLinux
import Linux

/// A mounted cgroup2 file system.
public struct CgroupHierarchy: Hashable, Sendable {
    /// Where it is mounted, without a slash at the end.
    public let mountPoint: String

    /// Takes the cgroup2 file system that is mounted there.
    ///
    /// - Throws: ``CgroupError`` when the place does not exist or holds another file system.
    public init(mountPoint: String) throws(CgroupError) {
        let cut = withoutTrailingSlashes(mountPoint)
        switch fileSystemType(cut) {
        case .success(cgroup2Magic): self.mountPoint = cut
        case .success:
            throw CgroupError(
                .find, path: cut, cause: .invalid("another file system is there"), hint: Self.version1Hint)
        case .failure(let errno): throw CgroupError(.find, path: cut, cause: .kernel(errno))
        }
    }

    init(unchecked mountPoint: String) { self.mountPoint = mountPoint }

    /// The hierarchy of a path known to lie in one: its topmost directory of the same type.
    init(above path: String) {
        var top = withoutTrailingSlashes(path)
        while let slash = top.lastIndex(of: "/"), slash != top.startIndex {
            let above = String(top[..<slash])
            guard case .success(cgroup2Magic) = fileSystemType(above) else { break }
            top = above
        }
        mountPoint = top
    }

    /// The host's cgroup2 file system: at `/sys/fs/cgroup`, beside version 1 at `/sys/fs/cgroup/unified`, or where
    /// `/proc/self/mountinfo` says.
    ///
    /// - Throws: ``CgroupError`` when none is mounted.
    public static func find() throws(CgroupError) -> CgroupHierarchy {
        for place in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            if case .success(cgroup2Magic) = fileSystemType(place) { return CgroupHierarchy(unchecked: place) }
        }
        let mounts = (try? readText("/proc/self/mountinfo")) ?? ""
        for line in mounts.split(separator: "\n") {
            if let mount = CgroupMount(line), mount.version == 2 {
                return CgroupHierarchy(unchecked: mount.mountPoint)
            }
        }
        throw CgroupError(
            .find, path: "/sys/fs/cgroup", cause: .invalid("no cgroup2 file system is mounted"), hint: version1Hint)
    }

    static let version1Hint = """
        boot with systemd.unified_cgroup_hierarchy=1, or mount one: mount -t cgroup2 none /sys/fs/cgroup
        """

    /// The root cgroup.
    public func root() throws(CgroupError) -> Cgroup {
        Cgroup(directory: try openDirectory(mountPoint), path: mountPoint, hierarchy: self)
    }

    /// Opens a cgroup by its path in this hierarchy, such as `/system.slice/ssh.service`; a leading slash is optional.
    ///
    /// - Throws: `EINVAL` for a path with `.` or `..` in it, `ENOENT` when it does not exist.
    public func open(_ relativePath: String) throws(CgroupError) -> Cgroup {
        let path = try path(of: relativePath)
        return Cgroup(directory: try openDirectory(path), path: path, hierarchy: self)
    }

    /// Whether a cgroup of this path exists.
    public func contains(_ relativePath: String) -> Bool {
        guard let path = try? path(of: relativePath) else { return false }
        return unsafe access(path, F_OK) == 0
    }

    /// The full path of a path in this hierarchy, checked to stay inside it.
    public func path(of relativePath: String) throws(CgroupError) -> String {
        var path = mountPoint
        for level in relativePath.split(separator: "/") {
            guard level != ".", level != "..", !level.utf8.contains(0) else {
                throw CgroupError(
                    .open, path: mountPoint + "/" + relativePath,
                    cause: .invalid("\(quoted(String(level))) is no cgroup's name"))
            }
            path += "/"
            path += String(level)
        }
        return path
    }

    /// The path, in this hierarchy, of the cgroup that the caller is in; `/proc/self/cgroup`.
    public func ownPath() throws(CgroupError) -> String { try path(ofProcess: "self") }

    /// The path, in this hierarchy, of the cgroup that a process is in.
    ///
    /// - Throws: `ENOENT` when there is no such process; ``CgroupError/Cause-swift.enum/invalid(_:)`` when its cgroup
    ///   lies outside what is mounted here.
    public func path(ofProcess pid: pid_t) throws(CgroupError) -> String { try path(ofProcess: "\(pid)") }

    private func path(ofProcess process: String) throws(CgroupError) -> String {
        let file = "/proc/\(process)/cgroup"
        let text: String
        do throws(SystemError) { text = try readText(file) } catch {
            throw CgroupError(.read, path: mountPoint, file: file, cause: .kernel(error.errno))
        }
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::") }) else {
            throw CgroupError(
                .read, path: mountPoint, file: file, cause: .invalid("the process is in no version 2 cgroup"))
        }
        var path = String(line.dropFirst(3))
        // The kernel marks the cgroup of a process that outlived it.
        if path.hasSuffix(" (deleted)") { path.removeLast(10) }
        let mounted = mountedRoot()
        if mounted == "/" { return path }
        if path == mounted { return "/" }
        guard path.hasPrefix(mounted + "/") else {
            throw CgroupError(
                .read, path: mountPoint, file: file,
                cause: .invalid("\(quoted(path)) is outside of what is mounted, \(quoted(mounted))"))
        }
        return String(path.dropFirst(mounted.count))
    }

    /// Which part of the hierarchy is mounted, as the caller's cgroup namespace names it.
    private func mountedRoot() -> String {
        // The hierarchy's real root alone has no cgroup.events: one look instead of reading every mount.
        if unsafe access(mountPoint + "/cgroup.events", F_OK) != 0 { return "/" }
        var found = "/"
        for line in ((try? readText("/proc/self/mountinfo")) ?? "").split(separator: "\n") {
            // The last mount on a place hides the ones before it.
            if let mount = CgroupMount(line), mount.mountPoint == mountPoint { found = mount.root }
        }
        return found
    }

    /// The controllers that the hierarchy's root offers; empty entries of `cgroup.controllers` are none.
    public func controllers() throws(CgroupError) -> [Controller] { try root().availableControllers() }
}

/// `CGROUP2_SUPER_MAGIC` of `<linux/magic.h>`.
let cgroup2Magic: CLong = 0x6367_7270

func fileSystemType(_ path: String) -> Result<CLong, Errno> {
    var status = statfs()
    if unsafe statfs(path, &status) != 0 { return .failure(.current) }
    return .success(CLong(status.f_type))
}

func isCgroup2(_ directory: borrowing Descriptor) -> Bool {
    var status = statfs()
    return unsafe fstatfs(directory.rawValue, &status) == 0 && CLong(status.f_type) == cgroup2Magic
}

func withoutTrailingSlashes(_ path: String) -> String {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
}

/// A line of `/proc/self/mountinfo` that mounts a cgroup file system.
struct CgroupMount {
    var root: String
    var mountPoint: String
    /// 1 or 2.
    var version: Int
    /// The controllers of a version 1 mount, among its options.
    var options: [Substring]

    init?(_ line: Substring) {
        let fields = line.split(separator: " ")
        guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 1 else { return nil }
        switch fields[dash + 1] {
        case "cgroup": version = 1
        case "cgroup2": version = 2
        default: return nil
        }
        root = unescaped(fields[3])
        mountPoint = unescaped(fields[4])
        options = fields.count > dash + 3 ? fields[dash + 3].split(separator: ",") : []
    }
}

/// mountinfo writes space, tab, newline and backslash as a backslash and three octal digits.
private func unescaped(_ text: Substring) -> String {
    guard text.contains("\\") else { return String(text) }
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        if byte == 0x5c, rest.count >= 3, let code = UInt8(Substring(rest.prefix(3)), radix: 8) {
            bytes.append(code)
            rest = rest.dropFirst(3)
        } else {
            bytes.append(byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
