import CLinux
import Glibc
import Linux

/// A new file that takes the place of an old one when it is whole, and not before: who reads the path meanwhile, or after
/// a failure, finds the old one. It is the owner's alone, or what the old one was.
final class ReplacementFile {
    let path: String
    let file: Descriptor
    private let temporary: String
    private var isPending = true

    /// - Throws: `EISDIR` where something else than a file is at the path.
    init(_ path: String) throws(SystemError) {
        self.path = path
        // What a save that was killed left is of no use to anybody.
        temporary = "\(path).saving"
        var old = stat()
        let mode: mode_t
        if stat(path, &old) == 0 {
            guard old.st_mode & S_IFMT == S_IFREG else {
                throw SystemError("replace \(quoted(path))", Errno(rawValue: EISDIR), hint: "it is no regular file")
            }
            mode = old.st_mode & 0o777
        } else {
            mode = 0o600
        }
        unlink(temporary)
        file = try Descriptor.open(temporary, [.readWrite, .create, .exclusive, .noFollow], mode: mode)
        fchmod(file.rawValue, mode)
    }

    deinit { if isPending { unlink(temporary) } }

    /// Waits until the bytes are on the disk; `fsync(2)`.
    func sync() throws(SystemError) {
        let number = file.rawValue
        try systemCall("write \(quoted(path)) to its disk") { fsync(number) }
    }

    /// Takes the old one's place; `rename(2)`.
    func commit() throws(SystemError) {
        try systemCall("replace \(quoted(path))") { rename(temporary, path) }
        isPending = false
        // The name, too, is to be there after a crash of the host. A file system without this has it some other way.
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

    /// Makes a hole, where the file system has holes: what is there is of no use to anybody; `fallocate(2)`.
    func clear(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        _ = fallocate(
            file.rawValue, CInt(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE), off_t(range.lowerBound), off_t(range.count)
        )
    }

    /// Begins with what the old file has; as a copy that shares its blocks where the file system can do that.
    func copy(from old: borrowing Descriptor, size: UInt64) throws(SystemError) {
        let (source, target) = (old.rawValue, file.rawValue)
        if ioctl(target, Self.clone, source) == 0 { return }
        try setSize(size)
        var place: off_t = 0
        while place < off_t(size) {
            let begin = lseek(source, place, Self.seekData)
            // Nothing but a hole is left.
            if begin == -1 && errno == ENXIO { return }
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
