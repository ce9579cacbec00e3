import CLinux
import CVirtio
import Linux

/// Which file it is, however it is called.
struct FileIdentity: Hashable {
    var device: UInt64
    var inode: UInt64

    init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    init(_ attributes: bh_attributes) { self.init(device: attributes.device, inode: attributes.inode) }
}

extension bh_attributes {
    var type: mode_t { mode & mode_t(S_IFMT) }
}

/// A file that the guest knows: `nodeid` of the protocol.
///
/// It is found again by its name in its parent, or by a descriptor of it where there is one. So a guest may know many
/// more files than the host's process may have open.
final class FileNode {
    let id: UInt64
    var identity: FileIdentity
    /// When the file was made, 0 where its file system does not say. A number may be used for another file later.
    var birth: UInt64
    /// Type and permissions, as last seen; a file's type never changes.
    var mode: mode_t
    /// Where it was last seen: its name with a NUL, empty where it has none any more.
    var parent: UInt64
    var name: [CChar]
    /// How often the guest was told of it and did not forget that.
    var lookups: UInt64 = 0
    /// Nodes of which this is the parent.
    var children = 0
    /// Open files of the guest's.
    var files: [UInt64] = []
    /// A descriptor of it as a place (`O_PATH`), and where in the table of those it stands.
    var place: Descriptor?
    var slot = -1
    /// The request that last used the descriptor.
    var lastUse: UInt64 = 0
    /// Whether it was used since the hand of the clock came by.
    var isRecent = false
    /// It was saved: whether it is still the same file has to be seen.
    var isRestored = false

    init(id: UInt64, identity: FileIdentity, birth: UInt64, mode: mode_t, parent: UInt64, name: [CChar]) {
        self.id = id
        self.identity = identity
        self.birth = birth
        self.mode = mode
        self.parent = parent
        self.name = name
    }

    var type: mode_t { mode & mode_t(S_IFMT) }
    var isDirectory: Bool { type == mode_t(S_IFDIR) }

    /// Whether what was found is this file.
    func matches(_ attributes: bh_attributes) -> Bool {
        guard FileIdentity(attributes) == identity, attributes.type == type else { return false }
        return !isRestored || attributes.birth == birth
    }

    func isAt(_ parent: UInt64, _ name: FUSEText) -> Bool {
        unsafe self.parent == parent && self.name.count == name.count + 1
            && self.name.withUnsafeBufferPointer { unsafe memcmp($0.baseAddress!, name.start, name.count) == 0 }
    }
}

extension Errno {
    /// The file is not there any more, or is another one.
    static let stale = Errno(rawValue: ESTALE)
    /// The host has no room for more open files, or the guest has as many as it may.
    static let tooManyFiles = Errno(rawValue: ENFILE)
}
