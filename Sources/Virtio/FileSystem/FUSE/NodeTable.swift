import CLinux
import CVirtio
import Linux

/// The files the guest knows, and descriptors of those it uses most.
///
/// A file is reached from its parent by one name at a time, with `openat2(2)`: no symbolic link is followed, nothing
/// leads upwards, and what is found has to be the file that was there before.
final class NodeTable {
    /// `FUSE_ROOT_ID`.
    static let rootID: UInt64 = 1
    /// The fewest descriptors with which one request never runs out of them.
    static let fewestPlaces = 128
    /// How many directories of a path to a file stay open for the next one.
    private static let keptOfPath = 32
    /// A file that is deeper than this below the last open directory is not found: no good path is that long.
    private static let deepest = 4096

    private let nodeLimit: Int
    private let placeLimit: Int
    let root: FileNode
    private(set) var nodes: [UInt64: FileNode] = [:]
    private var known: [FileIdentity: FileNode] = [:]
    private var nextID: UInt64 = 2
    /// Nodes with a descriptor, but for the root, and the hand of the clock that takes it from them.
    private var places: [FileNode] = []
    private var hand = 0
    /// Counts requests.
    private var request: UInt64 = 0

    /// - Parameter root: the directory, open as a place.
    init(_ root: consuming Descriptor, nodeLimit: Int, placeLimit: Int) throws(SystemError) {
        var attributes = bh_attributes()
        let number = root.rawValue
        try systemCall("look at the shared directory") { unsafe bh_attributes(number, "", &attributes) }
        guard attributes.type == mode_t(S_IFDIR) else { throw SystemError("share a directory", .notADirectory) }
        self.nodeLimit = max(1, nodeLimit)
        self.placeLimit = max(NodeTable.fewestPlaces, placeLimit)
        self.root = FileNode(
            id: NodeTable.rootID, identity: FileIdentity(attributes), birth: attributes.birth,
            mode: mode_t(attributes.mode), parent: NodeTable.rootID, name: [])
        self.root.place = consume root
        reset()
    }

    /// Forgets all but the root.
    func reset() {
        nodes = [root.id: root]
        known = [root.identity: root]
        root.children = 0
        root.files = []
        root.lookups = 0
        nextID = 2
        places = []
        hand = 0
    }

    var count: Int { nodes.count }
    /// Whether the guest may know no more files.
    var isFull: Bool { nodes.count >= nodeLimit }
    /// Descriptors at hand, without the root's.
    var placeCount: Int { places.count }
    var lastID: UInt64 { nextID - 1 }

    /// Descriptors that were used up to now may go.
    func beginRequest() { request += 1 }

    // MARK: - By number

    /// - Throws: `ESTALE` for a number that the guest has not, or not any more.
    func node(_ id: UInt64) throws(Errno) -> FileNode {
        guard let node = nodes[id], node.lookups > 0 || node === root else { throw .stale }
        return node
    }

    /// - Throws: also `ENOTDIR`.
    func directory(_ id: UInt64) throws(Errno) -> FileNode {
        let node = try node(id)
        guard node.isDirectory else { throw .notADirectory }
        return node
    }

    /// The guest forgets that it was told of a file so many times. More than it was told are as many as it was.
    func forget(_ id: UInt64, _ count: UInt64) {
        guard let node = nodes[id], node !== root else { return }
        node.lookups -= min(count, node.lookups)
        release(node)
    }

    /// Removes a node that nobody needs, and those above it that were there for it alone.
    func release(_ node: FileNode) {
        var node = node
        while node !== root, node.lookups == 0, node.children == 0, node.files.isEmpty {
            nodes[node.id] = nil
            if known[node.identity] === node { known[node.identity] = nil }
            close(node)
            guard let parent = nodes[node.parent] else { return }
            parent.children -= 1
            node = parent
        }
    }

    // MARK: - By name

