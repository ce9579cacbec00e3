import CLinux
import CVirtio
import Linux

/// What is done to names: finding, making, removing, moving.
extension FUSEServer {
    func lookUp(_ message: FUSEMessage) throws(Errno) {
        let directory = try nodes.directory(message.header.node)
        let name = try message.arguments.name()
        try putFound(directory, name, message.reply)
    }

    /// Answers with what is at a name.
    private func putFound(_ directory: FileNode, _ name: FUSEText, _ reply: FUSEReply) throws(Errno) {
        let attributes = try nodes.look(directory, name)
        putEntry(try nodes.enter(directory, name, attributes), attributes, reply)
    }

    func readLink(_ message: FUSEMessage) throws(Errno) {
        let node = try nodes.node(message.header.node)
        guard node.type == mode_t(S_IFLNK) else { throw .invalidArgument }
        let number = try nodes.reach(node)
        let room = min(message.room, FUSEText.longestPath + 1)
        try unsafe message.reply.fill(room) { buffer throws(Errno) in
            try attempt {
                unsafe readlinkat(number, "", buffer.assumingMemoryBound(to: CChar.self), room)
            }
        }
    }

    // MARK: - Making

    func makeDirectory(_ message: FUSEMessage) throws(Errno) {
        let mode: UInt32 = try message.arguments.read()
        try message.arguments.skip(4)
        let (directory, name, place) = try newName(message)
        try attempt { unsafe mkdirat(place, name.start, mode_t(mode & 0o1777)) }
        try finish(directory, name, mode & 0o1777, message)
    }

    func makeNode(_ message: FUSEMessage) throws(Errno) {
        let mode: UInt32 = try message.arguments.read()
        try message.arguments.skip(12)
        let (directory, name, place) = try newName(message)
        // A device here would be one of the host's.
        guard [mode_t(S_IFREG), mode_t(S_IFIFO), mode_t(S_IFSOCK)].contains(mode & mode_t(S_IFMT)) else {
            throw .notPermitted
        }
        try attempt { unsafe mknodat(place, name.start, mode_t(mode), 0) }
        try finish(directory, name, mode & 0o7777, message)
    }

    func makeSymbolicLink(_ message: FUSEMessage) throws(Errno) {
        let (directory, name, place) = try newName(message)
        let target = try message.arguments.text(most: FUSEText.longestPath)
        try attempt { unsafe symlinkat(target.start, place, name.start) }
        try finish(directory, name, nil, message)
    }

    func link(_ message: FUSEMessage) throws(Errno) {
        let old = try nodes.node(try message.arguments.read())
        guard !old.isDirectory else { throw .notPermitted }
        let (directory, name, place) = try name(message)
        let (links, number) = (links.rawValue, try nodes.reach(old))
        try attempt { unsafe bh_link(links, number, place, name.start) }
        try putFound(directory, name, message.reply)
    }

    /// The next argument as the name of what is to be made.
    ///
    /// - Throws: `ENFILE` where the guest could not be told of it.
    private func newName(_ message: FUSEMessage) throws(Errno) -> (FileNode, FUSEText, place: CInt) {
        if nodes.isFull { throw .tooManyFiles }
        return try name(message)
    }

    /// The next argument as a name in the directory that the request is about.
    private func name(_ message: FUSEMessage) throws(Errno) -> (FileNode, FUSEText, place: CInt) {
        let directory = try nodes.directory(message.header.node)
        return (directory, try message.arguments.name(), place: try nodes.reach(directory))
    }

    /// Gives what was made to the guest's user, with the permissions that were asked for, and answers with it.
    private func finish(
        _ directory: FileNode, _ name: FUSEText, _ mode: UInt32?, _ message: FUSEMessage
    ) throws(Errno) {
        let place = try nodes.reach(directory)
        if let (user, group) = owner(message, in: directory) {
            _ = unsafe fchownat(place, name.start, user, group, AT_SYMLINK_NOFOLLOW)
        }
        var attributes = try nodes.look(directory, name)
        let node = try nodes.enter(directory, name, attributes)
        if let mode, attributes.type != mode_t(S_IFLNK) {
            // The umask of this process took some away, or the change of owner did.
            let wanted = mode | (node.isDirectory ? UInt32(directory.mode) & UInt32(S_ISGID) : 0)
            if attributes.mode & 0o7777 != wanted {
                let (links, number) = (links.rawValue, try nodes.reach(node))
                if bh_change_mode(links, number, mode_t(wanted)) == 0 { attributes = try nodes.attributes(node) }
            }
        }
        putEntry(node, attributes, message.reply)
    }

    /// Whom a new file is to be given to; nil where it is theirs anyway. Where this process may not, files are its own.
    func owner(_ message: FUSEMessage, in directory: FileNode) -> (user: uid_t, group: gid_t)? {
        let header = message.header
        // A directory with the bit gives its group to what is in it.
        let group = directory.mode & mode_t(S_ISGID) != 0 ? gid_t.max : header.group
        guard header.user != geteuid() || group != .max && group != getegid() else { return nil }
        return (header.user, group)
    }

    // MARK: - Removing and moving

    func remove(_ message: FUSEMessage, isDirectory: Bool) throws(Errno) {
        let (directory, name, place) = try name(message)
        let node = known(directory, name)
        try attempt { unsafe unlinkat(place, name.start, isDirectory ? AT_REMOVEDIR : 0) }
        if let node { nodes.unname(node, directory, name) }
    }

    func rename(_ message: FUSEMessage, hasFlags: Bool) throws(Errno) {
        let arguments = message.arguments
        let source = try nodes.directory(message.header.node)
        let target = try nodes.directory(try arguments.read())
        var flags: UInt32 = 0
        if hasFlags {
            flags = try arguments.read()
            try arguments.skip(4)
        }
        let isExchange = flags & UInt32(BH_RENAME_EXCHANGE) != 0
        // A whiteout would be a device.
        guard flags & ~UInt32(BH_RENAME_NOREPLACE | BH_RENAME_EXCHANGE) == 0 else { throw .invalidArgument }
        let (oldName, newName) = (try arguments.name(), try arguments.name())
        let (from, to) = (try nodes.reach(source), try nodes.reach(target))
        let moved = known(source, oldName)
        let replaced = known(target, newName)
        try attempt { unsafe bh_rename(from, oldName.start, to, newName.start, flags) }
        // Two names of one file: nothing was moved.
        if let moved, moved === replaced { return }
        if let replaced {
            if isExchange {
                nodes.move(replaced, to: source, oldName)
            } else {
                nodes.unname(replaced, target, newName)
            }
        }
        if let moved { nodes.move(moved, to: target, newName) }
    }

    /// The node of what is at a name, if the guest knows it.
    private func known(_ directory: FileNode, _ name: FUSEText) -> FileNode? {
        guard let attributes = try? nodes.look(directory, name) else { return nil }
        return nodes.known(attributes)
    }
}
