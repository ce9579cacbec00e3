import Glibc
import Linux

/// QEMU's storage daemon, which serves a file as a vhost-user-blk backend.
public final class StorageDaemon {
    private let pid: pid_t
    private let folder: String
    public let file: String
    public let socket: String
    private var isGone = false

    /// - Parameters:
    ///   - size: bytes of the file, whose sectors are numbered.
    ///   - place: where it listens, if that matters.
    public init(size: Int, isWritable: Bool = true, queues: Int = 1, at place: String? = nil) throws {
        var template = Array("/tmp/bulkhead-disk.XXXXXX".utf8CString)
        folder = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
        file = "\(folder)/disk"
        socket = place ?? "\(folder)/socket"
        let descriptor = try Descriptor.open(file, [.readWrite, .create], mode: 0o600)
        try descriptor.write(
            (0..<size / 512).flatMap { [UInt8](repeating: UInt8(truncatingIfNeeded: $0 &* 7), count: 512) })
        let words = [
            "qemu-storage-daemon", "--blockdev", "driver=file,node-name=d,filename=\(file)",
            "--export",
            "type=vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path=\(socket),writable="
                + "\(isWritable ? "on" : "off"),num-queues=\(queues)",
        ]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var started = pid_t()
        let result = posix_spawnp(&started, words[0], nil, nil, &arguments, environ)
        guard result == 0 else { throw SystemError("start \(words[0])", Errno(rawValue: result)) }
        pid = started
        // The path is there a moment before anybody may connect: then the flag of a listener is, too.
        let path = socket
        func listens() throws -> Bool {
            try readText("/proc/net/unix").split(separator: "\n").contains {
                $0.hasSuffix(" \(path)") && $0.contains(" 00010000 ")
            }
        }
        for _ in 0..<2000 where try !listens() { usleep(5000) }
    }

    deinit {
        end()
        for path in [file, socket] { unlink(path) }
        rmdir(folder)
    }

    /// Kills it.
    public func end() {
        guard !isGone else { return }
        isGone = true
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    public func bytes(sector: Int, count: Int) throws -> [UInt8] {
        let descriptor = try Descriptor.open(file, .readOnly)
        var bytes = [UInt8](repeating: 0, count: count)
        guard pread(descriptor.rawValue, &bytes, count, off_t(sector * 512)) == count else {
            throw SystemError("read \(file)", .current)
        }
        return bytes
    }
}