    /// What is at a name now. No link is followed, nothing is mounted.
    func look(_ directory: FileNode, _ name: FUSEText) throws(Errno) -> bh_attributes {
        let place = try reach(directory)
        var attributes = bh_attributes()
        try attempt { unsafe bh_attributes(place, name.start, &attributes) }
        return attributes
    }

    /// The node of what is at a name, if the guest knows that file.
    func known(_ attributes: bh_attributes) -> FileNode? { known[FileIdentity(attributes)] }

    /// Tells the guest of what was found at a name: a new node, or one more lookup of the one it has.
    ///
    /// - Throws: `ENFILE` where the table is full, `EOVERFLOW` where the file was looked up 2^64 times.
    func enter(_ directory: FileNode, _ name: FUSEText, _ attributes: bh_attributes) throws(Errno) -> FileNode {
        if let node = known(attributes), node.matches(attributes) {
            guard node.lookups < .max else { throw Errno(rawValue: EOVERFLOW) }
            node.lookups += 1
            node.mode = mode_t(attributes.mode)
            if !node.isAt(directory.id, name) { move(node, to: directory, name) }
            return node
        }
        // The root counts as one, so that a limit of one is a table for it alone.
        guard !isFull else { throw .tooManyFiles }
        let node = FileNode(
            id: nextID, identity: FileIdentity(attributes), birth: attributes.birth, mode: mode_t(attributes.mode),
            parent: directory.id, name: name.copy)
        nextID += 1
        node.lookups = 1
        directory.children += 1
        nodes[node.id] = node
        known[node.identity] = node
        return node
    }

    /// Remembers that a node is at another name now.
    func move(_ node: FileNode, to directory: FileNode, _ name: FUSEText) {
        guard node !== root, !isBelow(directory, node) else { return }
        let old = nodes[node.parent]
        directory.children += 1
        node.parent = directory.id
        node.name = name.copy
        if let old {
            old.children -= 1
            release(old)
        }
    }

    /// Remembers that a name is gone, if it was the node's.
    func unname(_ node: FileNode, _ directory: FileNode, _ name: FUSEText) {
        if node !== root, node.isAt(directory.id, name) { node.name = [] }
    }

    /// Whether a directory is another or lies below it: what somebody else moves about on the host may look like that
    /// for a while, and would make a path that never ends.
    private func isBelow(_ directory: FileNode, _ node: FileNode) -> Bool {
        guard node.isDirectory else { return false }
        var at = directory
        for _ in 0..<nodes.count {
            if at === node { return true }
            guard at !== root, let parent = nodes[at.parent] else { return false }
            at = parent
        }
        return true
    }

    // MARK: - By descriptor

    /// A descriptor of the file, good until the request ends: as a place, or as the guest has it open.
    ///
    /// - Throws: `ESTALE` where the file is not where it was.
    func reach(_ node: FileNode) throws(Errno) -> CInt {
        if let number = descriptor(node) { return number }
        // Up to the next open directory, and down again.
        var path = [node]
        var top = node
        var directory: CInt?
        while directory == nil {
            guard !top.name.isEmpty, path.count < NodeTable.deepest, let parent = nodes[top.parent] else {
                throw .stale
            }
            top = parent
            directory = descriptor(parent)
            if directory == nil { path.append(parent) }
        }
        var number = directory!
        var held: Descriptor?
        for (left, next) in zip(stride(from: path.count - 1, through: 0, by: -1), path.reversed()) {
            let file = try open(next, in: number)
            if left < NodeTable.keptOfPath {
                number = try keep(file, of: next)
            } else {
                number = file.rawValue
                held = consume file
            }
        }
        _ = held?.rawValue
        return number
    }

