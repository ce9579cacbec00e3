import Linux

/// What is wrong with a kernel or an initial RAM disk.
public enum ImageError: Error, Hashable, Sendable {
    /// It is neither a bzImage nor an ELF file.
    case notAKernel
    /// It is a kernel, but not one that this machine can start: too old, for another processor, without the entry that
    /// was asked for.
    case unsupported(String)
    /// The file ends before what it announces.
    case truncated(needs: UInt64, size: UInt64)
    /// A part of it lies outside the guest's memory below the hole, or where the machine's own structures are.
    case outsideMemory(start: UInt64, size: UInt64)
    /// It does not fit into the memory that is left.
    case doesNotFit(size: UInt64, room: UInt64)
    /// The command line is longer than the kernel takes.
    case commandLineTooLong(count: Int, limit: Int)
}

extension ImageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notAKernel: "it is no kernel: neither a bzImage nor an ELF file"
        case .unsupported(let why): why
        case .truncated(let needs, let size): "the file is truncated: it has \(size) bytes and needs \(needs)"
        case .outsideMemory(let start, let size):
            "\(size) bytes at 0x\(String(start, radix: 16)) are outside the guest's memory for kernels: "
                + "give it more memory"
        case .doesNotFit(let size, let room):
            "\(size) bytes do not fit into the \(room) bytes of the guest's memory that are left: give it more memory"
        case .commandLineTooLong(let count, let limit):
            "the command line has \(count) bytes, and the kernel takes \(limit)"
        }
    }
}
