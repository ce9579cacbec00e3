import Synchronization

/// How often a processor left its guest, and why.
public struct ExitCounts: Hashable, Sendable {
    public var portReads: UInt64 = 0
    public var portWrites: UInt64 = 0
    /// Reads of addresses without memory.
    public var memoryReads: UInt64 = 0
    /// Writes to addresses without memory.
    public var memoryWrites: UInt64 = 0
    /// Kicks and other signals.
    public var interrupted: UInt64 = 0
    /// What ended the machine, as nothing could be made of it.
    public var failures: UInt64 = 0
    /// Pauses of which the guest's clock was not told, as where the guest does not use that clock.
    public var untoldPauses: UInt64 = 0

    public init() {}

    /// Reads and writes of ports.
    public var ports: UInt64 { portReads + portWrites }
    /// Reads and writes of addresses without memory.
    public var memory: UInt64 { memoryReads + memoryWrites }

    static func + (left: ExitCounts, right: ExitCounts) -> ExitCounts {
        var sum = left
        sum.portReads += right.portReads
        sum.portWrites += right.portWrites
        sum.memoryReads += right.memoryReads
        sum.memoryWrites += right.memoryWrites
        sum.interrupted += right.interrupted
        sum.failures += right.failures
        sum.untoldPauses += right.untoldPauses
        return sum
    }
}

/// The counts of a processor that runs: its thread counts, and others look.
final class ExitCounters: Sendable {
    let portReads = Atomic<UInt64>(0)
    let portWrites = Atomic<UInt64>(0)
    let memoryReads = Atomic<UInt64>(0)
    let memoryWrites = Atomic<UInt64>(0)
    let interrupted = Atomic<UInt64>(0)
    let failures = Atomic<UInt64>(0)
    let untoldPauses = Atomic<UInt64>(0)

    var counts: ExitCounts {
        var counts = ExitCounts()
        counts.portReads = portReads.load(ordering: .relaxed)
        counts.portWrites = portWrites.load(ordering: .relaxed)
        counts.memoryReads = memoryReads.load(ordering: .relaxed)
        counts.memoryWrites = memoryWrites.load(ordering: .relaxed)
        counts.interrupted = interrupted.load(ordering: .relaxed)
        counts.failures = failures.load(ordering: .relaxed)
        counts.untoldPauses = untoldPauses.load(ordering: .relaxed)
        return counts
    }
}
