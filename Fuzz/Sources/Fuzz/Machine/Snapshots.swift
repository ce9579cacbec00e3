@testable import Machines

extension Target {
    static let snapshots = [
        // The files of machines that were saved, from whoever.
        Target("snapshot") { bytes in
            check(bytes)
            // The checksum would hide all else.
            check(sealed(bytes))
        }
    ]

    private static func check(_ bytes: [UInt8]) {
        do throws(SnapshotError) {
            let written = try Snapshot(decoding: bytes).encoded()
            guard let again = try? Snapshot(decoding: written) else {
                fatalError("what was accepted is refused when written")
            }
            require(again.encoded() == written, "read again, a snapshot is another")
        } catch { require(!"\(error)".contains("\n"), "an error of more than one line: \(error)") }
    }

    /// The same with the length and the checksum that it needs.
    private static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= 32 else { return bytes }
        var bytes = bytes
        bytes.store(UInt64(bytes.count), at: 16)
        bytes.store(CRC64.checksum(bytes.dropLast(8)), at: bytes.count - 8)
        return bytes
    }
}
