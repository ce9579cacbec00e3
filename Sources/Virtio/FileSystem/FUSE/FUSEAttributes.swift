import CLinux
import CVirtio
import Linux

/// Attributes, extended ones too.
extension FUSEServer {
    /// `FATTR_*` of SETATTR.
    private struct Change: OptionSet {
        let rawValue: UInt32
        static let mode = Change(rawValue: 1 << 0)
        static let user = Change(rawValue: 1 << 1)
        static let group = Change(rawValue: 1 << 2)
        static let size = Change(rawValue: 1 << 3)
        static let accessed = Change(rawValue: 1 << 4)
        static let modified = Change(rawValue: 1 << 5)
        static let file = Change(rawValue: 1 << 6)
        static let accessedNow = Change(rawValue: 1 << 7)
        static let modifiedNow = Change(rawValue: 1 << 8)
        static let killPrivileges = Change(rawValue: 1 << 11)
    }

    func getAttributes(_ message: FUSEMessage) throws(Errno) {
        let flags: UInt32 = try message.arguments.read()
        try message.arguments.skip(4)
        let id: UInt64 = try message.arguments.read()
        let node = try nodes.node(message.header.node)
        var attributes = bh_attributes()
        // FUSE_GETATTR_FH
        if flags & 1 != 0, let file = nodes.openFiles[id], file.node == node.id {
            let number = try file.number
            try attempt { unsafe bh_attributes(number, "", &attributes) }
        } else {
            attributes = try nodes.attributes(node)
        }
        putAttributes(attributes, message.reply)
    }

    func setAttributes(_ message: FUSEMessage) throws(Errno) {
        let arguments = message.arguments
        let change = Change(rawValue: try arguments.read())
        try arguments.skip(4)
        let id: UInt64 = try arguments.read()
        let size: UInt64 = try arguments.read()
        try arguments.skip(8)
        let accessed: Int64 = try arguments.read()
        let modified: Int64 = try arguments.read()
        try arguments.skip(8)
        let accessedPart: UInt32 = try arguments.read()
        let modifiedPart: UInt32 = try arguments.read()
        try arguments.skip(4)
        let mode: UInt32 = try arguments.read()
        try arguments.skip(4)
        let user: UInt32 = try arguments.read()
        let group: UInt32 = try arguments.read()

        let node = try nodes.node(message.header.node)
        let file: OpenFile? = change.contains(.file) ? try self.file(id, isDirectory: false) : nil
        guard file == nil || file?.node == node.id else { throw .badDescriptor }
        let number = if let file { try file.number } else { try nodes.reach(node) }
        let links = links.rawValue

        if change.contains(.mode) {
            // A link has no permissions of its own.
            guard node.type != mode_t(S_IFLNK) else { throw .notSupported }
            try attempt { bh_change_mode(links, number, mode_t(mode & 0o7777)) }
        }
        if !change.isDisjoint(with: [.user, .group]) {
            let (user, group) = (change.contains(.user) ? user : .max, change.contains(.group) ? group : .max)
            try attempt { unsafe fchownat(number, "", user, group, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) }
        }
        if change.contains(.size) {
            guard let length = off_t(exactly: size) else { throw .invalidArgument }
            if let file, file.flags & O_ACCMODE != O_RDONLY {
                try attempt { ftruncate(number, length) }
            } else {
                let opened = try reopen(node, O_WRONLY)
                let writable = opened.rawValue
                try attempt { ftruncate(writable, length) }
            }
            if change.contains(.killPrivileges) { try killPrivileges(number) }
        }
        if !change.isDisjoint(with: [.accessed, .modified]) {
            func part(_ given: Change, _ now: Change, _ nanoseconds: UInt32) -> UInt32 {
                guard change.contains(given) else { return UInt32(BH_UTIME_OMIT) }
                return change.contains(now) ? UInt32(BH_UTIME_NOW) : min(nanoseconds, 999_999_999)
            }
            let (first, second) = (
                part(.accessed, .accessedNow, accessedPart), part(.modified, .modifiedNow, modifiedPart)
            )
            try attempt { bh_set_times(links, number, accessed, first, modified, second) }
        }
        var attributes = bh_attributes()
        try attempt { unsafe bh_attributes(number, "", &attributes) }
        node.mode = mode_t(attributes.mode)
        putAttributes(attributes, message.reply)
    }

    /// Takes set-id bits from a file that another user changed.
    func killPrivileges(_ number: CInt) throws(Errno) {
        var attributes = bh_attributes()
        try attempt { unsafe bh_attributes(number, "", &attributes) }
        var gone = mode_t(S_ISUID)
        // Without the right to execute, the bit is about locks and not about groups.
        if attributes.mode & 0o010 != 0 { gone |= mode_t(S_ISGID) }
        guard attributes.type == mode_t(S_IFREG), attributes.mode & UInt32(gone) != 0 else { return }
        let (links, mode) = (links.rawValue, mode_t(attributes.mode & 0o7777) & ~gone)
        try attempt { bh_change_mode(links, number, mode) }
    }

    /// For a guest whose kernel leaves it to us: by owner, group and others, as the guest's root may do anything but
    /// execute what nobody may.
    func access(_ message: FUSEMessage) throws(Errno) {
        let mask: UInt32 = try message.arguments.read()
        let node = try nodes.node(message.header.node)
        let attributes = try nodes.attributes(node)
        let wanted = mask & 7
        if options.isReadOnly && wanted & 2 != 0 { throw .readOnlyFileSystem }
        if message.header.user == 0 {
            let isExecutable = node.isDirectory || attributes.mode & 0o111 != 0
            guard wanted & 1 == 0 || isExecutable else { throw .permissionDenied }
            return
        }
        let shift: UInt32 =
            message.header.user == attributes.user ? 6 : message.header.group == attributes.group ? 3 : 0
        guard attributes.mode >> shift & wanted == wanted else { throw .permissionDenied }
    }

