import Linux
import Virtio

/// The file that holds a machine's state, as bytes: a head, sections, and a checksum over all before it. Numbers are
/// little-endian.
///
/// | offset | bytes | |
/// |---|---|---|
/// | 0 | 8 | `BHVMSNAP` |
/// | 8 | 4 | the format's version |
/// | 12 | 4 | how many sections there are |
/// | 16 | 8 | bytes of the file |
/// | 24 | | each section: four letters, four bytes of zeros, eight of its length, its bytes |
/// | end − 8 | 8 | ``CRC64`` |
///
/// Head and checksum are so in every version: a reader tells a damaged file from one of another version.
struct StateFile: Hashable {
    /// What a section holds.
    enum Section: String, CaseIterable {
        case configuration = "CONF"
        case memory = "MEMO"
        case checksums = "CSUM"
        case chips = "CHIP"
        case processors = "VCPU"
        case legacyDevices = "PORT"
        case growth = "GROW"
        /// Only where there is some.
        case hotplugMemory = "HMEM"
        case devices = "VDEV"
        case note = "NOTE"
    }

    /// `MAJOR.MINOR.PATCH`, a byte for each of the last two.
    static let version: UInt32 = 2 << 16
    /// The largest file that is read: shared directories with many open files take the most of it, and the checksums of
    /// memory, 8 bytes for 4 KiB.
    static let limit = 1 << 30

    private static let magic = Array("BHVMSNAP".utf8)
    static let headSize = 24
    private static let sectionHeadSize = 16

    /// Each section once.
    var sections: [Section: [UInt8]] = [:]

    static func text(_ version: UInt32) -> String { "\(version >> 16).\(version >> 8 & 0xff).\(version & 0xff)" }

    var encoded: [UInt8] {
        var bytes = Self.magic
        bytes.add(Self.version)
        bytes.add(UInt32(sections.count))
        bytes.add(UInt64(0))
        for kind in Section.allCases {
            guard let content = sections[kind] else { continue }
            bytes += Array(kind.rawValue.utf8)
            bytes.add(UInt32(0))
            bytes.add(UInt64(content.count))
            bytes += content
        }
        bytes.store(UInt64(bytes.count + 8), at: 16)
        bytes.add(CRC64.checksum(bytes))
        return bytes
    }

    init() {}

    init(_ bytes: [UInt8]) throws(SnapshotError) {
        let version = try Self.checkedVersion(bytes)
        guard version == Self.version else { throw .otherVersion(Self.text(version)) }
        let end = bytes.count - 8
        var place = Self.headSize
        for _ in 0..<bytes.load(UInt32.self, at: 12) {
            guard end - place >= Self.sectionHeadSize else { throw .malformed("a section begins behind the end") }
            let name = String(decoding: bytes[place..<place + 4], as: UTF8.self)
            let length = bytes.load(UInt64.self, at: place + 8)
            place += Self.sectionHeadSize
            guard length <= UInt64(end - place) else {
                throw .malformed("the section \(quoted(name)) ends behind the end")
            }
            guard let kind = Section(rawValue: name), sections[kind] == nil else {
                throw .malformed("a section \(quoted(name)) that is not known, or is there twice")
            }
            sections[kind] = Array(bytes[place..<place + Int(length)])
            place += Int(length)
        }
        guard place == end else { throw .malformed("\(end - place) bytes behind the sections") }
    }

    /// Whether a file that begins so may be one.
    static func isOurs(_ head: [UInt8]) -> Bool { !head.isEmpty && head.starts(with: magic.prefix(head.count)) }

    /// The version of a whole file whose checksum is right.
    static func checkedVersion(_ bytes: [UInt8]) throws(SnapshotError) -> UInt32 {
        guard isOurs(bytes) else { throw .foreign }
        guard bytes.count >= headSize + 8 else { throw .truncated(found: bytes.count, expected: nil) }
        let length = bytes.load(UInt64.self, at: 16)
        guard length <= UInt64(bytes.count) else { throw .truncated(found: bytes.count, expected: length) }
        guard length == UInt64(bytes.count),
            CRC64.checksum(bytes.dropLast(8)) == bytes.load(UInt64.self, at: bytes.count - 8)
        else { throw .damaged }
        return bytes.load(UInt32.self, at: 8)
    }

    /// A section's bytes.
    func section(_ kind: Section) throws(SnapshotError) -> [UInt8] {
        guard let bytes = sections[kind] else { throw .malformed("the section \(kind.rawValue) is missing") }
        return bytes
    }
}
