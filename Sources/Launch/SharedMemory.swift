import CLaunch
import CLinux
import Linux

/// The layout of the hooks' standard input in memory shared with the child: a length, then the bytes.
enum HookInput {
    static let textOffset = 16
    static let capacity = (256 << 10) - textOffset
}

/// Memory that parent and child both see; `mmap(2)`, `MAP_SHARED | MAP_ANONYMOUS`.
@safe
final class SharedMemory: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    let size: Int

    init(size: Int) throws(SystemError) {
        let memory = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
        // MAP_FAILED is all ones.
        guard let memory = unsafe memory, UInt(bitPattern: memory) != .max else {
            throw SystemError("mmap \(size) bytes", .current)
        }
        unsafe start = memory
        self.size = size
    }

    /// Where the memory starts; valid while the object lives.
    func address() -> UnsafeMutableRawPointer { unsafe start }

    deinit { _ = unsafe munmap(start, size) }
}