    /// What the file's attributes are now.
    func attributes(_ node: FileNode) throws(Errno) -> bh_attributes {
        var attributes = bh_attributes()
        if let number = descriptor(node) {
            try attempt { unsafe bh_attributes(number, "", &attributes) }
        } else {
            guard !node.name.isEmpty, let parent = nodes[node.parent] else { throw .stale }
            let place = try reach(parent)
            do throws(Errno) { try attempt { unsafe bh_attributes(place, node.name, &attributes) } } catch {
                throw error == .noSuchFileOrDirectory ? .stale : error
            }
            guard node.matches(attributes) else { throw .stale }
        }
        node.mode = mode_t(attributes.mode)
        return attributes
    }

    /// The descriptors of the guest's open files, by their numbers; the table of those keeps it.
    var openFiles: [UInt64: OpenFile] = [:]

    private func descriptor(_ node: FileNode) -> CInt? {
        if let number = node.place?.rawValue {
            node.lastUse = request
            node.isRecent = true
            return number
        }
        for id in node.files { if let number = openFiles[id]?.openNumber { return number } }
        return nil
    }

    private func open(_ node: FileNode, in directory: CInt) throws(Errno) -> Descriptor {
        let flags = UInt64(UInt32(bitPattern: O_PATH | O_NOFOLLOW | O_CLOEXEC))
        let resolve = UInt64(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)
        let number: CInt
        do throws(Errno) {
            number = try attempt { unsafe bh_openat2(directory, node.name, flags, 0, resolve) }
        } catch {
            // ELOOP: a link is where a directory was.
            let isGone = [.noSuchFileOrDirectory, .notADirectory, .tooManySymbolicLinks].contains(error)
            throw isGone ? .stale : error
        }
        let file = Descriptor(owning: number)
        var attributes = bh_attributes()
        try attempt { unsafe bh_attributes(number, "", &attributes) }
        guard node.matches(attributes) else { throw .stale }
        return file
    }

    private func keep(_ file: consuming Descriptor, of node: FileNode) throws(Errno) -> CInt {
        if places.count >= placeLimit { try closeOne() }
        let number = file.rawValue
        node.place = consume file
        node.slot = places.count
        node.lastUse = request
        node.isRecent = true
        places.append(node)
        return number
    }

    /// Closes the descriptor of a node that was not used since the hand was there last.
    private func closeOne() throws(Errno) {
        for _ in 0..<2 * places.count {
            hand = (hand + 1) % places.count
            let node = places[hand]
            if node.lastUse == request { continue }
            if node.isRecent {
                node.isRecent = false
                continue
            }
            return close(node)
        }
        throw .tooManyFiles
    }

    /// Closes all descriptors; files are found again by their names.
    func closeAll() { while let node = places.last { close(node) } }

    private func close(_ node: FileNode) {
        guard node.slot >= 0 else { return }
        node.place = nil
        let last = places.removeLast()
        if last !== node {
            places[node.slot] = last
            last.slot = node.slot
        }
        node.slot = -1
    }

    // MARK: - Saved

    /// All nodes but the root, each behind its parent.
    var parentsFirst: [FileNode] {
        var order: [FileNode] = []
        var done: Set<UInt64> = [root.id]
        for start in nodes.values {
            var path: [FileNode] = []
            var at = start
            while !done.contains(at.id) {
                done.insert(at.id)
                path.append(at)
                guard let parent = nodes[at.parent] else { break }
                at = parent
            }
            order += path.reversed()
        }
        return order
    }

    /// Takes up a node that was saved, behind its parent.
    ///
    /// - Returns: false where it can't be one of those that were saved.
    func restore(_ node: FileNode) -> Bool {
        guard let parent = nodes[node.parent], parent.isDirectory, nodes.count < nodeLimit, node.id > root.id,
            nodes[node.id] == nil
        else { return false }
        parent.children += 1
        node.isRestored = true
        nodes[node.id] = node
        if known[node.identity] == nil { known[node.identity] = node }
        nextID = max(nextID, node.id + 1)
        return true
    }

    /// No number up to this one is given again.
    func skipNumbers(to last: UInt64) { nextID = max(nextID, last + 1) }
}
