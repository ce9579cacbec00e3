import CLinux
import CVirtio
import Linux

/// What the guest knows and has open, saved and taken up again.
///
/// A file is saved as its name in its parent and as what it is: number, type, time of birth. It is looked for when the
/// guest next uses it, and a file that is not there or is another one then is stale, as on a network's file system. So
/// no change of the directory in between makes a guest that was saved useless.
extension FUSEServer {
    func save(into encoder: inout StateEncoder) {
        encoder.write(options.isReadOnly)
        encoder.write(session != nil)
        encoder.write(session?.minor ?? 0)
        encoder.write(session?.features ?? 0)
        encoder.write(nextFile)
        encoder.write(nodes.lastID)
        let order = nodes.parentsFirst
        encoder.write(UInt32(order.count))
        for node in order {
            encoder.write(node.id)
            encoder.write(node.parent)
            encoder.write(node.name.map { UInt8(bitPattern: $0) }.dropLast())
            encoder.write(node.lookups)
            // The number of a device may be another after a restart: only that it is the root's own is sure.
            let isOnRootDevice = node.identity.device == nodes.root.identity.device
            encoder.write(isOnRootDevice)
            encoder.write(isOnRootDevice ? 0 : node.identity.device)
            encoder.write(node.identity.inode)
            encoder.write(node.birth)
            encoder.write(UInt32(node.mode))
        }
        let files = nodes.openFiles.values.sorted { $0.id < $1.id }
        encoder.write(UInt32(files.count))
        for file in files {
            encoder.write(file.id)
            encoder.write(file.node)
            encoder.write(file.isDirectory)
            encoder.write(file.flags)
        }
    }

    /// - Throws: ``StateError`` for what was never saved, or by a share that could be written where this can't. A file
    ///   that is gone is no error.
    func restore(from decoder: inout StateDecoder) throws(StateError) {
        reset()
        do throws(StateError) { try takeUp(&decoder) } catch {
            reset()
            throw error
        }
    }

    private func takeUp(_ decoder: inout StateDecoder) throws(StateError) {
        guard try decoder.readFlag() == options.isReadOnly else {
            throw .mismatch("only one of the two shares is read-only")
        }
        let hasSession = try decoder.readFlag()
        let minor: UInt32 = try decoder.read()
        let features: UInt32 = try decoder.read()
        if hasSession {
            guard (FUSEServer.oldestMinor...FUSEServer.newestMinor).contains(minor),
                features & ~FUSEFeatures.wanted.rawValue == 0
            else { throw .malformed("a protocol that is not spoken here") }
            session = Session(minor: minor, features: features)
        }
        nextFile = try decoder.read()
        let lastNode: UInt64 = try decoder.read()
        guard nextFile > 0, nextFile < .max / 2, lastNode < .max / 2 else { throw .malformed("a number used up") }
        try takeUpNodes(&decoder)
        guard nodes.lastID <= lastNode else { throw .malformed("a node that was not yet made") }
        nodes.skipNumbers(to: lastNode)
        let count: UInt32 = try decoder.read()
        guard count <= options.openLimit else { throw .mismatch("\(count) open files are more than are allowed") }
        for _ in 0..<count { try takeUpFile(&decoder) }
        // What nobody holds was never saved.
        guard nodes.nodes.values.allSatisfy({ $0.lookups > 0 || $0.children > 0 || !$0.files.isEmpty || $0.id == 1 })
        else { throw .malformed("a node that nobody needs") }
    }

    private func takeUpNodes(_ decoder: inout StateDecoder) throws(StateError) {
        let count: UInt32 = try decoder.read()
        guard count < options.nodeLimit else { throw .mismatch("\(count) files are more than are allowed") }
        for _ in 0..<count {
            let id: UInt64 = try decoder.read()
            let parent: UInt64 = try decoder.read()
            let name = try decoder.readBlock().map { CChar(bitPattern: $0) }
            let lookups: UInt64 = try decoder.read()
            let isOnRootDevice = try decoder.readFlag()
            let device: UInt64 = try decoder.read()
            let inode: UInt64 = try decoder.read()
            let birth: UInt64 = try decoder.read()
            let mode: UInt32 = try decoder.read()
            guard unsafe name.isEmpty || name.withUnsafeBufferPointer({ unsafe FUSEText.isName($0) }) else {
                throw .malformed("a name that leads elsewhere")
            }
            let node = FileNode(
                id: id,
                identity: FileIdentity(
                    device: isOnRootDevice ? nodes.root.identity.device : device, inode: inode),
                birth: birth, mode: mode_t(mode), parent: parent, name: name.isEmpty ? [] : name + [0])
            node.lookups = lookups
            guard nodes.restore(node) else { throw .malformed("a node without a place") }
        }
    }

    private func takeUpFile(_ decoder: inout StateDecoder) throws(StateError) {
        let id: UInt64 = try decoder.read()
        let owner: UInt64 = try decoder.read()
        let isDirectory = try decoder.readFlag()
        let flags: CInt = try decoder.read()
        guard id > 0, id < nextFile, nodes.openFiles[id] == nil, let node = nodes.nodes[owner],
            node.isDirectory == isDirectory
        else { throw .malformed("an open file that is none") }
        nodes.beginRequest()
        var descriptor: Descriptor?
        do throws(Errno) {
            descriptor = isDirectory ? try openDirectory(node) : try reopen(node, flags & FUSEServer.restored)
        } catch { descriptor = nil }
        nodes.openFiles[id] = OpenFile(
            id: id, node: owner, isDirectory: isDirectory, flags: flags, descriptor: descriptor)
        node.files.append(id)
    }

    /// The flags of an open file that hold for its whole life.
    private static let restored = O_ACCMODE | O_APPEND | O_SYNC | O_DSYNC
}
