import Linux
import Virtio

/// Why a snapshot can't be taken up.
public enum SnapshotError: Error, Hashable, Sendable {
    /// The file is no snapshot of this program's.
    case foreign
    /// The file ends too early.
    case truncated(found: Int, expected: UInt64?)
    /// The checksum says that bytes have changed.
    case damaged
    /// Written by another version of the format.
    case otherVersion(String)
    /// Whole, and not what a save writes.
    case malformed(String)
    /// The machine was saved on a processor that can what this host's can't, one line for each thing.
    case otherProcessor([String])
    /// The memory is missing, or is not what was saved with the state.
    case memory(String)
    /// The memory is to be of huge pages, which no file is mapped to: they are filled by a process that answers faults.
    case hugePages
    /// A device is not as it was.
    case device(String, StateError)
}

extension SnapshotError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .foreign: "the file is no snapshot of a machine"
        case .truncated(let found, let expected):
            "the snapshot is truncated: \(found) bytes" + (expected.map { " of \($0)" } ?? "")
        case .damaged: "the snapshot is damaged: its checksum is wrong"
        case .otherVersion(let found):
            "the snapshot has the format \(found), and this program knows \(Snapshot.version)"
        case .malformed(let what): "the snapshot is malformed: \(what)"
        case .otherProcessor(let missing):
            "the snapshot needs a processor that this host has not: \(missing.joined(separator: "; "))"
        case .memory(let what): "the snapshot's memory: \(what)"
        case .hugePages: "huge pages can't be restored from a file, only by a process that answers page faults"
        case .device(let name, let error): "the snapshot's device \(name): \(error)"
        }
    }
}

extension SnapshotError {
    /// What a part's own decoder found.
    init(_ section: StateFile.Section, _ error: StateError) {
        self = .malformed("section \(section.rawValue): \(error)")
    }
}

extension MachineError {
    init(_ error: SnapshotError) { self.init(.snapshot, Reason.snapshot(error)) }
}
