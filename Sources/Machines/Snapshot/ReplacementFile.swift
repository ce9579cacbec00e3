import CLinux
import Glibc
import Linux

/// A new file that takes the place of an old one when it is whole, and not before: who reads the path meanwhile, or after
/// a failure, finds the old one. It is the owner's alone, or what the old one was. There is one at a time: what lies beside
/// the path is locked as long as this value is there (`flock(2)`).
final class ReplacementFile {
    let path: String
    let file: Descriptor
    private let temporary: String
    /// What was replaced, and lies beside the path now.
    private var old: Descriptor?
    private var place = Place.aside

    /// Where the new file is, and where the old one.
    private enum Place {
        /// Beside the old one.
        case aside
        /// At its path, with the old one beside it.
        case exchanged
        /// At its path, where there was none.
        case first
        /// At its path; nothing leads back.
        case final
        /// Beside the old one for good.
        case left
    }

    /// - Throws: `EISDIR` where something else than a file is at the path, `EBUSY` where somebody else replaces it now.
    init(_ path: String) throws(SystemError) {
        self.path = path
        temporary = Self.temporary(path)
        var old = stat()
        let mode: mode_t
        if stat(path, &old) == 0 {
            // S_IFMT and S_IFREG, which are of one type with the whole standard library and of another without.
            guard old.st_mode & 0o170000 == 0o100000 else {
                throw SystemError("replace \(quoted(path))", Errno(rawValue: EISDIR), hint: "it is no regular file")
            }
            mode = old.st_mode & 0o777
        } else {
            mode = 0o600
        }
        file = try Self.make(temporary, mode)
        fchmod(file.rawValue, mode)
    }

    deinit {
        switch place {
        case .aside, .exchanged: unlink(temporary)
        case .first, .final, .left: break
        }
    }

    private static func make(_ path: String, _ mode: mode_t) throws(SystemError) -> Descriptor {
        while true {
            do throws(SystemError) {
                let made = try Descriptor.open(path, [.readWrite, .create, .exclusive, .noFollow], mode: mode)
                if try lock(made, at: path) { return made }
            } catch {
                guard error.errno == .fileExists else { throw error }
                // What a save that was killed left is of no use to anybody.
                try removeLeftOver(path)
            }
        }
    }

    private static func removeLeftOver(_ path: String) throws(SystemError) {
        let leftOver: Descriptor
        do throws(SystemError) { leftOver = try Descriptor.open(path, [.readOnly, .noFollow, .nonBlocking]) } catch {
            // Whoever had it is done; or it is something else, which nobody holds.
            if error.errno == .noSuchFileOrDirectory { return }
            try systemCall("remove \(quoted(path))") { unlink(path) }
            return
        }
        if try lock(leftOver, at: path) { try systemCall("remove \(quoted(path))") { unlink(path) } }
    }

