import CLinux
import CVirtio
import Linux

/// Directories: opening and reading.
extension FUSEServer {
    /// Bytes asked of the kernel at once; one entry takes up to 280.
    private static let fewestRead = 512
    static let mostRead = 32 << 10
    /// `struct fuse_dirent` without the name.
    private static let recordSize = 24

    func openDirectory(_ message: FUSEMessage) throws(Errno) {
        let node = try nodes.directory(message.header.node)
        try checkRoomForFile()
        let file = add(try openDirectory(node), of: node, isDirectory: true, flags: O_RDONLY | O_DIRECTORY)
        message.reply.put(file.id)
        message.reply.put(UInt64(0))
    }

    func openDirectory(_ node: FileNode) throws(Errno) -> Descriptor {
        let place = try nodes.reach(node)
        return Descriptor(
            owning: try attempt { unsafe bh_openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) })
    }

    /// Entries from an offset on, as many as there is room for; with lookups of them where `isPlus`.
    ///
    /// An offset is the host's file system's own, so nothing has to be remembered between two requests.
    func readDirectory(_ message: FUSEMessage, isPlus: Bool) throws(Errno) {
        let id: UInt64 = try message.arguments.read()
        let offset: UInt64 = try message.arguments.read()
        let size: UInt32 = try message.arguments.read()
        let file = try file(id, isDirectory: true)
        let number = try file.number
        let node = try nodes.node(file.node)
        guard let start = off_t(exactly: offset) else { throw .invalidArgument }
        try attempt { lseek(number, start, SEEK_SET) }

        let room = min(Int(size), message.room, FUSEReply.capacity)
        var isFull = false
        while !isFull {
            // With attributes the answer's entries are several times as large as the kernel's.
            let left = (room - message.reply.count) / (isPlus ? 4 : 1)
            let wanted = min(max(left, Self.fewestRead), Self.mostRead)
            let count = try attempt { unsafe bh_directory_entries(number, scratch.baseAddress!, wanted) }
            if count == 0 { return }
            var place = 0
            while place + 19 <= count, !isFull {
                // struct linux_dirent64: number, offset, length, type, name.
                let entry = unsafe UnsafeRawBufferPointer(rebasing: scratch[place..<count])
                let length = unsafe Int(entry.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
                guard length > 19, length <= entry.count else { throw .ioError }
                let name = unsafe (entry.baseAddress! + 19).assumingMemoryBound(to: CChar.self)
                let text = unsafe FUSEText(start: name, count: strnlen(name, length - 19))
                isFull = unsafe !put(
                    Entry(
                        inode: entry.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                        offset: entry.loadUnaligned(fromByteOffset: 8, as: UInt64.self), type: entry[18], name: text),
                    of: node, in: number, isPlus: isPlus, room: room, message.reply)
                place += length
            }
        }
        // Not even one fits.
        if message.reply.count == 0 { throw .invalidArgument }
    }

    private struct Entry {
        var inode: UInt64
        var offset: UInt64
        var type: UInt8
        var name: FUSEText
    }

    /// - Returns: false where there is no room for it.
    private func put(
        _ entry: Entry, of node: FileNode, in directory: CInt, isPlus: Bool, room: Int, _ reply: FUSEReply
    ) -> Bool {
        let size = (Self.recordSize + entry.name.count + 7) & ~7
        guard room - reply.count >= size + (isPlus ? FUSEReply.entrySize : 0) else { return false }
        // "." and "..", which nobody looks up. What is above the root is nobody's business.
        let isName = entry.name.isName
        let inode = !isName && node === nodes.root ? node.identity.inode : entry.inode
        if isPlus {
            var attributes = bh_attributes()
            if isName, unsafe bh_attributes(directory, entry.name.start, &attributes) == 0,
                let found = try? nodes.enter(node, entry.name, attributes)
            {
                putEntry(found, attributes, reply)
            } else {
                // Without a node's number it is a name and no lookup.
                reply.putZeros(FUSEReply.entrySize)
            }
        }
        reply.put(inode)
        reply.put(entry.offset)
        reply.put(UInt32(entry.name.count))
        reply.put(UInt32(entry.type))
        unsafe reply.put(UnsafeRawBufferPointer(start: entry.name.start, count: entry.name.count))
        reply.putZeros(size - Self.recordSize - entry.name.count)
        return true
    }
}
