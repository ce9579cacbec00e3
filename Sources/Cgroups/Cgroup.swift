import CLinux
import Linux

/// A control group: a directory of a cgroup2 file system, held by a descriptor; `cgroups(7)`.
///
/// Everything is reached from the held directory, so a handle never means another cgroup, even when its path is
/// taken by a new one later. Only ``remove(killing:timeoutMilliseconds:)`` goes by path.
///
///     let hierarchy = try CgroupHierarchy.find()
///     let box = try hierarchy.create("/demo/box", applying: ResourceLimits(memory: MemoryLimits(max: .mebibytes(64))))
///     try box.add(process: pid)
///     print(try box.statistics().memory?.current ?? 0)
///     try box.remove(killing: true)
public struct Cgroup: ~Copyable, Sendable {
    /// The directory, open for reading: what `CLONE_INTO_CGROUP` and `BPF_PROG_ATTACH` want.
    public let directory: Descriptor

    /// The directory's path.
    public let path: String

    /// The mounted hierarchy that it is part of.
    public let hierarchy: CgroupHierarchy

    /// How many of the path's last levels this handle's making created: 0 when the cgroup was there before.
    public let createdLevels: Int

    /// A fixture's files are ordinary ones: appending to them keeps every write for a test to see.
    let isFixture: Bool

    init(
        directory: consuming Descriptor, path: String, hierarchy: CgroupHierarchy, createdLevels: Int = 0,
        isFixture: Bool = false
    ) {
        self.directory = directory
        self.path = path
        self.hierarchy = hierarchy
        self.createdLevels = createdLevels
        self.isFixture = isFixture
    }

    /// Opens the cgroup at a path of any mounted cgroup2 file system.
    ///
    /// - Throws: `ENOENT` when it does not exist, `EINVAL` when it is not a directory of a cgroup2 file system.
    public init(opening path: String) throws(CgroupError) {
        guard path.hasPrefix("/") else {
            throw CgroupError(.open, path: path, cause: .invalid("it is no absolute path"))
        }
        let path = withoutTrailingSlashes(path)
        let opened = try openDirectory(path)
        guard isCgroup2(opened) else {
            throw CgroupError(
                .open, path: path, cause: .invalid("it is no directory of a cgroup2 file system"))
        }
        self.init(directory: opened, path: path, hierarchy: CgroupHierarchy(above: path))
    }

    /// Opens a plain folder as if it were a cgroup, for tests of file formats.
    init(fixture path: String) throws(CgroupError) {
        self.init(
            directory: try openDirectory(path), path: path,
            hierarchy: CgroupHierarchy(
                unchecked: String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))),
            isFixture: true)
    }

    /// The path as the kernel writes it in `/proc/PID/cgroup`, from the hierarchy's mount point: `/` for its root.
    public var relativePath: String {
        let relative = path.dropFirst(hierarchy.mountPoint.count)
        return relative.isEmpty ? "/" : String(relative)
    }

    /// The last part of the path.
    public var name: String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// Whether this is the root of the mounted hierarchy, which has few files and no limits.
    public var isRoot: Bool { path == hierarchy.mountPoint }

    /// For what would meet every process of the machine, or of the cgroup namespace.
    func refuseRoot(_ operation: CgroupError.Operation) throws(CgroupError) {
        if isRoot { throw refusalOfRoot(operation) }
    }

    func refusalOfRoot(_ operation: CgroupError.Operation) -> CgroupError {
        CgroupError(operation, path: path, cause: .kernel(.busy), hint: "it is the mounted root")
    }

    /// Opens a cgroup directly below this one.
    ///
    /// - Parameter name: one level's name, without a slash.
    public func child(_ name: String) throws(CgroupError) -> Cgroup {
        let childPath = path + "/" + name
        try CgroupError.checkLevel(name, of: childPath)
        let parent = directory.rawValue
        do throws(SystemError) {
            let number = try systemCall("") {
                unsafe bh_openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0)
            }
            return Cgroup(
                directory: Descriptor(owning: number), path: childPath, hierarchy: hierarchy, isFixture: isFixture)
        } catch { throw CgroupError(.open, path: childPath, cause: .kernel(error.errno)) }
    }

    /// The cgroup above, nil for the mounted root.
    public func parent() throws(CgroupError) -> Cgroup? {
        guard let above = parentPath else { return nil }
        return Cgroup(directory: try openDirectory(above), path: above, hierarchy: hierarchy, isFixture: isFixture)
    }

    var parentPath: String? {
        guard !isRoot, let slash = path.lastIndex(of: "/") else { return nil }
        let above = String(path[..<slash])
        return above.count < hierarchy.mountPoint.count ? nil : above
    }

    /// The names of the cgroups directly below, in the kernel's order.
    public func children() throws(CgroupError) -> [String] {
        do throws(SystemError) { return try subdirectories(of: directory.rawValue) } catch {
            throw CgroupError(.list, path: path, cause: .kernel(error.errno))
        }
    }
}

/// Opens a directory, for reading its names.
func openDirectory(_ path: String) throws(CgroupError) -> Descriptor {
    do throws(SystemError) {
        return Descriptor(
            owning: try systemCall("") { unsafe bh_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) })
    } catch { throw CgroupError(.open, path: path, cause: .kernel(error.errno)) }
}

/// The names of the directories in a directory, through a descriptor of its own: the listing's position is not shared.
func subdirectories(of directory: CInt, limit: Int = .max) throws(SystemError) -> [String] {
    let listing = Descriptor(
        owning: try systemCall("open") { unsafe bh_openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) })
    let number = CLong(listing.rawValue)
    var names: [String] = []
    // linux_dirent64: inode and offset of 8 bytes each, the record's length in 2, the type in 1, the name.
    var buffer = [4096 of UInt8](repeating: 0)
    while names.count < limit {
        var span = buffer.mutableSpan
        let count = unsafe try span.withUnsafeMutableBytes { bytes throws(SystemError) in
            let address = CLong(bitPattern: bytes.baseAddress!)
            return try systemCall("getdents64") { bh_syscall3(CLong(SYS_getdents64), number, address, 4096) }
        }
        if count == 0 { break }
        var start = 0
        while start < count, names.count < limit {
            let length = Int(buffer[start + 16]) | Int(buffer[start + 17]) << 8
            if buffer[start + 18] == 4 {
                var name: [UInt8] = []
                var index = start + 19
                while index < start + length, buffer[index] != 0 {
                    name.append(buffer[index])
                    index += 1
                }
                if name != [0x2e] && name != [0x2e, 0x2e] { names.append(String(decoding: name, as: UTF8.self)) }
            }
            start += length
        }
    }
    return names
}