    func statistics(_ message: FUSEMessage) throws(Errno) {
        let number = try nodes.reach(try nodes.node(message.header.node))
        var space = bh_space()
        try attempt { unsafe bh_space(number, &space) }
        let reply = message.reply
        for value in [space.blocks, space.free, space.available, space.files, space.free_files] { reply.put(value) }
        for value in [space.block_size, space.name_length, space.fragment_size] { reply.put(value) }
        reply.putZeros(80 - reply.count)
    }

    // MARK: - Extended attributes

    /// Only what belongs to users: those of the host's security modules and capabilities are not the guest's.
    private func isAllowed(_ name: FUSEText) -> Bool { name.hasPrefix("user.") && name.count > 5 }

    private func extended(_ message: FUSEMessage) throws(Errno) -> CInt {
        let node = try nodes.node(message.header.node)
        guard node.isDirectory || node.type == mode_t(S_IFREG) else { throw .notSupported }
        return try nodes.reach(node)
    }

    func getExtended(_ message: FUSEMessage) throws(Errno) {
        let size: UInt32 = try message.arguments.read()
        try message.arguments.skip(4)
        let name = try message.arguments.text(most: FUSEText.longestName)
        guard isAllowed(name) else { throw .notSupported }
        let number = try extended(message)
        try unsafe putExtended(size, message) { buffer, room in unsafe bh_get_extended(number, name.start, buffer, room)
        }
    }

    func listExtended(_ message: FUSEMessage) throws(Errno) {
        let size: UInt32 = try message.arguments.read()
        let number = try extended(message)
        // All of them first: what the guest does not see does not count.
        var all = [CChar](repeating: 0, count: 64 << 10)
        let count = try attempt { unsafe bh_list_extended(number, &all, all.count) }
        var list: [UInt8] = []
        for name in all[0..<count].split(separator: 0) where name.starts(with: "user.".utf8.map { CChar($0) }) {
            list += name.map { UInt8(bitPattern: $0) } + [0]
        }
        if size == 0 { return putSize(list.count, message.reply) }
        guard list.count <= min(Int(size), message.room) else { throw .outOfRange }
        unsafe list.withUnsafeBytes { unsafe message.reply.put($0) }
    }

    /// The value, or with a size of 0 how long it is.
    private func putExtended(
        _ size: UInt32, _ message: FUSEMessage, _ call: (UnsafeMutableRawPointer?, Int) -> Int
    ) throws(Errno) {
        if size == 0 {
            return putSize(try attempt { call(nil, 0) }, message.reply)
        }
        let room = min(Int(size), message.room, FUSEReply.capacity)
        try unsafe message.reply.fill(room) { buffer throws(Errno) in
            try attempt { unsafe call(buffer, room) }
        }
    }

    private func putSize(_ count: Int, _ reply: FUSEReply) {
        reply.put(UInt32(clamping: count))
        reply.put(UInt32(0))
    }

    func setExtended(_ message: FUSEMessage) throws(Errno) {
        let size: UInt32 = try message.arguments.read()
        let flags: UInt32 = try message.arguments.read()
        if session?.has(.extendedSetExtended) == true { try message.arguments.skip(8) }
        let name = try message.arguments.text(most: FUSEText.longestName)
        let value = try unsafe message.arguments.take(Int(size))
        guard isAllowed(name) else { throw .notSupported }
        let number = try extended(message)
        // XATTR_CREATE and XATTR_REPLACE.
        try attempt { unsafe bh_set_extended(number, name.start, value, Int(size), CInt(flags & 3)) }
    }

    func removeExtended(_ message: FUSEMessage) throws(Errno) {
        let name = try message.arguments.text(most: FUSEText.longestName)
        guard isAllowed(name) else { throw .notSupported }
        let number = try extended(message)
        try attempt { unsafe bh_remove_extended(number, name.start) }
    }

    // MARK: - Answers

    /// `struct fuse_attr_out`.
    func putAttributes(_ attributes: bh_attributes, _ reply: FUSEReply) {
        putValidity(reply, times: 1)
        reply.put(UInt32(0))
        putAttributesAlone(attributes, reply)
    }

    /// `struct fuse_entry_out`.
    func putEntry(_ node: FileNode, _ attributes: bh_attributes, _ reply: FUSEReply) {
        reply.put(node.id)
        // The generation: no number of a node is used twice.
        reply.put(UInt64(0))
        putValidity(reply, times: 2)
        putAttributesAlone(attributes, reply)
    }

    /// For how long an answer holds: seconds first, then nanoseconds.
    private func putValidity(_ reply: FUSEReply, times: Int) {
        for _ in 0..<times { reply.put(UInt64(options.cacheTime / 1000)) }
        for _ in 0..<times { reply.put(options.cacheTime % 1000 * 1_000_000) }
    }

    /// `struct fuse_attr`.
    private func putAttributesAlone(_ attributes: bh_attributes, _ reply: FUSEReply) {
        for value in [attributes.inode, attributes.size, attributes.blocks] { reply.put(value) }
        for value in [attributes.accessed, attributes.modified, attributes.changed] { reply.put(value) }
        for value in [attributes.accessed_part, attributes.modified_part, attributes.changed_part] { reply.put(value) }
        for value in [attributes.mode, attributes.links, attributes.user, attributes.group] { reply.put(value) }
        for value in [attributes.represented_device, attributes.block_size, 0] { reply.put(value) }
    }
}
