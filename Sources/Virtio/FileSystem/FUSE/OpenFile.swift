import Linux

/// A file or a directory that the guest has open: `fh` of the protocol.
final class OpenFile {
    let id: UInt64
    let node: UInt64
    let isDirectory: Bool
    /// The flags it was opened with, without those that make or empty a file.
    let flags: CInt
    /// nil where it was open in a machine that was saved, and can't be opened again.
    private let descriptor: Descriptor?
    /// Its number; nil where there is none.
    let openNumber: CInt?

    init(id: UInt64, node: UInt64, isDirectory: Bool, flags: CInt, descriptor: consuming Descriptor?) {
        self.id = id
        self.node = node
        self.isDirectory = isDirectory
        self.flags = flags
        openNumber = descriptor?.rawValue
        self.descriptor = descriptor
    }

    /// - Throws: `ESTALE`.
    var number: CInt {
        get throws(Errno) {
            guard let number = openNumber else { throw .stale }
            return number
        }
    }
}