    /// - Returns: false where the path leads elsewhere by now.
    /// - Throws: `EBUSY` where another has the lock.
    private static func lock(_ file: borrowing Descriptor, at path: String) throws(SystemError) -> Bool {
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            guard Errno.current == .wouldBlock else { throw SystemError("lock \(quoted(path))", .current) }
            throw SystemError("replace \(quoted(path))", .busy, hint: "another save is at work on it")
        }
        var there = stat()
        guard lstat(path, &there) == 0 else { return false }
        let own = try file.status()
        return there.st_ino == own.inode && there.st_dev == own.device
    }

    /// Makes sure that nobody else replaces a file, for as long as the value is there; nil where there is no file.
    static func hold(_ path: String) throws(SystemError) -> Descriptor? {
        guard let file = try? Descriptor.open(path, [.readOnly, .noFollow, .nonBlocking]) else { return nil }
        guard try lock(file, at: path) else { return nil }
        return file
    }

    /// Where the new file is until it takes the place of the old one.
    static func temporary(_ path: String) -> String { "\(path).saving" }

    /// Waits until the bytes are on the disk; `fsync(2)`.
    func sync() throws(SystemError) {
        let number = file.rawValue
        try systemCall("write \(quoted(path)) to its disk") { fsync(number) }
    }

    /// Takes the old one's place, for good; `rename(2)`.
    func replace() throws(SystemError) {
        try Self.move(temporary, path)
        place = .final
    }

    /// Changes places with the old one; `renameat2(2)`. ``goBack()`` undoes it, and the old one goes with this value.
    func exchange() throws(SystemError) {
        old = try Self.hold(path)
        if bh_exchange(AT_FDCWD, temporary, path) == 0 {
            place = .exchanged
            Self.syncFolder(of: path)
            return
        }
        let error = Errno.current
        // There is no old one; or the file system can't exchange.
        guard [.noSuchFileOrDirectory, .invalidArgument, .noSystemCall].contains(error) else {
            throw SystemError("replace \(quoted(path))", error)
        }
        try Self.move(temporary, path)
        place = error == .noSuchFileOrDirectory ? .first : .final
    }

    /// - Returns: whether what was at its path is there again, or nothing where nothing was.
    func goBack() -> Bool {
        switch place {
        case .exchanged:
            guard bh_exchange(AT_FDCWD, temporary, path) == 0 else { return false }
            place = .aside
        case .first:
            guard unlink(path) == 0 else { return false }
            place = .final
        case .aside: return true
        case .final, .left: return false
        }
        Self.syncFolder(of: path)
        return true
    }

    /// Stays beside the old one, for ``SnapshotFiles/settle()``.
    func stay() { place = .left }

    static func move(_ from: String, _ path: String) throws(SystemError) {
        try systemCall("replace \(quoted(path))") { rename(from, path) }
        syncFolder(of: path)
    }

    /// The name, too, is to be there after a crash of the host. A file system without this has it some other way.
    private static func syncFolder(of path: String) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        if let directory = try? Descriptor.open(folder, [.readOnly, .directory]) { fsync(directory.rawValue) }
    }

    /// Writes bytes at an offset; `pwrite(2)` until done.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        let number = file.rawValue
        var done = 0
        while done < bytes.count {
            done += try systemCall("write \(quoted(path))") {
                pwrite(number, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + done)
            }
        }
    }

    func setSize(_ size: UInt64) throws(SystemError) {
        let number = file.rawValue
        try systemCall("make \(quoted(path)) \(size) bytes long") { ftruncate(number, off_t(size)) }
    }

    /// Makes zeros of what is there: a hole, where the file system has holes; `fallocate(2)`.
    func clear(_ range: Range<UInt64>) throws(SystemError) {
        guard !range.isEmpty else { return }
        let punched = fallocate(
            file.rawValue, CInt(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE), off_t(range.lowerBound), off_t(range.count)
        )
        if punched == 0 { return }
        let zeros = [UInt8](repeating: 0, count: Int(min(range.count, 1 << 20)))
        var place = range.lowerBound
        while place < range.upperBound {
            let count = min(UInt64(zeros.count), range.upperBound - place)
            try zeros.withUnsafeBufferPointer { (bytes) throws(SystemError) in
                try write(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[..<Int(count)])), at: place)
            }
            place += count
        }
    }

    /// Begins with what the old file has; as a copy that shares its blocks where the file system can do that.
    func copy(from old: borrowing Descriptor, size: UInt64) throws(SystemError) {
        let (source, target) = (old.rawValue, file.rawValue)
        if bh_ioctl(target, Self.clone, UInt(source)) == 0 { return }
        try setSize(size)
        var place: off_t = 0
        while place < off_t(size) {
            let begin = lseek(source, place, Self.seekData)
            // Nothing but a hole is left.
            if begin == -1 && Errno.current.rawValue == ENXIO { return }
            let start = begin == -1 ? place : begin
            let hole = lseek(source, start, Self.seekHole)
            let end = hole == -1 ? off_t(size) : min(hole, off_t(size))
            try copy(source, target, start..<end)
            place = end
        }
    }

    private func copy(_ source: CInt, _ target: CInt, _ range: Range<off_t>) throws(SystemError) {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var place = range.lowerBound
        while place < range.upperBound {
            let count = try systemCall("read \(quoted(path))") {
                buffer.withUnsafeMutableBytes {
                    pread(source, $0.baseAddress, min($0.count, Int(range.upperBound - place)), place)
                }
            }
            guard count > 0 else { throw SystemError("read \(quoted(path))", .ioError, hint: "it became shorter") }
            try buffer.withUnsafeBufferPointer { (bytes) throws(SystemError) in
                try write(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[..<count])), at: UInt64(place))
            }
            place += off_t(count)
        }
    }

    // Of linux/fs.h, whose names Glibc's module leaves out.
    private static let (seekData, seekHole): (CInt, CInt) = (3, 4)
    /// `FICLONE`.
    private static let clone: CUnsignedLong = 0x4004_9409
}
