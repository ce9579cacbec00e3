import CLinux
import CVirtio
import Linux

/// Regular files: opening, and what is done to open ones.
extension FUSEServer {
    /// `FOPEN_NOFLUSH`: nothing was written that a flush could be about.
    private static let needsNoFlush: UInt32 = 1 << 5
    /// `FUSE_OPEN_KILL_SUIDGID`, and the same of WRITE.
    private static let killsAtOpen: UInt32 = 1 << 0
    private static let killsAtWrite: UInt32 = 1 << 2
    /// The most bytes copied in one request: the guest asks for the rest.
    private static let mostCopied = 16 << 20
    /// The flags of the guest's open that are the server's, too. O_DIRECT is not: what it asks of addresses does not
    /// hold for the guest's.
    private static let kept = O_ACCMODE | O_APPEND | O_TRUNC | O_SYNC | O_DSYNC

    func open(_ message: FUSEMessage) throws(Errno) {
        let flags = CInt(truncatingIfNeeded: try message.arguments.read(UInt32.self))
        let more: UInt32 = try message.arguments.read()
        let node = try nodes.node(message.header.node)
        putOpen(try open(node, flags, isKilling: more & Self.killsAtOpen != 0), message.reply)
    }

    private func open(_ node: FileNode, _ flags: CInt, isKilling: Bool) throws(Errno) -> OpenFile {
        let flags = flags & Self.kept
        try checkRoomForFile()
        let descriptor = try reopen(node, flags)
        if isKilling && flags & O_TRUNC != 0 { try killPrivileges(descriptor.rawValue) }
        return add(descriptor, of: node, isDirectory: false, flags: flags & ~O_TRUNC)
    }

    /// Opens the very file of a node, if it is a regular one.
    func reopen(_ node: FileNode, _ flags: CInt) throws(Errno) -> Descriptor {
        guard !node.isDirectory else { throw .isADirectory }
        // To open a device or a pipe does something to it.
        guard node.type == mode_t(S_IFREG) else { throw .notPermitted }
        guard flags & O_ACCMODE != O_ACCMODE else { throw .invalidArgument }
        if options.isReadOnly && (flags & O_ACCMODE != O_RDONLY || flags & O_TRUNC != 0) { throw .readOnlyFileSystem }
        let (links, number) = (links.rawValue, try nodes.reach(node))
        return Descriptor(owning: try attempt { bh_reopen(links, number, flags) })
    }

    private func putOpen(_ file: OpenFile, _ reply: FUSEReply) {
        reply.put(file.id)
        reply.put(file.flags & O_ACCMODE == O_RDONLY ? Self.needsNoFlush : 0)
        reply.put(UInt32(0))
    }

    func create(_ message: FUSEMessage) throws(Errno) {
        let arguments = message.arguments
        let flags = CInt(truncatingIfNeeded: try arguments.read(UInt32.self))
        let mode = mode_t(try arguments.read(UInt32.self) & 0o7777)
        try arguments.skip(4)
        let more: UInt32 = try arguments.read()
        let directory = try nodes.directory(message.header.node)
        let name = try arguments.name()
        guard flags & O_ACCMODE != O_ACCMODE else { throw .invalidArgument }
        try checkRoomForFile()
        let place = try nodes.reach(directory)
        // Nothing is made of which the guest could not be told.
        if nodes.isFull, (try? nodes.look(directory, name)) == nil { throw .tooManyFiles }

        // Always of its own: what is there already may be anything, and is opened as that.
        let new = UInt64(UInt32(bitPattern: flags & Self.kept | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC))
        let beneath = UInt64(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)
        let made: Descriptor?
        do throws(Errno) {
            made = Descriptor(
                owning: try attempt { unsafe bh_openat2(place, name.start, new, UInt64(mode), beneath) })
        } catch {
            guard error == .fileExists, flags & O_EXCL == 0 else { throw error }
            made = nil
        }
        guard let descriptor = made else {
            let attributes = try nodes.look(directory, name)
            guard attributes.type == mode_t(S_IFREG) else { throw .fileExists }
            let node = try nodes.enter(directory, name, attributes)
            do throws(Errno) {
                let file = try open(node, flags, isKilling: more & Self.killsAtOpen != 0)
                putEntry(node, try nodes.attributes(node), message.reply)
                return putOpen(file, message.reply)
            } catch {
                // The guest is not told of the lookup.
                nodes.forget(node.id, 1)
                throw error
            }
        }
        let number = descriptor.rawValue
        if let (user, group) = owner(message, in: directory) { _ = fchown(number, user, group) }
        var attributes = bh_attributes()
        try attempt { unsafe bh_attributes(number, "", &attributes) }
        if attributes.mode & 0o7777 != mode, bh_change_mode(links.rawValue, number, mode) == 0 {
            attributes.mode = attributes.mode & ~0o7777 | mode
        }
        let node = try nodes.enter(directory, name, attributes)
        putEntry(node, attributes, message.reply)
        putOpen(
            add(descriptor, of: node, isDirectory: false, flags: flags & Self.kept & ~O_TRUNC), message.reply)
    }

