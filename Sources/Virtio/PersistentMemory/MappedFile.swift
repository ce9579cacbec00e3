import CLinux
import Linux

/// A regular file of the host's, mapped into this process in whole pieces of 2 MiB, as a guest's memory may be. Behind the
/// file's end, up to the next such piece, there is memory that is nobody's: what is written there is lost.
@safe
public final class MappedFile: @unchecked Sendable {
    /// What its place in the guest's memory and its size are multiples of: Linux maps persistent memory in such pieces.
    public static let alignment: UInt64 = 2 << 20
    /// The largest file.
    static let largest: UInt64 = 1 << 40

    /// Where it is in this process: ``size`` bytes.
    @unsafe public let base: UnsafeMutableRawPointer
    /// Bytes of the mapping: a multiple of ``alignment``.
    public let size: UInt64
    /// Bytes of the file.
    public let fileSize: UInt64
    /// Whether nobody can write it.
    public let isReadOnly: Bool
    private let descriptor: Descriptor

    /// Takes an open file.
    ///
    /// - Throws: `EINVAL` for what is no regular file or is empty, `EFBIG` above 1 TiB, and what `mmap(2)` answers.
    public init(_ descriptor: consuming Descriptor, isReadOnly: Bool) throws(SystemError) {
        let status = try descriptor.status()
        guard status.isRegularFile else {
            throw SystemError("map the file", .invalidArgument, hint: "it is no regular file")
        }
        guard status.size > 0 else { throw SystemError("map the file", .invalidArgument, hint: "it is empty") }
        guard status.size <= Int64(MappedFile.largest) else {
            throw SystemError("map the file", Errno(rawValue: EFBIG), hint: "it has more than 1 TiB")
        }
        let fileSize = UInt64(status.size)
        let size = (fileSize + MappedFile.alignment - 1) / MappedFile.alignment * MappedFile.alignment
        let room = unsafe try MappedFile.reserve(Int(size))
        let flags = (isReadOnly ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED | MAP_NORESERVE
        let protection = isReadOnly ? PROT_READ : PROT_READ | PROT_WRITE
        let mapped = unsafe mmap(room, Int(fileSize), protection, flags, descriptor.rawValue, 0)
        guard unsafe mapped == room else {
            let error = SystemError("map the file", .current)
            unsafe munmap(room, Int(size))
            throw error
        }
        // A core dump of the monitor is not the place for the guest's secrets, nor has it room for them.
        unsafe _ = madvise(room, Int(size), MADV_DONTDUMP)
        unsafe base = unsafe room
        self.size = size
        self.fileSize = fileSize
        self.isReadOnly = isReadOnly
        self.descriptor = descriptor
    }

    /// Opens a file and maps it.
    public static func open(_ path: String, isReadOnly: Bool = false) throws(SystemError) -> MappedFile {
        // Non-blocking until it is known to be no pipe.
        let descriptor = try Descriptor.open(path, [isReadOnly ? .readOnly : .readWrite, .nonBlocking])
        do throws(SystemError) { return try MappedFile(descriptor, isReadOnly: isReadOnly) } catch {
            throw SystemError("use \(quoted(path)) as persistent memory", error.errno, hint: error.hint)
        }
    }

    deinit { unsafe munmap(base, Int(size)) }

    /// Memory of nobody's that begins at a multiple of ``alignment``: then the processor can use large pages for it.
    @unsafe
    private static func reserve(_ size: Int) throws(SystemError) -> UnsafeMutableRawPointer {
        let alignment = Int(alignment)
        let start = unsafe mmap(
            nil, size + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let start = unsafe start, UInt(bitPattern: start) != .max else {
            throw SystemError("reserve \(size) bytes", .current)
        }
        let skipped = (alignment - Int(UInt(bitPattern: start) % UInt(alignment))) % alignment
        let base = unsafe start + skipped
        if skipped > 0 { unsafe munmap(start, skipped) }
        unsafe munmap(base + size, alignment - skipped)
        return unsafe base
    }

    /// Brings what was written to the medium: `fdatasync(2)`, which knows of mapped pages, too.
    func flush() throws(SystemError) {
        if isReadOnly { return }
        let number = descriptor.rawValue
        try systemCall("flush persistent memory") { fdatasync(number) }
    }
}
