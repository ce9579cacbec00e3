import CVirtio
import Linux

/// A request and its answer, as a transport and the server hand them to each other. Made once, used again and again.
final class FUSEMessage {
    @safe @exclusivity(unchecked) var header = FUSEHeader()
    /// What follows the header, but for what a WRITE writes: a copy, which the guest can't change any more.
    let arguments = FUSEArguments()
    /// The guest's own memory: what a WRITE writes, or where a READ's bytes go.
    let data = VectorList()
    @safe @exclusivity(unchecked) var dataCount = 0
    /// The most bytes that the answer may have behind its header.
    @safe @exclusivity(unchecked) var room = 0
    /// The answer's bytes behind its header, but for what went into ``data``.
    let reply = FUSEReply()
}

/// How a request ended.
enum FUSEOutcome: Equatable {
    /// There is no answer.
    case silent
    case failed(Errno)
    /// The answer is the message's ``FUSEMessage/reply``, or so many bytes that are in the guest's memory already.
    case done(direct: Int)
}

/// A request's arguments, read from front to back. Every length is checked.
@safe
final class FUSEArguments {
    /// The most bytes: an extended attribute of 64 KiB and names have their place.
    static let capacity = 128 << 10

    private let bytes: UnsafeMutableRawBufferPointer
    @safe @exclusivity(unchecked) private(set) var count = 0
    @safe @exclusivity(unchecked) private var position = 0

    init() { unsafe bytes = .allocate(byteCount: FUSEArguments.capacity, alignment: 8) }

    deinit { unsafe bytes.deallocate() }

    /// Takes other bytes.
    ///
    /// - Parameters:
    ///   - count: up to ``capacity``.
    ///   - body: fills the buffer, and returns how many bytes it put there.
    func fill(_ count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) {
        position = 0
        self.count = unsafe min(count, body(UnsafeMutableRawBufferPointer(rebasing: bytes[0..<count])))
    }

    var left: Int { count - position }

    /// - Throws: `EINVAL` where the request ends too early.
    func read<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(Errno) -> Value {
        guard left >= MemoryLayout<Value>.size else { throw .invalidArgument }
        defer { position += MemoryLayout<Value>.size }
        return unsafe Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
    }

    func skip(_ bytes: Int) throws(Errno) {
        guard left >= bytes else { throw .invalidArgument }
        position += bytes
    }

    /// The next bytes, valid until the next request.
    @unsafe
    func take(_ wanted: Int) throws(Errno) -> UnsafeRawPointer? {
        guard wanted >= 0, left >= wanted else { throw .invalidArgument }
        defer { position += wanted }
        return unsafe UnsafeRawPointer(bytes.baseAddress! + position)
    }

    /// The next text, which ends with a NUL.
    ///
    /// - Throws: `EINVAL` where there is no end, `ENAMETOOLONG`.
    func text(most: Int) throws(Errno) -> FUSEText {
        let start = unsafe bytes.baseAddress! + position
        guard left > 0, let end = unsafe memchr(start, 0, left) else { throw .invalidArgument }
        let length = unsafe start.distance(to: end)
        guard length <= most else { throw .nameTooLong }
        position += length + 1
        return unsafe FUSEText(start: start.assumingMemoryBound(to: CChar.self), count: length)
    }

    /// The next text as the name of a directory's entry: it can lead nowhere else than there.
    func name() throws(Errno) -> FUSEText {
        let name = try text(most: FUSEText.longestName)
        guard name.isName else { throw .invalidArgument }
        return name
    }
}

/// A text among a request's arguments, with a NUL behind it; valid until the next request.
@safe
struct FUSEText {
    /// `NAME_MAX`.
    static let longestName = 255
    /// `PATH_MAX`, without the NUL.
    static let longestPath = 4095

    @unsafe let start: UnsafePointer<CChar>
    let count: Int

    /// A copy with the NUL.
    var copy: [CChar] { unsafe Array(UnsafeBufferPointer(start: start, count: count + 1)) }

    /// Whether it names an entry of a directory.
    var isName: Bool { unsafe FUSEText.isName(UnsafeBufferPointer(start: start, count: count)) }

    static func isName(_ name: UnsafeBufferPointer<CChar>) -> Bool {
        let (dot, slash) = (CChar(0x2e), CChar(0x2f))
        guard (1...longestName).contains(name.count) else { return false }
        for index in 0..<name.count where unsafe name[index] == slash || name[index] == 0 { return false }
        return unsafe !(name[0] == dot && (name.count == 1 || name.count == 2 && name[1] == dot))
    }

    func hasPrefix(_ prefix: StaticString) -> Bool {
        unsafe count >= prefix.utf8CodeUnitCount && memcmp(start, prefix.utf8Start, prefix.utf8CodeUnitCount) == 0
    }
}

/// An answer's bytes, put together.
@safe
final class FUSEReply {
    /// The most bytes: what one READDIR gives.
    static let capacity = 128 << 10
    /// `struct fuse_entry_out`.
    static let entrySize = 128

    private let memory: UnsafeMutableRawBufferPointer
    @safe @exclusivity(unchecked) private(set) var count = 0

    init() { unsafe memory = .allocate(byteCount: FUSEReply.capacity, alignment: 8) }

    deinit { unsafe memory.deallocate() }

    @unsafe var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: memory[0..<count]) }

    func clear() { count = 0 }

    /// Takes the last bytes back.
    func cut(to count: Int) { self.count = min(self.count, max(0, count)) }

    /// - Precondition: there is room; see ``capacity``.
    func put<Value: FixedWidthInteger>(_ value: Value) {
        unsafe memory.storeBytes(of: value.littleEndian, toByteOffset: count, as: Value.self)
        count += MemoryLayout<Value>.size
    }

    func put(_ source: UnsafeRawBufferPointer) {
        guard let start = source.baseAddress else { return }
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[count..<count + source.count])
            .copyMemory(from: UnsafeRawBufferPointer(start: start, count: source.count))
        count += source.count
    }

    func putZeros(_ number: Int) {
        for _ in 0..<number { put(UInt8(0)) }
    }

    /// Lets a call of the kernel write the answer.
    ///
    /// - Parameters:
    ///   - most: bytes, up to ``capacity``.
    ///   - body: returns how many bytes it wrote.
    func fill(_ most: Int, _ body: (UnsafeMutableRawPointer) throws(Errno) -> Int) throws(Errno) {
        count = unsafe min(try body(memory.baseAddress!), most, FUSEReply.capacity)
    }
}

/// Makes a system call and turns -1 into a throw. A call that a signal interrupted is made again.
///
/// The guest hears of a host without descriptors what it hears of its own limit.
@inline(__always)
@discardableResult
func attempt<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error == .interrupted { continue }
        throw error == Errno(rawValue: EMFILE) ? Errno(rawValue: ENFILE) : error
    }
}
