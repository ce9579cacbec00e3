import CLinux
import CVirtio
import Linux

/// A disk's bytes: a regular file or a block device, as it is. It may be empty: a guest then sees a disk without sectors.
public struct RawDisk: ~Copyable, Sendable {
    /// Bytes in a sector, whatever the disk's own are; virtio 1.2, section 5.2.6.
    public static let sectorSize: UInt64 = 512

    let descriptor: Descriptor
    /// Whether writes are refused.
    public let isReadOnly: Bool
    /// Whole sectors; a last part of one is not reachable.
    public private(set) var sectors: UInt64
    /// The size of blocks in which the host likes to work: bytes.
    let blockSize: UInt32

    /// Takes an open file.
    ///
    /// - Throws: `EINVAL` for what is neither a file nor a device.
    public init(_ descriptor: consuming Descriptor, isReadOnly: Bool) throws(SystemError) {
        let sectors = try RawDisk.size(of: descriptor) / RawDisk.sectorSize
        let number = descriptor.rawValue
        var status = stat()
        try systemCall("fstat the disk") { unsafe fstat(number, &status) }
        blockSize = UInt32(clamping: max(512, min(4096, status.st_blksize)))
        self.sectors = sectors
        self.isReadOnly = isReadOnly
        self.descriptor = descriptor
    }

    /// Whether a read can be tried that does not wait: `RWF_NOWAIT` of `preadv2(2)`.
    var tellsWhatBlocks: Bool {
        var byte: UInt8 = 0
        return unsafe withUnsafeMutableBytes(of: &byte) { buffer in
            var vector = unsafe iovec(iov_base: buffer.baseAddress, iov_len: 1)
            // EAGAIN is an answer, too.
            return unsafe preadv2(descriptor.rawValue, &vector, 1, 0, CInt(BH_RWF_NOWAIT)) >= 0
                || Errno.current != .notSupported
        }
    }

    /// Opens a file or a block device; or a character device, as `/dev/null`, which has no sectors.
    public static func open(_ path: String, isReadOnly: Bool = false) throws(SystemError) -> RawDisk {
        // Non-blocking until it is known to be no pipe.
        let descriptor = try Descriptor.open(path, [isReadOnly ? .readOnly : .readWrite, .nonBlocking])
        do throws(SystemError) {
            let disk = try RawDisk(descriptor, isReadOnly: isReadOnly)
            // io_uring answers EAGAIN for such a file where its file system can't tell what would block.
            let number = disk.descriptor.rawValue
            try systemCall("make the disk blocking") { bh_set_blocking(number) }
            return disk
        } catch {
            throw SystemError("use \(quoted(path)) as a disk", error.errno, hint: error.hint)
        }
    }

    /// Looks at the size again, as after the file grew.
    mutating func refresh() throws(SystemError) {
        sectors = try RawDisk.size(of: descriptor) / RawDisk.sectorSize
    }

    private static func size(of descriptor: borrowing Descriptor) throws(SystemError) -> UInt64 {
        let status = try descriptor.status()
        if status.isRegularFile { return UInt64(max(0, status.size)) }
        if status.type == mode_t(S_IFCHR) { return 0 }
        let size = status.type == mode_t(S_IFBLK) ? bh_block_device_size(descriptor.rawValue) : -1
        guard size >= 0 else {
            throw SystemError("use the disk", .invalidArgument, hint: "it is neither a file nor a device")
        }
        return UInt64(size)
    }

    /// Frees the blocks behind a range, which reads as zero afterwards; `fallocate(2)`, `FALLOC_FL_PUNCH_HOLE`.
    func punch(_ offset: UInt64, _ count: UInt64) throws(SystemError) {
        let number = descriptor.rawValue
        try systemCall("punch a hole") {
            fallocate(number, CInt(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE), off_t(offset), off_t(count))
        }
    }

    /// Makes a range read as zero, its blocks kept.
    func zero(_ offset: UInt64, _ count: UInt64) throws(SystemError) {
        let number = descriptor.rawValue
        do throws(SystemError) {
            try systemCall("zero a range") {
                fallocate(number, CInt(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE), off_t(offset), off_t(count))
            }
        } catch {
            guard error.errno == .notSupported else { throw error }
            let zeros = [UInt8](repeating: 0, count: Int(min(count, 256 << 10)))
            var done: UInt64 = 0
            while done < count {
                done += UInt64(
                    try systemCall("write zeros") {
                        unsafe pwrite(number, zeros, Int(min(count - done, UInt64(zeros.count))), off_t(offset + done))
                    })
            }
        }
    }

    /// `fdatasync(2)`.
    func flush() throws(SystemError) {
        let number = descriptor.rawValue
        try systemCall("flush the disk") { fdatasync(number) }
    }
}