    // MARK: - Contents

    /// Reads straight into the guest's memory.
    ///
    /// - Returns: how many bytes.
    func read(_ message: FUSEMessage) throws(Errno) -> Int {
        let id: UInt64 = try message.arguments.read()
        let offset: UInt64 = try message.arguments.read()
        let size: UInt32 = try message.arguments.read()
        let number = try file(id, isDirectory: false).number
        let wanted = min(Int(size), message.room, message.dataCount)
        let start = try place(offset, wanted)
        message.data.limit(to: wanted)
        var done = 0
        while done < wanted {
            let got: Int
            do throws(Errno) {
                got = try attempt {
                    unsafe preadv(number, message.data.start, message.data.callCount, start + off_t(done))
                }
            } catch {
                if done > 0 { break }
                throw error
            }
            if got == 0 { break }
            message.data.advance(got)
            done += got
        }
        return done
    }

    /// Writes straight from the guest's memory.
    func write(_ message: FUSEMessage) throws(Errno) {
        let id: UInt64 = try message.arguments.read()
        let offset: UInt64 = try message.arguments.read()
        let size: UInt32 = try message.arguments.read()
        let flags: UInt32 = try message.arguments.read()
        let number = try file(id, isDirectory: false).number
        let wanted = Int(size)
        guard wanted <= message.dataCount else { throw .invalidArgument }
        let start = try place(offset, wanted)
        message.data.limit(to: wanted)
        if flags & Self.killsAtWrite != 0 { try killPrivileges(number) }
        var done = 0
        while done < wanted {
            do throws(Errno) {
                let put = try attempt {
                    unsafe pwritev(number, message.data.start, message.data.callCount, start + off_t(done))
                }
                if put == 0 { break }
                message.data.advance(put)
                done += put
            } catch {
                if done > 0 { break }
                throw error
            }
        }
        message.reply.put(UInt32(done))
        message.reply.put(UInt32(0))
    }

    /// An offset that is one of a file, also at the end of so many bytes.
    private func place(_ offset: UInt64, _ count: Int) throws(Errno) -> off_t {
        guard let start = off_t(exactly: offset), !start.addingReportingOverflow(off_t(count)).overflow else {
            throw .invalidArgument
        }
        return start
    }

    func allocate(_ message: FUSEMessage) throws(Errno) {
        let id: UInt64 = try message.arguments.read()
        let offset: UInt64 = try message.arguments.read()
        let length: UInt64 = try message.arguments.read()
        let mode: UInt32 = try message.arguments.read()
        guard let count = Int(exactly: length) else { throw .invalidArgument }
        let start = try place(offset, count)
        let number = try file(id, isDirectory: false).number
        try attempt { fallocate(number, CInt(truncatingIfNeeded: mode), start, off_t(count)) }
    }

    func seek(_ message: FUSEMessage) throws(Errno) {
        let id: UInt64 = try message.arguments.read()
        let offset: UInt64 = try message.arguments.read()
        let whence: UInt32 = try message.arguments.read()
        let number = try file(id, isDirectory: false).number
        let start = try place(offset, 0)
        // Where data or a hole begins; the guest knows the rest by itself.
        guard whence == UInt32(SEEK_DATA) || whence == UInt32(SEEK_HOLE) else { throw .invalidArgument }
        message.reply.put(UInt64(try attempt { lseek(number, start, CInt(whence)) }))
    }

    func copyRange(_ message: FUSEMessage) throws(Errno) {
        let arguments = message.arguments
        let source: UInt64 = try arguments.read()
        let sourceOffset: UInt64 = try arguments.read()
        try arguments.skip(8)
        let target: UInt64 = try arguments.read()
        let targetOffset: UInt64 = try arguments.read()
        let length: UInt64 = try arguments.read()
        let count = Int(min(length, UInt64(Self.mostCopied)))
        let from = try file(source, isDirectory: false).number
        let to = try file(target, isDirectory: false).number
        let (first, second) = (try place(sourceOffset, count), try place(targetOffset, count))
        let copied = try attempt { bh_copy_range(from, Int64(first), to, Int64(second), count) }
        message.reply.put(UInt32(copied))
        message.reply.put(UInt32(0))
    }
}
